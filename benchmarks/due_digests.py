"""Measure what the due editions of many readers cost one worker.

    python benchmarks/due_digests.py [--readers N] [--database postgres] [--items N] [--folder DIR]

The library is that of benchmarks/pages.py: its readers follow 100 of 500 sources each. Their
editions of today are requested and written as the worker writes them, without a language model,
and deleted afterwards. Prints the CPU seconds of this process and of PostgreSQL, and a hash of all
editions, which must not depend on what readers share.
"""

import argparse
import json
import logging
import sys
import time
from hashlib import blake2b
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.pages import ITEMS, database_of  # noqa: E402
from benchmarks.scale import PersistentPostgres  # noqa: E402
from benchmarks.served import Clock  # noqa: E402

READERS = 1_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--readers", type=int, default=READERS)
    parser.add_argument("--database", choices=ITEMS, default="sqlite")
    parser.add_argument("--items", type=int, help="255,000, or in PostgreSQL a million")
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench")
    asked = parser.parse_args()
    items = asked.items or ITEMS[asked.database]
    place = asked.folder.resolve() / f"pages-{asked.database}-{items}"
    with database_of(asked.database, place, items) as server:
        logging.disable(logging.INFO)
        _measure(asked.readers, server)
    return 0


def _measure(readers: int, server: PersistentPostgres | None) -> None:
    from accounts.models import User
    from digests.editions.writing import request_writing, today_of
    from digests.models import Digest, Writing
    from digests.tasks import write_waiting

    chosen = list(User.objects.filter(subscriptions__isnull=False).distinct().order_by("pk"))
    chosen = chosen[:readers]
    _delete(chosen)
    Writing.objects.all().delete()
    for user in chosen:
        request_writing(user, today_of(user), is_due=True)
    clock = Clock([server.process.pid] if server is not None and server.process else [])
    began, of_server = time.process_time(), _seconds(clock)
    written = write_waiting()
    spent, of_server = time.process_time() - began, _seconds(clock) - of_server
    editions = Digest.objects.filter(user__in=chosen, date=today_of(chosen[0])).order_by("user")
    contents = [(edition.user_id, edition.content) for edition in editions]
    assert written == len(chosen) == len(contents), (written, len(chosen), len(contents))
    stories = sum(len(content["stories"]) for _, content in contents)
    print(
        f"{written} editions with {stories} stories: {spent:.1f} CPU s of the worker,"
        f" {of_server:.1f} of the database; {(spent + of_server) / written * 1000:.1f} ms each"
    )
    print(f"contents {_hash(contents)}")
    _delete(chosen)


def _seconds(clock: Clock) -> float:
    live, ended = clock.read()
    return (sum(live.values()) + ended) / 1e9


def _hash(contents: Any) -> str:
    return blake2b(json.dumps(contents, sort_keys=True).encode(), digest_size=8).hexdigest()


def _delete(users: list[Any]) -> None:
    from digests.editions.writing import today_of
    from digests.models import Digest

    Digest.objects.filter(user__in=users, date=today_of(users[0])).delete()


if __name__ == "__main__":
    sys.exit(main())
