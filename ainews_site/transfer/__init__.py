"""Moves everything from SQLite to PostgreSQL, and back."""
