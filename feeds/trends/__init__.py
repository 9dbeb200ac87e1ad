"""Trends: terms that more is told of than their past lets expect."""
