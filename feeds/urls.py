"""Addresses of feeds."""

from django.urls import path

from feeds.views import sources

urlpatterns = [
    path("sources/", sources.sources, name="sources"),
    path("sources/add/", sources.source_add, name="source_add"),
    path("sources/import/", sources.opml_import, name="opml_import"),
    path("sources/export.opml", sources.opml_export, name="opml_export"),
    path("sources/<int:pk>/", sources.source, name="source"),
]
