"""A database backend for web processes: Django's SQLite backend with a pool of connections."""
