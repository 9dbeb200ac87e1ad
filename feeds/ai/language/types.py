"""Values that the steps of a call exchange. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

Message = Mapping[str, str]
"""`{"role": "system" | "user" | "assistant", "content": ...}`"""
Schema = Mapping[str, Any]
"""A JSON schema of an object (draft 2020-12)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server. Timeouts are in seconds."""

    base_url: str
    key: str = field(repr=False)
    connect_timeout: float
    timeout: float

    @property
    def display_url(self) -> str:
        """The URL without user name and password."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")


@dataclass(frozen=True, slots=True)
class Usage:
    tokens_in: int
    tokens_out: int
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """The text of a model. `usage` is None if the server does not report it. `is_truncated` is
    whether the token limit cut the text off."""

    text: str
    usage: Usage | None
    is_truncated: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """The result of `complete`. `data` fits the schema."""

    data: dict[str, Any]
    model: str
    is_cached: bool
