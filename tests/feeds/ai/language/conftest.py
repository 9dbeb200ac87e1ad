"""The server that misbehaves, for all tests of this folder."""

from tests.model_server import llm

__all__ = ["llm"]
