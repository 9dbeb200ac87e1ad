"""Vectors by the hash of their text: each text is encoded once by a model, then read."""

import base64
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from hashlib import blake2b
from typing import Any

from feeds import clock
from feeds.embed.errors import EmbeddingError
from feeds.embed.provider import Provider, model_name
from feeds.models import Embedding

logger = logging.getLogger(__name__)

KEEP = timedelta(days=8)
"""What is older is needed by no window, as the longest is of seven days; a text that comes
again is encoded again."""
CHUNK = 500
BATCH = 256
"""Texts that are encoded, then stored: what a kill loses at most."""
SUMMARY = 200
"""Characters of the summary that go with the title; more costs time and says less."""

Vectors = dict[int, Any]


def text_for(title: str, summary: str) -> str:
    """What of an item is encoded."""
    return f"{title}. {summary[:SUMMARY]}" if summary else title


def key_for(text: str, model: str = "") -> int:
    """63 bits of the text and the model's name: vectors of two models never meet."""
    written = f"{model or model_name()}\0{text}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(written, digest_size=8).digest()) >> 1


def known_vectors(texts: Mapping[int, str]) -> Vectors:
    """{id: float32 [d]} of the texts, by any id, that have been encoded."""
    name = model_name()
    keys = {pk: key_for(text, name) for pk, text in texts.items()}
    rows = _read(sorted(set(keys.values())))
    return {pk: rows[key] for pk, key in keys.items() if key in rows}


def _read(keys: Sequence[int]) -> Vectors:
    import numpy as np  # 0.3 s and 15 MiB that a web process does without

    rows: Vectors = {}
    size = _size_now()
    for start in range(0, len(keys), CHUNK):
        found = Embedding.objects.filter(key__in=keys[start : start + CHUNK])
        for key, text in found.values_list("key", "vector"):
            row = np.frombuffer(base64.b64decode(text), dtype=np.float16)
            if len(row) == size:
                rows[key] = row.astype(np.float32)
    return rows


def _size_now() -> int:
    """Numbers of the newest vector: one name may stand for another model since."""
    newest = Embedding.objects.order_by("-created_at").values_list("vector", flat=True).first()
    return len(base64.b64decode(newest)) // 2 if newest else 0


def encode_missing(provider: Provider, texts: Iterable[str]) -> int:
    """Encode and store those that are not known yet, in batches; how many.

    To be called outside of transactions. Raises EmbeddingError; what was encoded before
    is kept.
    """
    wanted = {key_for(text, provider.name): text for text in texts}
    known: set[int] = set()
    keys = sorted(wanted)
    for start in range(0, len(keys), CHUNK):
        chunk = keys[start : start + CHUNK]
        known.update(Embedding.objects.filter(key__in=chunk).values_list("key", flat=True))
    missing = [(key, text) for key, text in wanted.items() if key not in known]
    for start in range(0, len(missing), BATCH):
        _encode(provider, missing[start : start + BATCH])
    return len(missing)


def _encode(provider: Provider, missing: Sequence[tuple[int, str]]) -> None:
    try:
        rows = provider.encode([text for _, text in missing])
    except EmbeddingError:
        raise
    except Exception as error:
        raise EmbeddingError(f"{provider.name} failed: {error}") from error
    size, before = len(rows[0]), _size_now()
    if before not in (0, size):
        logger.warning("embeddings_dropped size=%s before=%s", size, before)
        Embedding.objects.all().delete()  # of another model; what is needed is encoded again
    now = clock.now()
    stored = [
        Embedding(key=key, vector=_packed(row), created_at=now)
        for (key, _), row in zip(missing, rows, strict=True)
    ]
    Embedding.objects.bulk_create(stored, ignore_conflicts=True)


def _packed(row: Any) -> str:
    """float16, as text: the databases and their move know no other kind of bytes."""
    return base64.b64encode(row.astype("float16").tobytes()).decode()


def drop_old_vectors() -> int:
    """Those that no window needs any more; how many."""
    gone, _ = Embedding.objects.filter(created_at__lt=clock.now() - KEEP).delete()
    return gone
