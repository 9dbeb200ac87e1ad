"""Addresses of feeds."""

from django.urls import path

from feeds.web.views import (
    marks,
    opml,
    river,
    search,
    source,
    sources,
    start,
    stories,
    taste,
    trends,
)

urlpatterns = [
    path("", stories.stories, name="stories"),
    path("start/", start.start, name="start"),
    path("start/topics/", start.start_topics, name="start_topics"),
    path("start/digest/", start.start_digest, name="start_digest"),
    path("story/<int:pk>/", stories.story, name="story"),
    path("story/<int:pk>/state/", marks.story_state, name="story_state"),
    path("story/<int:pk>/follow/", taste.story_follow, name="story_follow"),
    path("river/", river.river_page, name="river"),
    path("river/read/", marks.mark_read, name="mark_read"),
    path("undo/<int:pk>/", marks.undo, name="undo"),
    path("item/<int:pk>/", river.item, name="item"),
    path("item/<int:pk>/state/", marks.item_state, name="item_state"),
    path("item/<int:pk>/fulltext/", river.item_full_text, name="item_full_text"),
    path("item/<int:pk>/opened/", taste.item_opened, name="item_opened"),
    path("taste/", taste.taste, name="taste"),
    path("taste/export.json", taste.taste_export, name="taste_export"),
    path("taste/forget/", taste.taste_forget, name="taste_forget"),
    path("topics/<slug:topic>/level/", taste.topic_level, name="topic_level"),
    path("sources/<int:pk>/level/", taste.source_level, name="source_level"),
    path("search/", search.search, name="search"),
    path("trends/", trends.trends, name="trends"),
    path("trends/follow/", trends.follow, name="trend_follow"),
    path("trends/seen/", trends.seen, name="trends_seen"),
    path("trends/<str:term>/", trends.trend, name="trend"),
    path("sources/", sources.sources, name="sources"),
    path("sources/add/", sources.source_add, name="source_add"),
    path("sources/import/", opml.opml_import, name="opml_import"),
    path("sources/export.opml", opml.opml_export, name="opml_export"),
    path("sources/<int:pk>/", source.source, name="source"),
]
