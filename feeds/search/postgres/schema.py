"""Defines the full-text index on PostgreSQL: configurations, functions, tables and triggers.

`feeds_search` has a narrow row for each item, in the same partitions as the items. Words of the
title have label A, those of the summary B and those of the text C. Accents are removed, and words
are stemmed by the item's language. Stop words are indexed in titles alone, for queries that have no
other words.

Every change of the SQL changes VERSION, and so rebuilds the index of every database.
"""

from hashlib import blake2b

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
"""{language code: PostgreSQL's stemmer}. Words of other languages are not stemmed."""
LONGEST = 200_000
"""Number of characters of a text that are indexed, as a tsvector has at most one megabyte."""
PENDING = 4096
"""Size in kB of the list of pending entries of a GIN index. A statement that exceeds it has to
merge the list. Each poll merges it at its end (`merge_pending`), so that rarely happens."""
COMMON_START = 60
"""If the summary and the text are equal up to this number of characters, the summary is not
indexed."""
_WORDS = "hword, hword_part, word, asciihword, hword_asciipart, asciiword"
_PUNCTUATION = "[!-/:-@\\[-`{-~]+"
"""Punctuation of ASCII. PostgreSQL's parser joins no words at any other."""


def configurations() -> list[str]:
    """Return SQL that creates two configurations for each stemmer: one for queries and texts, and
    one for titles, which indexes stop words."""
    statements = ["CREATE EXTENSION IF NOT EXISTS unaccent"]
    for name in sorted({*LANGUAGES.values(), "simple"}):
        whole = "simple" if name == "simple" else f"feeds_{name}_whole"
        if name != "simple":
            statements += [
                f"DROP TEXT SEARCH DICTIONARY IF EXISTS {whole} CASCADE",
                f"CREATE TEXT SEARCH DICTIONARY {whole}"
                f" (TEMPLATE = pg_catalog.snowball, LANGUAGE = {name})",
            ]
        stem = "simple" if name == "simple" else f"{name}_stem"
        for configuration, dictionary in (
            (f"feeds_{name}", stem),
            (f"feeds_{name}_title", whole),
        ):
            statements += [
                f"DROP TEXT SEARCH CONFIGURATION IF EXISTS {configuration}",
                f"CREATE TEXT SEARCH CONFIGURATION {configuration} (COPY = pg_catalog.{name})",
                f"ALTER TEXT SEARCH CONFIGURATION {configuration}"
                f" ALTER MAPPING FOR {_WORDS} WITH unaccent, {dictionary}",
            ]
    return statements


_CASES = " ".join(f"WHEN '{code}' THEN '{name}'" for code, name in LANGUAGES.items())
FUNCTIONS = [
    # A text of unknown language is read as English.
    f"""CREATE OR REPLACE FUNCTION feeds_search_stemmer(language text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE lower(split_part(replace(language, '_', '-'), '-', 1))
    WHEN '' THEN 'english' {_CASES} ELSE 'simple' END $$""",
    # PostgreSQL's parser would read "gpt-4", "and/or" and addresses as single words.
    # A character class takes a tenth of the time of translate().
    f"""CREATE OR REPLACE FUNCTION feeds_search_words(words text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(words, '{_PUNCTUATION}', ' ', 'g') $$""",
    f"""CREATE OR REPLACE FUNCTION feeds_search_vector
    (stemmer text, title text, summary text, body text) RETURNS tsvector
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
    DECLARE reading regconfig := ('feeds_' || stemmer)::regconfig;
    BEGIN
    IF left(summary, {COMMON_START}) = left(body, {COMMON_START}) THEN summary := ''; END IF;
    RETURN setweight(to_tsvector(('feeds_' || stemmer || '_title')::regconfig,
        feeds_search_words(title)), 'A')
      || setweight(to_tsvector(reading, feeds_search_words(summary)), 'B')
      || setweight(to_tsvector(reading, feeds_search_words(left(body, {LONGEST}))), 'C');
    END $$""",
    # The plan stays cached while a partition grows. The planner made it for an empty partition, and
    # does not know how few rows a statement inserts. Without these settings, it would scan the
    # whole partition for each row.
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
# No code reads feeds_search_stemmers, as queries are translated to the languages of the reader's
# items. Removing the table would rebuild the index of every database.
TABLES = [
    "CREATE TABLE IF NOT EXISTS feeds_search_stemmers (name text PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS feeds_search (item_id bigint NOT NULL PRIMARY KEY,"
    " source_id bigint NOT NULL, vector tsvector NOT NULL) PARTITION BY RANGE (item_id)",
    "CREATE TABLE IF NOT EXISTS feeds_search_default PARTITION OF feeds_search DEFAULT",
    "CREATE INDEX IF NOT EXISTS feeds_search_vector ON feeds_search USING gin (vector)"
    f" WITH (fastupdate = on, gin_pending_list_limit = {PENDING})",
]
TRIGGERS = {
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
VERSION = blake2b(
    repr((configurations(), FUNCTIONS, TABLES, TRIGGERS)).encode(), digest_size=8
).hexdigest()
