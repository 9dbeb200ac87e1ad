"""Trends: terms that more stories mention than their past predicts."""
