"""Prepares the folder DATA. Its problems are sentences that name the remedy."""

import errno
import getpass
import os
import secrets
from contextlib import suppress
from pathlib import Path
from stat import S_IMODE

MIN_START_BYTES = 20 * 2**20
"""With less free space, SQLite or a cache would fail soon after the start."""


def create_folder(folder: Path) -> None:
    """Create DATA and its parents. Raises SystemExit if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(write_problem(folder, error)) from None


def create_static_folder(folder: Path) -> Path:
    """Create the folder of the static files, because WhiteNoise warns without it.

    Nginx, another user, reads it, whatever the umask of the service that creates it.
    """
    create_folder(folder)
    with suppress(OSError):  # it belongs to somebody else, who decides who reads it
        if (mode := folder.stat().st_mode) & 0o005 != 0o005:
            folder.chmod(S_IMODE(mode) | 0o055)
    return folder


def secret_key_in(folder: Path) -> str:
    """Return the key that is stored in `folder`, and store a new one at the first start."""
    file = folder / "secret_key"
    try:
        if not file.exists() or not file.read_text().strip():
            # Write it atomically, so that a process that is killed here leaves no empty key.
            new_file = folder / f"secret_key.{os.getpid()}"
            new_file.touch(mode=0o600)
            new_file.write_text(secrets.token_urlsafe(50))
            new_file.replace(file)
        return file.read_text().strip()
    except OSError as error:
        raise SystemExit(write_problem(folder, error)) from None


def folder_problem(folder: Path) -> str:
    """Return why nothing can be written to `folder`, or ""."""
    probe = folder / f"probe.{os.getpid()}"
    try:
        probe.touch()
        probe.unlink()
        state = os.statvfs(folder)
    except OSError as error:
        return write_problem(folder, error)
    free = state.f_bavail * state.f_frsize
    return "" if free >= MIN_START_BYTES else write_problem(folder, OSError(errno.ENOSPC, ""))


def write_problem(folder: Path, error: OSError) -> str:
    """Return a sentence on why `folder` cannot be written to, and what to do."""
    if error.errno == errno.EROFS:
        return (
            f"DATA={folder} is on a read-only file system. Set DATA to a folder that can be"
            " written to, or mount it writable."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"DATA={folder} cannot be written to by the user {_user()}. Give the folder to this"
            " user, or set DATA to another one."
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk of DATA={folder} is full. Free some space, then start again."
    return f"DATA={folder} cannot be created or written to: {error.strerror}."


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        return str(os.getuid())
