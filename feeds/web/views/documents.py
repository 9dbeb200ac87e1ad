"""Limits of the documents that a reader lets the server parse: previews and OPML files."""

from collections.abc import Iterator
from contextlib import contextmanager

from accounts.buckets import Buckets
from accounts.costly import TooManyAtOnce
from accounts.limits import TooMany
from accounts.models import User
from ainews_site.infra.machine_lock import machine_lock
from ainews_site.infra.process_state import resets_process_state

previews = Buckets(burst=5, per_second=0.2, what="previews and imports")
"""Of one reader, in one process. Each starts a process that reads the document."""
resets_process_state(previews.clear)


@contextmanager
def one_at_a_time(user: User) -> Iterator[None]:
    """Let each reader parse one document at a time, because parsing takes CPU and memory.

    Raises TooManyAtOnce while another request of the same reader is parsing, and when a reader
    goes on for long.
    """
    with machine_lock(f"documents-{user.pk}") as is_mine:
        if not is_mine:
            raise TooManyAtOnce(
                "Your previous request is still running. Try again when it is done."
            )
        try:
            previews.take(user.pk)
        except TooMany as error:
            raise TooManyAtOnce(str(error), error.wait) from None
        yield
