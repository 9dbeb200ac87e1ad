"""Addresses of accounts."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("signin/", views.signin, name="signin"),
    path("signin/<str:token>", views.signin_token),
    path("signin/<str:token>/", views.signin_token, name="signin_token"),
    path("signout/", views.signout, name="signout"),
    path("preferences/", views.preferences, name="preferences"),
]
