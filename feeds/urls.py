"""Addresses of feeds."""

from django.urls import path

from feeds.views import marks, river, search, sources, stories, trends

urlpatterns = [
    path("", stories.stories, name="stories"),
    path("story/<int:pk>/", stories.story, name="story"),
    path("story/<int:pk>/state/", marks.story_state, name="story_state"),
    path("river/", river.river_page, name="river"),
    path("river/read/", marks.mark_read, name="mark_read"),
    path("undo/<int:pk>/", marks.undo, name="undo"),
    path("item/<int:pk>/", river.item, name="item"),
    path("item/<int:pk>/state/", marks.item_state, name="item_state"),
    path("search/", search.search, name="search"),
    path("trends/", trends.trends, name="trends"),
    path("trends/follow/", trends.follow, name="trend_follow"),
    path("trends/seen/", trends.seen, name="trends_seen"),
    path("trends/<str:term>/", trends.trend, name="trend"),
    path("sources/", sources.sources, name="sources"),
    path("sources/add/", sources.source_add, name="source_add"),
    path("sources/import/", sources.opml_import, name="opml_import"),
    path("sources/export.opml", sources.opml_export, name="opml_export"),
    path("sources/<int:pk>/", sources.source, name="source"),
]
