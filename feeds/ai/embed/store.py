"""Store vectors by the hash of their text, so that a model encodes each text once."""

import base64
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from hashlib import blake2b
from typing import Any

from ainews_site.infra import db_clock
from feeds.ai.embed.errors import EmbeddingError
from feeds.ai.embed.provider import Provider, model_name
from feeds.models import Embedding

logger = logging.getLogger(__name__)

KEEP = timedelta(days=8)
"""Age at which a vector is deleted. Grouping reads those of the last seven days; an older text that
is published again is encoded again."""
CHUNK = 500
BATCH = 256
"""Texts that are encoded before they are stored together. A killed process loses no more."""
SUMMARY = 200
"""Characters of the summary that are encoded with the title. More of them cost time and did not
improve grouping."""

Vectors = dict[int, Any]


def text_for(title: str, summary: str) -> str:
    """Return the text that is encoded for an item."""
    return f"{title}. {summary[:SUMMARY]}" if summary else title


def key_for(text: str, model: str = "") -> int:
    """Return a hash of 63 bits of the model's name and the text."""
    written = f"{model or model_name()}\0{text}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(written, digest_size=8).digest()) >> 1


def known_vectors(texts: Mapping[int, str]) -> Vectors:
    """Return {id: float32 [dimensions]} of those of the `texts`, {id: text}, that are stored."""
    name = model_name()
    keys = {pk: key_for(text, name) for pk, text in texts.items()}
    rows = _read(sorted(set(keys.values())))
    return {pk: rows[key] for pk, key in keys.items() if key in rows}


def _read(keys: Sequence[int]) -> Vectors:
    import numpy as np  # takes 0.3 s and 15 MiB, which a web process need not spend

    rows: Vectors = {}
    size = _current_size()
    for start in range(0, len(keys), CHUNK):
        stored = Embedding.objects.filter(key__in=keys[start : start + CHUNK])
        for key, text in stored.values_list("key", "vector"):
            row = np.frombuffer(base64.b64decode(text), dtype=np.float16)
            if len(row) == size:
                rows[key] = row.astype(np.float32)
    return rows


def _current_size() -> int:
    """Return the dimensions of the newest vector. A server may serve another model under the same
    name by now; vectors of another size are ignored."""
    newest = Embedding.objects.order_by("-created_at").values_list("vector", flat=True).first()
    return len(base64.b64decode(newest)) // 2 if newest else 0


def encode_missing(provider: Provider, texts: Iterable[str]) -> int:
    """Encode and store the `texts` that are not stored yet. Returns their number.

    Must be called outside of a transaction. Raises EmbeddingError; the batches that were encoded
    before stay stored.
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
    size, before = len(rows[0]), _current_size()
    if before not in (0, size):
        logger.warning("embeddings_dropped size=%s before=%s", size, before)
        # They are of another model. The texts are encoded again when they are needed.
        Embedding.objects.all().delete()
    now = db_clock.now()
    stored = [
        Embedding(key=key, vector=_to_text(row), created_at=now)
        for (key, _), row in zip(missing, rows, strict=True)
    ]
    Embedding.objects.bulk_create(stored, ignore_conflicts=True)


def _to_text(row: Any) -> str:
    """Return a vector as float16 in base64, which both databases and the move between them store
    alike."""
    return base64.b64encode(row.astype("float16").tobytes()).decode()


def drop_old_vectors() -> int:
    """Delete the vectors that are older than KEEP. Returns their number."""
    deleted, _ = Embedding.objects.filter(created_at__lt=db_clock.now() - KEEP).delete()
    return deleted
