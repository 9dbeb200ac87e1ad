"""Decompresses response bodies up to a limit, as a defence against decompression bombs. Pure."""

import zlib
from collections.abc import Callable
from typing import Any

import brotli  # type: ignore[import-untyped]
import zstandard

from feeds.core.errors import FetchError

MAX_WINDOW = 8 * 1024 * 1024
"""The window size in bytes that RFC 9659 allows for zstd over HTTP."""
MAX_LAYERS = 3
"""Maximum number of codings of one body. Each may cost as much as a document of maximum size."""
MAX_FRAMES = 10_000
"""Maximum number of frames of one body. bgzip writes one for each 64 KiB."""
_GZIP = b"\x1f\x8b"


def decode(raw: bytes, encoding: str, limit: int, *, is_whole: bool = True) -> bytes:
    """Return the decompressed body.

    `encoding` is the value of Content-Encoding. Raises FetchError if the body has more than `limit`
    bytes, is corrupt or, unless `is_whole` is false, truncated.
    """
    names = [part.strip().lower() for part in encoding.split(",") if part.strip()]
    if len(names) > MAX_LAYERS:
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
    """Return at most `limit` + 1 bytes, and whether the compressed data is complete."""
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
    """Decompress all members of the file. Data after the last one is ignored."""
    return _read_frames(raw, limit, lambda: zlib.decompressobj(zlib.MAX_WBITS | 16), 4096, _GZIP)


def _unzstd(raw: bytes, limit: int) -> tuple[bytes, bool]:
    context = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    return _read_frames(raw, limit, context.decompressobj, 64, b"")


def _read_frames(
    raw: bytes, limit: int, open_frame: Callable[[], Any], piece: int, magic: bytes
) -> tuple[bytes, bool]:
    """Decompress all frames, each of which begins with `magic`.

    The decoder gets `piece` bytes at a time. This limits how much it returns at once (4 MiB for
    gzip, 2 MiB for zstd), and how much it copies at the end of a frame.
    """
    body, at, decoder = bytearray(), 0, open_frame()
    for _ in range(MAX_FRAMES):
        while at < len(raw) and not decoder.eof and len(body) <= limit:
            end = min(at + piece, len(raw))
            body += decoder.decompress(raw[at:end])
            at = end - len(decoder.unused_data)
        rest = raw[at : at + len(magic)]
        if not decoder.eof or at == len(raw) or rest != magic:
            return bytes(body), decoder.eof and (not rest or not magic.startswith(rest))
        decoder = open_frame()
    raise FetchError(f"The document is compressed in more than {MAX_FRAMES:,} parts.")


def _inflate(raw: bytes, limit: int) -> tuple[bytes, bool]:
    decoder = zlib.decompressobj()
    try:
        body = decoder.decompress(raw, limit + 1)
    except zlib.error:  # many servers send raw deflate without the zlib header
        decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        body = decoder.decompress(raw, limit + 1)
    return body, decoder.eof


def _unbrotli(raw: bytes, limit: int) -> tuple[bytes, bool]:
    decoder = brotli.Decompressor()
    parts = [decoder.process(raw, output_buffer_limit=limit + 1)]
    while sum(map(len, parts)) <= limit and not decoder.can_accept_more_data():
        parts.append(decoder.process(b"", output_buffer_limit=limit + 1))
    return b"".join(parts), bool(decoder.is_finished())
