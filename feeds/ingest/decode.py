"""Undo a response's compression up to a limit: a bomb stops there. Pure."""

import io
import zlib

import brotli  # type: ignore[import-untyped]
import zstandard

from feeds.ingest.errors import FetchError

MAX_WINDOW = 8 * 1024 * 1024
"""What RFC 9659 grants zstd over HTTP."""
_GZIP = b"\x1f\x8b"


def decode(raw: bytes, encoding: str, limit: int) -> bytes:
    """The body of `raw`, at most `limit` bytes. Raises FetchError when it is larger or damaged."""
    body = raw
    for name in reversed([part.strip().lower() for part in encoding.split(",") if part.strip()]):
        body = _decode_one(body, name, limit)
        if len(body) > limit:
            raise too_large(limit)
    return body


def too_large(limit: int) -> FetchError:
    return FetchError(f"The document exceeds the limit of {limit / 1024 / 1024:.0f} MiB.")


def _decode_one(raw: bytes, name: str, limit: int) -> bytes:
    try:
        if name in ("gzip", "x-gzip"):
            return _gunzip(raw, limit)
        if name == "deflate":
            return _inflate(raw, limit)
        if name == "br":
            return _unbrotli(raw, limit)
        if name == "zstd":
            reader = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
            return bytes(reader.stream_reader(io.BytesIO(raw)).read(limit + 1))
    except (zlib.error, brotli.error, zstandard.ZstdError):
        raise FetchError(f"The server sent a corrupt {name} body.") from None
    if name == "identity":
        return raw
    raise FetchError(f"The server used an unsupported compression: {name[:20]}.")


def _gunzip(raw: bytes, limit: int) -> bytes:
    """All members of the file; what follows the last one is no part of it."""
    body, rest = b"", raw
    while rest and len(body) <= limit and (rest is raw or rest.startswith(_GZIP)):
        decoder = zlib.decompressobj(zlib.MAX_WBITS | 16)
        body += decoder.decompress(rest, limit + 1 - len(body))
        if not decoder.eof and len(body) <= limit:
            raise FetchError("The server's gzip body is truncated.")
        rest = decoder.unused_data
    return body


def _inflate(raw: bytes, limit: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(raw, limit + 1)
    except zlib.error:  # many servers send it without the zlib header
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, limit + 1)


def _unbrotli(raw: bytes, limit: int) -> bytes:
    decoder = brotli.Decompressor()
    parts = [decoder.process(raw, output_buffer_limit=limit + 1)]
    while sum(map(len, parts)) <= limit and not decoder.can_accept_more_data():
        parts.append(decoder.process(b"", output_buffer_limit=limit + 1))
    return b"".join(parts)
