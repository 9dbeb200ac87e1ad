"""Reads secrets from files, so that they are in no environment and in no `.env`.

`NAME_FILE=/path` names the file of the setting NAME, as container platforms do. systemd places a
file per `LoadCredential` into the folder of `$CREDENTIALS_DIRECTORY`.
"""

from collections.abc import MutableMapping
from pathlib import Path

NAMES = (
    "SECRET_KEY",
    "DATABASE_URL",
    "DATABASE_REPLICA_URLS",
    "REDIS_URL",
    "QUEUE_URL",
    "EMAIL_URL",
    "OPENAI_API_KEY",
)
"""The settings that may hold a secret."""
CREDENTIALS = "CREDENTIALS_DIRECTORY"


class SecretFileError(ValueError):
    """A sentence that names the file which cannot be read."""


def read_secret_files(environment: MutableMapping[str, str]) -> None:
    """Add the secrets that files hold to `environment`. What it has already takes precedence."""
    for name in NAMES:
        if not environment.get(name) and (secret := _secret(name, environment)):
            environment[name] = secret


def _secret(name: str, environment: MutableMapping[str, str]) -> str:
    if given := environment.get(f"{name}_FILE"):
        return _content(f"{name}_FILE", Path(given))
    if folder := environment.get(CREDENTIALS):
        file = Path(folder, name.lower())
        return _content(CREDENTIALS, file) if file.exists() else ""
    return ""


def _content(variable: str, file: Path) -> str:
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SecretFileError(f"{variable}: {file} cannot be read: {reason}.") from None
    if not secret:
        raise SecretFileError(f"{variable}: {file} is empty.")
    return secret
