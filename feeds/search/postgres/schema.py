"""What the full-text index on PostgreSQL consists of: configurations, functions, tables, triggers.

`feeds_search` holds one narrow row an item, in the same partitions as the items. Title is
weighed A, summary B, text C. Words are stemmed by the item's language without accents;
stop words are kept of titles alone, for queries that have no other words.
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
"""Codes and the stemmers of PostgreSQL; other languages are not stemmed."""
LONGEST = 200_000
"""Characters of a text that are indexed: a vector holds a megabyte at most."""
PENDING = 4096
"""kB of new entries that GIN keeps in a list before it sorts them in while somebody stores; the
poll does so at its end (`sort_in`), so that it seldom comes to that."""
ALIKE = 60
"""A summary that begins like the text, for so many characters, says nothing of its own."""
_WORDS = "hword, hword_part, word, asciihword, hword_asciipart, asciiword"
_PUNCTUATION = "[!-/:-@\\[-`{-~]+"
"""Of ASCII: the rest never joins words."""


def configurations() -> list[str]:
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
FUNCTIONS = [
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
# Queries are read in the languages of the reader's news. Nothing reads feeds_search_stemmers; to
# remove it would change VERSION, and so build the index of every database anew.
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
