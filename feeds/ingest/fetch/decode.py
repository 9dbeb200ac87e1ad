"""Undo a response's compression up to a limit: a bomb stops there. Pure."""

import zlib
from collections.abc import Callable
from typing import Any

import brotli  # type: ignore[import-untyped]
import zstandard

from feeds.core.errors import FetchError

MAX_WINDOW = 8 * 1024 * 1024
"""What RFC 9659 grants zstd over HTTP."""
MOST_LAYERS = 3
"""Codings of one body; each costs as much as a document of the greatest size."""
MOST_FRAMES = 10_000
"""Of one body; bgzip makes one for each 64 KiB."""
_GZIP = b"\x1f\x8b"


def decode(raw: bytes, encoding: str, limit: int, *, is_whole: bool = True) -> bytes:
    """The body of `raw`, at most `limit` bytes.

    Raises FetchError when the body is larger, corrupt or, unless `is_whole` is false,
    truncated.
    """
    names = [part.strip().lower() for part in encoding.split(",") if part.strip()]
    if len(names) > MOST_LAYERS:
        raise FetchError(f"The document is compressed {len(names)} times, which is not accepted.")
    body = raw
    for name in reversed(names):
        body, has_ended = _decode_one(body, name, limit)
        if len(body) > limit:
            raise too_large(limit)
        if is_whole and not has_ended:
            raise FetchError(f"The server's {name} body is truncated.")
    return body


def too_large(limit: int) -> FetchError:
    return FetchError(f"The document exceeds the limit of {limit / 1024 / 1024:.0f} MiB.")


def _decode_one(raw: bytes, name: str, limit: int) -> tuple[bytes, bool]:
    """The first `limit` + 1 bytes at most, and whether the compressed data ended as it should."""
    try:
        if name in ("gzip", "x-gzip"):
            return _gunzip(raw, limit)
        if name == "deflate":
            return _inflate(raw, limit)
        if name == "br":
            return _unbrotli(raw, limit)
        if name == "zstd":
            return _unzstd(raw, limit)
    except (zlib.error, brotli.error, zstandard.ZstdError):
        raise FetchError(f"The server sent a corrupt {name} body.") from None
    if name == "identity":
        return raw, True
    raise FetchError(f"The server used an unsupported compression: {name[:20]}.")


def _gunzip(raw: bytes, limit: int) -> tuple[bytes, bool]:
    """All members of the file; what follows the last one is no part of it."""
    return _read_frames(raw, limit, lambda: zlib.decompressobj(zlib.MAX_WBITS | 16), 4096, _GZIP)


def _unzstd(raw: bytes, limit: int) -> tuple[bytes, bool]:
    context = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    return _read_frames(raw, limit, context.decompressobj, 64, b"")


def _read_frames(
    raw: bytes, limit: int, open_frame: Callable[[], Any], piece: int, magic: bytes
) -> tuple[bytes, bool]:
    """The content of all frames, each of which begins with `magic`.

    Decoders get `piece` bytes at a time: that bounds what they return at once (4 MiB of gzip,
    2 MiB of zstd) and what they copy where a frame ends.
    """
    body, at, decoder = bytearray(), 0, open_frame()
    for _ in range(MOST_FRAMES):
        while at < len(raw) and not decoder.eof and len(body) <= limit:
            end = min(at + piece, len(raw))
            body += decoder.decompress(raw[at:end])
            at = end - len(decoder.unused_data)
        rest = raw[at : at + len(magic)]
        if not decoder.eof or at == len(raw) or rest != magic:
            return bytes(body), decoder.eof and (not rest or not magic.startswith(rest))
        decoder = open_frame()
    raise FetchError(f"The document is compressed in more than {MOST_FRAMES:,} parts.")


def _inflate(raw: bytes, limit: int) -> tuple[bytes, bool]:
    decoder = zlib.decompressobj()
    try:
        body = decoder.decompress(raw, limit + 1)
    except zlib.error:  # many servers send it without the zlib header
        decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        body = decoder.decompress(raw, limit + 1)
    return body, decoder.eof


def _unbrotli(raw: bytes, limit: int) -> tuple[bytes, bool]:
    decoder = brotli.Decompressor()
    parts = [decoder.process(raw, output_buffer_limit=limit + 1)]
    while sum(map(len, parts)) <= limit and not decoder.can_accept_more_data():
        parts.append(decoder.process(b"", output_buffer_limit=limit + 1))
    return b"".join(parts), bool(decoder.is_finished())
