"""Check published editions independently of the product: `python benchmarks/citations.py`.

Reads editions and items from the database of .env (or DATABASE_URL) by SQL, and searches the cited
items for every number, name and quotation of each sentence. It shares no code with `digests/`, and
is short enough to be read in two minutes. Prints NAME VALUE lines at the end. The exit status is 1
if a sentence is not supported.
"""

import json
import os
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
)
WORDS = {word: str(n) for n, word in enumerate(NAMES.split())}
WORDS |= {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60"}
ZEROS = {"thousand": 3, "k": 3, "million": 6, "m": 6, "mn": 6, "billion": 9, "bn": 9, "b": 9}
ZEROS |= {"trillion": 12, "tn": 12, "t": 12}
QUOTES = re.compile(
    r'“([^“”]+)”|"([^"]+)"|«([^«»]+)»|「([^「」]+)」'
    r"|(?<!\w)'([^']+(?:'\w[^']*)*)'(?!\w)"  # single ones, with apostrophes in them
)


def plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).replace("’", "'").replace("‘", "'")
    return " ".join(
        re.sub("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]", "", text).split()
    )


def numbers(text: str) -> set[str]:
    """Return the numbers of a text as digits without separators, with zeros for a magnitude."""
    text = re.sub(
        rf"\b({'|'.join(WORDS)})\b", lambda match: WORDS[match.group().lower()], text, flags=re.I
    )
    found = set()
    for whole, part, size in re.findall(
        rf"(\d+(?:[,' ]\d{{3}})*)(?:[.,](\d+))?[ -]?((?:{'|'.join(ZEROS)})\b)?", text, re.I
    ):
        digits = re.sub(r"\D", "", whole)
        found.add(f"{digits}.{part.rstrip('0')}".rstrip("."))
        found.add(digits + part)
        if size:
            zeros = max(0, ZEROS[size.lower()] - len(part))
            found.add(f"{digits}{part}{'0' * zeros}")
    return found


def missing_part(sentence: str, cited: str) -> str:
    """Return the first part of the sentence that the cited text does not contain, or ""."""
    sentence, cited = plain(sentence), plain(cited)
    cited_numbers = numbers(cited)
    for number in re.findall(r"\d[\d,.']*\d|\d", sentence):
        if not numbers(number) & cited_numbers:
            return f"number {number}"
    small = cited.casefold()
    for start, name in ((m.start(), m.group()) for m in re.finditer(r"\b[^\W\d_a-z]\w*", sentence)):
        is_first = (
            not sentence[:start].strip(" \"'“‘«(") or sentence[:start].rstrip("\"'“ ")[-1] in ".!?:"
        )
        stem = name.casefold().removesuffix("s")
        if name[0].isupper() and not is_first and stem not in small:
            return f"name {name}"
    squashed = re.sub(r"\W+", "", small)
    for quotation in ("".join(groups) for groups in QUOTES.findall(sentence)):
        if re.sub(r"\W+", "", quotation.casefold()) not in squashed:
            return f"quotation {quotation}"
    return ""


def editions() -> Iterator[dict[str, Any]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT content FROM digests_digest ORDER BY id")
        for (content,) in cursor.fetchall():
            yield json.loads(content) if isinstance(content, str) else content


def text_of(item_id: int) -> str:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.title, i.summary, b.text FROM feeds_item i LEFT JOIN feeds_itembody b"
            " ON b.item_id = i.id WHERE i.id = %s",
            [item_id],
        )
        row = cursor.fetchone()
    return "\n".join(part or "" for part in row) if row else ""


def main() -> int:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ainews_site.settings")
    import django

    django.setup()
    count: Counter[str] = Counter()
    for edition in editions():
        for story in edition["stories"]:
            texts = {c["number"]: text_of(c["item_id"]) for c in story["citations"]}
            for sentence in filter(None, (*story["sentences"], story.get("why"))):
                cited = "\n".join(texts[number] for number in sentence["cites"])
                wrong = (
                    missing_part(sentence["text"], cited) if sentence["cites"] else "no citation"
                )
                count["held"] += not wrong
                count["sentences"] += 1
                if wrong:
                    print(f"not supported: {sentence['text']} ({wrong})")
    print(f"citations_sentences {count['sentences']}")
    print(f"citations_held_share {count['held'] / max(1, count['sentences']):.4f}")
    return int(count["held"] < count["sentences"])


if __name__ == "__main__":
    sys.exit(main())
