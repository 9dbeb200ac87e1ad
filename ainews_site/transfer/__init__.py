"""Migrates all data from SQLite to PostgreSQL, and back."""
