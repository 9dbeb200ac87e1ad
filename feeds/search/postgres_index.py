# ruff: noqa: S608 - all of the SQL is our own
"""The full-text index on PostgreSQL: stored vectors with GIN, kept in step by triggers.

`feeds_search` holds one narrow row an item, in the same partitions as the items. Title is
weighed A, summary B, text C. Words are stemmed by the item's language without accents;
stop words are kept of titles alone, for queries that have no other words.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from hashlib import blake2b
from multiprocessing import get_context
from typing import Any

from django.db import connection, transaction

from feeds import partitions
from feeds.revisions import CONTENT, revise_if_any

LANGUAGES = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "nb": "norwegian",
    "ne": "nepali",
    "nl": "dutch",
    "nn": "norwegian",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
"""Codes and the stemmers of PostgreSQL; other languages are not stemmed."""
LONGEST = 200_000
"""Characters of a text that are indexed: a vector holds a megabyte at most."""
PENDING = 1024
"""kB of new entries that GIN keeps in a list before sorting them in: storing is faster with
more, searching with less."""
ORPHAN_AFTER = 0.5
"""Seconds after which a process notices that the one it works for was killed."""
ALIKE = 60
"""A summary that begins like the text, for so many characters, says nothing of its own."""
_WORDS = "hword, hword_part, word, asciihword, hword_asciipart, asciiword"
_PUNCTUATION = "[!-/:-@\\[-`{-~]+"
"""Of ASCII: the rest never joins words."""


def _configurations() -> list[str]:
    """Each language twice: as queries and texts are read, and without stop words for titles."""
    made = ["CREATE EXTENSION IF NOT EXISTS unaccent"]
    for name in sorted({*LANGUAGES.values(), "simple"}):
        whole = "simple" if name == "simple" else f"feeds_{name}_whole"
        if name != "simple":
            made += [
                f"DROP TEXT SEARCH DICTIONARY IF EXISTS {whole} CASCADE",
                f"CREATE TEXT SEARCH DICTIONARY {whole}"
                f" (TEMPLATE = pg_catalog.snowball, LANGUAGE = {name})",
            ]
        stem = "simple" if name == "simple" else f"{name}_stem"
        for configuration, dictionary in (
            (f"feeds_{name}", stem),
            (f"feeds_{name}_title", whole),
        ):
            made += [
                f"DROP TEXT SEARCH CONFIGURATION IF EXISTS {configuration}",
                f"CREATE TEXT SEARCH CONFIGURATION {configuration} (COPY = pg_catalog.{name})",
                f"ALTER TEXT SEARCH CONFIGURATION {configuration}"
                f" ALTER MAPPING FOR {_WORDS} WITH unaccent, {dictionary}",
            ]
    return made


_CASES = " ".join(f"WHEN '{code}' THEN '{name}'" for code, name in LANGUAGES.items())
_FUNCTIONS = [
    # Nobody says of which language the text is: then it is read as English.
    f"""CREATE OR REPLACE FUNCTION feeds_search_stemmer(language text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE lower(split_part(replace(language, '_', '-'), '-', 1))
    WHEN '' THEN 'english' {_CASES} ELSE 'simple' END $$""",
    # PostgreSQL's parser would take "gpt-4", "and/or" and addresses for single words.
    # A class of characters costs a tenth of what translate() does.
    f"""CREATE OR REPLACE FUNCTION feeds_search_words(words text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(words, '{_PUNCTUATION}', ' ', 'g') $$""",
    f"""CREATE OR REPLACE FUNCTION feeds_search_vector
    (stemmer text, title text, summary text, body text) RETURNS tsvector
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
    DECLARE reading regconfig := ('feeds_' || stemmer)::regconfig;
    BEGIN
    IF left(summary, {ALIKE}) = left(body, {ALIKE}) THEN summary := ''; END IF;
    RETURN setweight(to_tsvector(('feeds_' || stemmer || '_title')::regconfig,
        feeds_search_words(title)), 'A')
      || setweight(to_tsvector(reading, feeds_search_words(summary)), 'B')
      || setweight(to_tsvector(reading, feeds_search_words(left(body, {LONGEST}))), 'C');
    END $$""",
    # Index by index: the plan is kept while a partition grows, and the planner, who saw it empty
    # and knows nothing of how few rows a statement brings, would read all of it for each row.
    """CREATE OR REPLACE FUNCTION feeds_search_add() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
    BEGIN
    INSERT INTO feeds_search_stemmers SELECT DISTINCT feeds_search_stemmer(i.language)
      FROM added a JOIN feeds_item i ON i.id = a.item_id ON CONFLICT DO NOTHING;
    INSERT INTO feeds_search (item_id, source_id, vector)
      SELECT i.id, i.source_id, feeds_search_vector(
        feeds_search_stemmer(i.language), i.title, i.summary, a.text)
      FROM added a JOIN feeds_item i ON i.id = a.item_id;
    RETURN NULL;
    END $$""",
    """CREATE OR REPLACE FUNCTION feeds_search_renew() RETURNS trigger
    LANGUAGE plpgsql SET enable_seqscan = off AS $$
    DECLARE wanted bigint;
    BEGIN
    IF TG_ARGV[0] = 'item' THEN wanted := NEW.id; ELSE wanted := NEW.item_id; END IF;
    UPDATE feeds_search s SET source_id = i.source_id, vector = feeds_search_vector(
        feeds_search_stemmer(i.language), i.title, i.summary, b.text)
      FROM feeds_item i, feeds_itembody b
      WHERE i.id = wanted AND b.item_id = wanted AND s.item_id = wanted;
    RETURN NULL;
    END $$""",
    """CREATE OR REPLACE FUNCTION feeds_search_remove() RETURNS trigger
    LANGUAGE plpgsql AS $$
    BEGIN
    IF TG_OP = 'TRUNCATE' THEN TRUNCATE feeds_search;
    ELSIF TG_ARGV[0] = 'item' THEN DELETE FROM feeds_search WHERE item_id = OLD.id;
    ELSE DELETE FROM feeds_search WHERE item_id = OLD.item_id; END IF;
    RETURN NULL;
    END $$""",
]
_TABLES = [
    "CREATE TABLE IF NOT EXISTS feeds_search_stemmers (name text PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS feeds_search (item_id bigint NOT NULL PRIMARY KEY,"
    " source_id bigint NOT NULL, vector tsvector NOT NULL) PARTITION BY RANGE (item_id)",
    "CREATE TABLE IF NOT EXISTS feeds_search_default PARTITION OF feeds_search DEFAULT",
    "CREATE INDEX IF NOT EXISTS feeds_search_vector ON feeds_search USING gin (vector)"
    f" WITH (fastupdate = on, gin_pending_list_limit = {PENDING})",
]
_TRIGGERS = {
    "feeds_search_insert": "AFTER INSERT ON feeds_itembody REFERENCING NEW TABLE AS added"
    " FOR EACH STATEMENT EXECUTE FUNCTION feeds_search_add()",
    "feeds_search_text": "AFTER UPDATE OF text ON feeds_itembody FOR EACH ROW"
    " WHEN (OLD.text IS DISTINCT FROM NEW.text) EXECUTE FUNCTION feeds_search_renew('body')",
    "feeds_search_delete": "AFTER DELETE ON feeds_itembody FOR EACH ROW"
    " EXECUTE FUNCTION feeds_search_remove('body')",
    "feeds_search_item": "AFTER UPDATE OF title, summary, language, source_id ON feeds_item"
    " FOR EACH ROW WHEN ((OLD.title, OLD.summary, OLD.language, OLD.source_id)"
    " IS DISTINCT FROM (NEW.title, NEW.summary, NEW.language, NEW.source_id))"
    " EXECUTE FUNCTION feeds_search_renew('item')",
    "feeds_search_item_delete": "AFTER DELETE ON feeds_item FOR EACH ROW"
    " EXECUTE FUNCTION feeds_search_remove('item')",
    "feeds_search_empty": "AFTER TRUNCATE ON feeds_item FOR EACH STATEMENT"
    " EXECUTE FUNCTION feeds_search_remove('all')",
}
_TABLE_OF = {name: definition.split(" ON ")[1].split()[0] for name, definition in _TRIGGERS.items()}
VERSION = blake2b(
    repr((_configurations(), _FUNCTIONS, _TABLES, _TRIGGERS)).encode(), digest_size=8
).hexdigest()


def ensure_index(database: Any, on_span: Callable[[str], None] = lambda name: None) -> bool:
    """Make the index as it is described here; True when it had to be built from the items.

    A part that is missing or different means that rows may have changed unseen.
    """
    with database.cursor() as cursor:
        if _is_whole(cursor):
            return False
    with transaction.atomic(using=database.alias), database.cursor() as cursor:
        make_empty(cursor)
        for span in partitions.spans():
            make_apart(cursor, span)
            put_in_place(cursor, span)
            on_span(span.name)
        finish(cursor)
    revise_if_any(CONTENT, database)
    return True


def finish(cursor: Any) -> None:
    """When all partitions are made: what lies in none, and the triggers that keep it in step."""
    if partitions.has_rows(cursor, "feeds_item_default"):
        cursor.execute("TRUNCATE feeds_search_default")
        _fill(cursor, "feeds_search_default", "feeds_item_default", "feeds_itembody")
    attach_triggers(cursor)
    cursor.execute(f"COMMENT ON TABLE feeds_search IS 'AI News {VERSION}'")


def complete(spans: Sequence[partitions.Span]) -> None:
    """Make the vectors that a partition lost, as one that somebody dropped and that was made
    anew."""
    with connection.cursor() as cursor:
        for span in spans:
            missing = f"s.item_id IS NULL AND i.id >= {span.low} AND i.id < {span.high}"
            search = "LEFT JOIN feeds_search s ON s.item_id = i.id"
            _fill(
                cursor, "feeds_search", "feeds_item", "feeds_itembody", f"{search} WHERE {missing}"
            )


def _is_whole(cursor: Any) -> bool:
    cursor.execute("SELECT obj_description(to_regclass('feeds_search'), 'pg_class')")
    if cursor.fetchone()[0] != f"AI News {VERSION}":
        return False
    cursor.execute(
        "SELECT count(*) FROM pg_trigger WHERE tgparentid = 0 AND tgenabled <> 'D'"
        " AND tgname = ANY(%s)",
        [list(_TRIGGERS)],
    )
    return bool(cursor.fetchone()[0] == len(_TRIGGERS))


def make_empty(cursor: Any) -> None:
    """The tables and functions without a row and without triggers."""
    detach_triggers(cursor)
    cursor.execute("DROP TABLE IF EXISTS feeds_search, feeds_search_stemmers")
    for statement in (*_configurations(), *_FUNCTIONS, *_TABLES):
        cursor.execute(statement)


def attach_triggers(cursor: Any) -> None:
    for name, definition in _TRIGGERS.items():
        cursor.execute(f"CREATE OR REPLACE TRIGGER {name} {definition}")


def detach_triggers(cursor: Any) -> None:
    for name, table in _TABLE_OF.items():
        cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")


def rebuild_many(spans: Sequence[partitions.Span]) -> Iterator[partitions.Span]:
    """Make the vectors of these partitions anew, each in a transaction of its own, in a process
    for each CPU; what is done, as it gets done. Nobody may write meanwhile."""
    with connection.cursor() as cursor:
        # Now, or two processes would wait for each other's line.
        cursor.execute(
            "INSERT INTO feeds_search_stemmers SELECT DISTINCT feeds_search_stemmer(language)"
            " FROM (SELECT DISTINCT language FROM feeds_item) known ON CONFLICT DO NOTHING"
        )
    connection.close()  # not for the processes to share
    with ProcessPoolExecutor(
        os.cpu_count() or 2, get_context("fork"), initializer=_end_with, initargs=(os.getpid(),)
    ) as pool:
        parts = {pool.submit(_rebuild, span): span for span in spans}
        for part in as_completed(parts):
            part.result()
            yield parts[part]


def _end_with(parent: int) -> None:
    """Let this process of the pool end when `parent` was killed: it would wait for ever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(ORPHAN_AFTER)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _rebuild(span: partitions.Span) -> None:
    with connection.cursor() as cursor:
        with transaction.atomic():
            cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
            make_apart(cursor, span)
        with transaction.atomic():
            put_in_place(cursor, span)
    connection.close()


def make_apart(cursor: Any, span: partitions.Span) -> None:
    """Make the vectors of a partition with their indexes in a table of their own.

    From the partitions themselves: several processes may do one each at a time.
    """
    made = f"{span.table('feeds_search')}_made"
    cursor.execute(f"DROP TABLE IF EXISTS {made}")
    cursor.execute(f"CREATE TABLE {made} (LIKE feeds_search INCLUDING STORAGE)")
    _fill(cursor, made, span.table("feeds_item"), span.table("feeds_itembody"))
    cursor.execute(f"ALTER TABLE {made} ADD PRIMARY KEY (item_id)")
    cursor.execute(
        f"CREATE INDEX ON {made} USING gin (vector) WITH (gin_pending_list_limit = {PENDING})"
    )


def put_in_place(cursor: Any, span: partitions.Span) -> None:
    """Let what was made apart be the partition. Two may not do so at once: call it in a short
    transaction of its own."""
    partitions.lock(cursor)
    name = span.table("feeds_search")
    cursor.execute(f"DROP TABLE IF EXISTS {name}")
    cursor.execute(f"ALTER TABLE {name}_made RENAME TO {name}")
    cursor.execute(f"ALTER INDEX {name}_made_pkey RENAME TO {name}_pkey")
    cursor.execute(f"ALTER INDEX {name}_made_vector_idx RENAME TO {name}_vector_idx")
    partitions.attach(cursor, "feeds_search", span)


def _fill(cursor: Any, table: str, items: str, bodies: str, which: str = "") -> None:
    cursor.execute(
        "INSERT INTO feeds_search_stemmers SELECT DISTINCT feeds_search_stemmer(language)"
        f" FROM {items} ON CONFLICT DO NOTHING"
    )
    cursor.execute(
        f"INSERT INTO {table} (item_id, source_id, vector) SELECT i.id, i.source_id,"
        " feeds_search_vector(feeds_search_stemmer(i.language), i.title, i.summary, b.text)"
        f" FROM {items} i JOIN {bodies} b ON b.item_id = i.id {which} ORDER BY i.id"
    )


def drop_index(database: Any) -> None:
    with database.cursor() as cursor:
        detach_triggers(cursor)
        cursor.execute("DROP TABLE IF EXISTS feeds_search, feeds_search_stemmers")
        for name in ("stemmer(text)", "words(text)", "vector(text, text, text, text)"):
            cursor.execute(f"DROP FUNCTION IF EXISTS feeds_search_{name}")
        for name in ("add", "renew", "remove"):
            cursor.execute(f"DROP FUNCTION IF EXISTS feeds_search_{name}()")
