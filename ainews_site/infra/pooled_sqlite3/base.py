"""Django's SQLite backend, with connections from the pool."""

import sqlite3
from typing import Any

from django.db.backends.sqlite3 import base

from ainews_site.infra.pooled_sqlite3.pool import Identity, identity_of, pool


class DatabaseWrapper(base.DatabaseWrapper):
    is_reused = False
    """Whether the current connection was prepared by an earlier request."""
    _identity: Identity | None = None
    _has_failed = False

    def get_new_connection(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        path = conn_params["database"]
        idle = pool.take(path)
        self.is_reused, self._has_failed = idle is not None, False
        if idle is not None:
            self._identity = idle[1]
            return idle[0]
        before = identity_of(path)
        raw: sqlite3.Connection = super().get_new_connection(conn_params)
        # Neither a database in memory nor a file that was replaced meanwhile is kept.
        self._identity = before if before == identity_of(path) else None
        return raw

    def close_if_unusable_or_obsolete(self) -> None:
        # Django resets the flag before it closes the connection.
        self._has_failed = self._has_failed or self.errors_occurred
        super().close_if_unusable_or_obsolete()

    def _close(self) -> None:
        if self._has_failed or self.errors_occurred or self.in_atomic_block:
            super()._close()  # type: ignore[misc]
        else:
            pool.give(str(self.settings_dict["NAME"]), self._identity, self.connection)
