"""Addresses of the REST API, below /api/v1/."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from feeds.api import taste, trends, views

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("sources/", views.Sources.as_view(), name="api_sources"),
    path("sources/<int:pk>/", views.OneSource.as_view(), name="api_source"),
    path("items/", views.Items.as_view(), name="api_items"),
    path("items/<int:pk>/", views.OneItem.as_view(), name="api_item"),
    path("stories/", views.Stories.as_view(), name="api_stories"),
    path("stories/<int:pk>/", views.OneStory.as_view(), name="api_story"),
    path("stories/ranked/", taste.Ranked.as_view(), name="api_ranked"),
    path("stories/<int:pk>/follow/", taste.FollowedStoryView.as_view(), name="api_follow"),
    path("sources/<int:pk>/level/", taste.SourceLevel.as_view(), name="api_source_level"),
    path("topics/<slug:topic>/level/", taste.TopicLevel.as_view(), name="api_topic_level"),
    path("feedback/", taste.Feedback.as_view(), name="api_feedback"),
    path("taste/", taste.TasteView.as_view(), name="api_taste"),
    path("taste/items/<int:pk>/", taste.TasteItem.as_view(), name="api_taste_item"),
    path("states/", views.States.as_view(), name="api_states"),
    path("mark-read/", views.MarkRead.as_view(), name="api_mark_read"),
    path("undo/", views.Undo.as_view(), name="api_undo"),
    path("trends/", trends.Trends.as_view(), name="api_trends"),
    path("trends/follows/", trends.Follows.as_view(), name="api_trend_follows"),
    path("trends/follows/<int:pk>/", trends.OneFollow.as_view(), name="api_trend_follow"),
    path("search/", views.Search.as_view(), name="api_search"),
]
