"""The files of the archive: compressed JSON Lines with a manifest each.

`2025-03.jsonl.gz` holds a line per story and a line per item. `2025-03.json`, its manifest, is
written last and holds the counts and the SHA-256 of the other file. A file without a manifest is
incomplete.
"""

import errno
import gzip
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import file_digest
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

FORMAT = 1
LEVEL = 6
Line = dict[str, Any]
"""{"story": {column: value}} or {"item": …, "body": …, "key": …, "states": […]}."""


class ArchiveError(Exception):
    """An archive cannot be written or read. The message says why and what to do."""


@dataclass(slots=True)
class Manifest:
    """The manifest of a part.

    `sources` maps the source ids in the file to addresses, `readers` maps its user ids to user
    names, because another database may have other ids.
    """

    name: str
    low: int
    high: int
    made_at: str
    items: int = 0
    stories: int = 0
    states: int = 0
    size: int = 0
    sha256: str = ""
    sources: dict[str, str] = field(default_factory=dict)
    readers: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT


def lines_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.jsonl.gz"


def manifest_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"


def write_part(
    folder: Path, manifest: Manifest, lines: Iterable[Line], names: Iterable[str]
) -> Manifest:
    """Write a part and its manifest, and return the manifest with name, counts and hash.

    The part gets the first of `names` that no other part in `folder` has. Each file is renamed to
    its final name once it is complete and on the disk. Raises ArchiveError.
    """
    half = lines_path(folder, manifest.name).with_suffix(".half")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _compressed(half) as file:
            for line in lines:
                manifest.items += "item" in line
                manifest.stories += "story" in line
                manifest.states += len(line.get("states", ()))
                file.write(json.dumps(line, default=_to_json, ensure_ascii=False) + "\n")
        manifest.size, manifest.sha256 = half.stat().st_size, _hash(half)
        manifest.name = _name_for(folder, names, manifest.sha256)
        _publish(half, lines_path(folder, manifest.name))
        half.write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
        _publish(half, manifest_path(folder, manifest.name))
    except OSError as error:
        half.unlink(missing_ok=True)
        raise ArchiveError(_explain(error, folder)) from error
    return manifest


@contextmanager
def _compressed(path: Path) -> Iterator[TextIO]:
    """Open a compressed file. Equal lines make equal files: the header contains no time."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", LEVEL, raw, mtime=0) as packed,
        TextIOWrapper(packed, encoding="utf-8") as text,
    ):
        yield text


def _name_for(folder: Path, names: Iterable[str], sha256: str) -> str:
    """Return the first of `names` that is free or has the same content already.

    A part of another database, or of this one before a backup was restored, is never overwritten.
    A part that a killed process left behind has the same hash and is reused.
    """
    for name in names:
        lines = lines_path(folder, name)
        if not manifest_path(folder, name).exists():
            return name
        if lines.exists() and _hash(lines) == sha256:
            return name
    raise ArchiveError(f"{folder} has too many files for this month. Nothing was removed.")


def _publish(half: Path, path: Path) -> None:
    """Flush `half` to the disk and rename it to `path`."""
    with half.open("rb") as file:
        os.fsync(file.fileno())
    half.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_manifest(folder: Path, name: str) -> Manifest:
    """Read and verify the manifest of a part. Raises ArchiveError if the part is missing,
    incomplete or damaged."""
    path, lines = manifest_path(folder, name), lines_path(folder, name)
    if not path.is_file():
        is_half = lines.is_file() or lines.with_suffix(".half").is_file()
        problem = "is incomplete: it has no manifest" if is_half else f"is not in {folder}"
        raise ArchiveError(f"The archive {name} {problem}.")
    try:
        manifest = Manifest(**json.loads(path.read_text(encoding="utf-8")))
        if manifest.format != FORMAT:
            raise ArchiveError(f"{path} has format {manifest.format}; this version reads {FORMAT}.")
        is_whole = lines.stat().st_size == manifest.size and _hash(lines) == manifest.sha256
    except (OSError, ValueError, TypeError) as error:
        raise ArchiveError(f"{path} or its file cannot be read ({error}).") from error
    if not is_whole:
        raise ArchiveError(
            f"{lines} is corrupt: its size or SHA-256 differs from the manifest."
            " Use a copy from a backup."
        )
    return manifest


def read_lines(folder: Path, name: str) -> Iterator[Line]:
    """Yield the lines of a part, which `read_manifest` must have verified before."""
    with gzip.open(lines_path(folder, name), "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _to_json(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no way to write {type(value).__name__}")


def _explain(error: OSError, folder: Path) -> str:
    if error.errno == errno.ENOSPC:
        return (
            f"The disk of {folder} is full. Nothing was removed; free some space and run it again."
        )
    return f"{folder} is not writable ({error.strerror}). Nothing was removed."
