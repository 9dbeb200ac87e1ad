"""Addresses of feeds/api."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
