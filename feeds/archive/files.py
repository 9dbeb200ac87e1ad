"""The files of the archive: compressed JSON Lines with a manifest each.

`2025-03.jsonl.gz` has a line a story and a line an item; `2025-03.json`, written last, says what
must be in it and its SHA-256. A file without its manifest was never finished.
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
    """What is wrong with an archive, and what to do, in a sentence."""


@dataclass(slots=True)
class Manifest:
    """`sources` and `readers` tell the addresses and names of the ids in the file."""

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
    """Write both files; they have their names only when they are whole. The name is the first
    of `names` under which nothing else lies there."""
    half = lines_path(folder, manifest.name).with_suffix(".half")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _packed(half) as file:
            for line in lines:
                manifest.items += "item" in line
                manifest.stories += "story" in line
                manifest.states += len(line.get("states", ()))
                file.write(json.dumps(line, default=_plain, ensure_ascii=False) + "\n")
        manifest.size, manifest.sha256 = half.stat().st_size, _hash(half)
        manifest.name = _name_for(folder, names, manifest.sha256)
        _keep(half, lines_path(folder, manifest.name))
        half.write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
        _keep(half, manifest_path(folder, manifest.name))
    except OSError as error:
        half.unlink(missing_ok=True)
        raise ArchiveError(_in_words(error, folder)) from error
    return manifest


@contextmanager
def _packed(path: Path) -> Iterator[TextIO]:
    """The same lines make the same file, whenever they are written."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", LEVEL, raw, mtime=0) as packed,
        TextIOWrapper(packed, encoding="utf-8") as text,
    ):
        yield text


def _name_for(folder: Path, names: Iterable[str], sha256: str) -> str:
    """What another database archived here, or this one before a back-up was restored, is never
    written over; what a kill left behind is the same and has its name already."""
    for name in names:
        lines = lines_path(folder, name)
        if not manifest_path(folder, name).exists():
            return name
        if lines.exists() and _hash(lines) == sha256:
            return name
    raise ArchiveError(f"{folder} has too many parts of this month. Nothing was removed.")


def _keep(half: Path, path: Path) -> None:
    """Under its name, and on the disk."""
    with half.open("rb") as file:
        os.fsync(file.fileno())
    half.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_manifest(folder: Path, name: str) -> Manifest:
    """Raises ArchiveError when the part is not there, is half or has changed."""
    path, lines = manifest_path(folder, name), lines_path(folder, name)
    if not path.is_file():
        is_half = lines.is_file() or lines.with_suffix(".half").is_file()
        said = "was never finished: it has no manifest" if is_half else f"is not in {folder}"
        raise ArchiveError(f"The archive {name} {said}.")
    try:
        manifest = Manifest(**json.loads(path.read_text(encoding="utf-8")))
        if manifest.format != FORMAT:
            raise ArchiveError(f"{path} has format {manifest.format}; this program reads {FORMAT}.")
        is_whole = lines.stat().st_size == manifest.size and _hash(lines) == manifest.sha256
    except (OSError, ValueError, TypeError) as error:
        raise ArchiveError(f"{path} or its file cannot be read ({error}).") from error
    if not is_whole:
        raise ArchiveError(
            f"{lines} is not what was written: its size or SHA-256 differs from the manifest."
            " Fetch a copy from a back-up."
        )
    return manifest


def read_lines(folder: Path, name: str) -> Iterator[Line]:
    """Of a part that `read_manifest` found to be whole."""
    with gzip.open(lines_path(folder, name), "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no way to write {type(value).__name__}")


def _in_words(error: OSError, folder: Path) -> str:
    if error.errno == errno.ENOSPC:
        return f"The disk of {folder} is full. Nothing was removed; make room and run it again."
    return f"{folder} cannot be written to ({error.strerror}). Nothing was removed."
