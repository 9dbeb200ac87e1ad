"""Static files at addresses that contain a hash of their content, so that browsers keep them.

`{% static %}` returns such an address. The file behind it is written to STATIC_ROOT at its first
request, with compressed variants, and WhiteNoise serves it from there. No command has to collect
files first, and what is served always fits the program that runs.
"""

import gzip
import logging
import os
import re
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from posixpath import dirname, join, normpath, splitext
from typing import Any

import brotli  # type: ignore[import-untyped]
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.core.files.storage import storages
from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

VERSIONS = 5
"""So many versions of a file are kept for pages that were loaded before an upgrade."""
COMPRESSED = (".css", ".js", ".json", ".svg")
MANY_BYTES = 60_000
"""Larger files, all of the admin, are compressed at a lower level, which takes a tenth of the
time."""
_HASHED = re.compile(r"(.+)\.[0-9a-f]{12}(\.\w+)")
_REFERENCES = {
    ".js": re.compile(r"""\b(?:from|import)\s*\(?\s*(["'])(?P<path>\.\.?/[^"'\n]+)\1"""),
    ".css": re.compile(
        r"""(?:\burl\(\s*|@import\s+)(["']?)(?P<path>[\w./-]+\.\w+)(?:[?#][^"')]*)?\1"""
    ),
}
logger = logging.getLogger(__name__)


class HashedFiles(StaticFilesStorage):
    """Returns addresses that contain a hash, except with DEBUG, where files change."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._urls: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._texts: dict[str, bytes] = {}

    def url(self, name: str | None) -> str:
        if name is None or settings.DEBUG:
            return super().url(name)
        if name not in self._urls:
            self._urls[name] = super().url(self.hashed_name(name))
        return self._urls[name]

    def hashed_name(self, name: str) -> str:
        """Return `name` with a hash of its file and of all files that this one refers to.

        A file that does not exist keeps its name.
        """
        if name not in self._names:
            digest = blake2b(digest_size=6)
            for path in sorted(self._with_references(name)):
                digest.update(path.encode() + self._text(path))
            root, extension = splitext(name)
            hashed = f"{root}.{digest.hexdigest()}{extension}"
            self._names[name] = hashed if self._text(name) else name
        return self._names[name]

    def content(self, name: str) -> bytes:
        """Return the content of a file, which refers to other files by their hashed names."""

        def replace(match: re.Match[str]) -> str:
            path = match["path"]
            target = _target(name, path)
            new = join(dirname(path), self.hashed_name(target).rpartition("/")[2])
            return match[0].replace(path, new)

        pattern = _REFERENCES.get(splitext(name)[1])
        text = self._text(name)
        return pattern.sub(replace, text.decode()).encode() if pattern else text

    def _with_references(self, name: str) -> set[str]:
        """Return `name` and the names of all files that it refers to, directly or not."""
        names, waiting = set[str](), [name]
        while waiting:
            if (path := waiting.pop()) not in names:
                names.add(path)
                waiting += self._references(path)
        return names

    def _references(self, name: str) -> list[str]:
        pattern = _REFERENCES.get(splitext(name)[1])
        text = self._text(name).decode() if pattern else ""
        return [_target(name, match["path"]) for match in pattern.finditer(text)] if pattern else []

    def _text(self, name: str) -> bytes:
        if name not in self._texts:
            path = None if name.startswith("..") else finders.find(name)
            self._texts[name] = Path(path).read_bytes() if path else b""
        return self._texts[name]


def _target(name: str, path: str) -> str:
    return normpath(join(dirname(name), path))


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """Serves hashed names as well. An unknown hash gets the present file, which is cached briefly:
    it belongs to a page of another version, perhaps of another machine."""

    FOREVER = 365 * 24 * 3600

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        is_unknown = path.startswith(self.static_prefix) and path not in self.files
        hashed = self._find_hashed(path) if is_unknown and not self.autorefresh else None
        response: HttpResponse = (
            self.serve(hashed, request) if hashed else super().__call__(request)
        )
        return response

    def _find_hashed(self, path: str) -> StaticFile | None:
        match = _HASHED.fullmatch(path.removeprefix(self.static_prefix))
        if match is None or ".." in path:
            return None
        name, plain = match[0], match[1] + match[2]
        file = Path(settings.STATIC_ROOT) / name
        if file.exists() or _publish(plain, name, file):
            self.add_file_to_dictionary(path, str(file))
            return self.files[path]
        return self.files.get(self.static_prefix + plain)

    def immutable_file_test(self, path: str, url: str) -> bool:
        is_ours = Path(path).is_relative_to(settings.STATIC_ROOT)
        return is_ours and bool(_HASHED.fullmatch(url))


def _publish(plain: str, name: str, file: Path) -> bool:
    """Write the file `plain` as `name`, which must be its present hashed name."""
    storage = storages["staticfiles"]
    if not isinstance(storage, HashedFiles) or storage.hashed_name(plain) != name:
        return False
    try:
        _create_folders(file.parent)
        content = storage.content(plain)
        for ending, compress in _variants(plain, content).items():
            _write(file.with_name(file.name + ending), compress(content))
        _write(file, content)
        _delete_old(file)
    except OSError as error:
        logger.warning("Static files are sent uncompressed: %s", error)
        return False
    return True


def _create_folders(folder: Path) -> None:
    """Create a folder that everybody may read, whatever the umask, and those above it."""
    if not folder.exists():
        _create_folders(folder.parent)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)


def _variants(name: str, content: bytes) -> dict[str, Callable[[bytes], bytes]]:
    if not name.endswith(COMPRESSED):
        return {}
    quality = 11 if len(content) < MANY_BYTES else 5
    return {
        ".br": lambda content: brotli.compress(content, quality=quality),
        ".gz": lambda content: gzip.compress(content, mtime=0),
    }


def _write(file: Path, content: bytes) -> None:
    """Write atomically, as other processes may do the same now. Nginx, another user, reads it."""
    new = file.with_name(f"{file.name}.{os.getpid()}.new")
    new.write_bytes(content)
    new.chmod(0o644)
    new.replace(file)


def _delete_old(file: Path) -> None:
    """Delete all versions of `file` but the newest."""
    match = _HASHED.fullmatch(file.name)
    assert match
    pattern = f"{match[1]}.{'[0-9a-f]' * 12}{match[2]}"
    versions = sorted(file.parent.glob(pattern), key=lambda path: path.stat().st_mtime)
    for path in versions[:-VERSIONS]:
        for ending in ("", ".br", ".gz"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
