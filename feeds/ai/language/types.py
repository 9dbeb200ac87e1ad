"""What passes between the steps of a call. Pure."""

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
    """Where models answer. Times in seconds."""

    base_url: str
    key: str = field(repr=False)
    connect_timeout: float
    timeout: float

    @property
    def place(self) -> str:
        """The address without a password."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")


@dataclass(frozen=True, slots=True)
class Usage:
    tokens_in: int
    tokens_out: int
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model wrote. `usage` is None where the server does not say."""

    text: str
    usage: Usage | None
    was_cut: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """`data` fits the schema that was asked for."""

    data: dict[str, Any]
    model: str
    is_cached: bool
