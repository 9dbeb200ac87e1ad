"""Keep a small database of this release, which every later one must be able to upgrade.

    python tests/upgrade/make_release.py var/demo/ainews.sqlite3 0.1.0

Writes tests/upgrade/0.1.0.sqlite3.gz: the newest items of a sample newsroom with a reader
who read, saved and marked some; no secret is in it.
"""

import gzip
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

KEPT = 60


def main() -> None:
    source, release = Path(sys.argv[1]), sys.argv[2]
    target = Path(__file__).with_name(f"{release}.sqlite3.gz")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.sqlite3"
        with sqlite3.connect(source) as old, sqlite3.connect(copy) as new:
            old.backup(new)
        thin_out(copy)
        with copy.open("rb") as data, gzip.open(target, "wb", 9) as out:
            shutil.copyfileobj(data, out)
    print(f"{target}: {target.stat().st_size // 1024} KiB")


def thin_out(path: Path) -> None:
    connection = sqlite3.connect(path)
    execute = connection.execute
    old = f"SELECT id FROM feeds_item ORDER BY id DESC LIMIT -1 OFFSET {KEPT}"
    execute(f"DELETE FROM feeds_itemstate WHERE item_id IN ({old})")
    execute(f"UPDATE feeds_itemkey SET item_id = NULL WHERE item_id IN ({old})")
    execute(f"DELETE FROM feeds_itembody WHERE item_id IN ({old})")
    execute(f"DELETE FROM feeds_item WHERE id IN ({old})")
    execute("DELETE FROM feeds_storyredirect")
    execute("DELETE FROM feeds_story WHERE id NOT IN (SELECT story_id FROM feeds_item)")
    lead = "SELECT min(id) FROM feeds_item WHERE story_id = feeds_story.id"
    execute(f"UPDATE feeds_story SET lead_id = ({lead})")
    for table in ("django_session", "accounts_signintoken", "accounts_apitoken", "feeds_fetchlog"):
        execute(f"DELETE FROM {table}")
    for table in ("django_q_task", "django_q_ormq"):
        execute(f"DELETE FROM {table}")
    user = execute("SELECT id FROM accounts_user").fetchone()[0]
    newest = [row[0] for row in execute("SELECT id FROM feeds_item ORDER BY id DESC LIMIT 4")]
    execute("DELETE FROM feeds_itemstate")
    columns = "(user_id, item_id, is_read, is_saved, is_hidden, changed_at)"
    for item, state in zip(newest, ((1, 0, 0), (1, 1, 0), (0, 0, 0), (None, 0, 1)), strict=True):
        values = (user, item, *state)
        execute(f"INSERT INTO feeds_itemstate {columns} VALUES (?,?,?,?,?,datetime('now'))", values)
    execute("UPDATE feeds_subscription SET read_up_to = (SELECT max(seq) / 2 FROM feeds_itemkey)")
    connection.commit()
    execute("VACUUM")
    connection.close()


if __name__ == "__main__":
    main()
