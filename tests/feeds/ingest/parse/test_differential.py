"""The fast parser and feedparser agree on documents of real feeds."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from feeds.ingest.parse.feed import parse_feed
from feeds.ingest.parse.tolerant import read_tolerantly

RECORDING = Path(__file__).resolve().parents[5] / "shared" / "replay" / "ai-labs.tar.xz"
PER_FEED = 3
LARGEST = 150_000


def sample_documents() -> Iterator[tuple[str, bytes]]:
    """Return the first documents of each feed, by one pass over the archive."""
    taken: dict[str, int] = {}
    with tarfile.open(RECORDING) as archive:
        for member in archive:
            feed = Path(member.name).parent.name
            if member.isfile() and member.size < LARGEST and taken.get(feed, 0) < PER_FEED:
                taken[feed] = taken.get(feed, 0) + 1
                extracted = archive.extractfile(member)
                assert extracted
                yield member.name, extracted.read()


@pytest.mark.skipif(not RECORDING.exists(), reason="the recording of real feeds is not here")
def test_both_parsers_agree_on_real_documents() -> None:
    count = 0
    for name, body in sample_documents():
        fast, tolerant = parse_feed(body), read_tolerantly(body)

        assert tolerant, name
        assert fast.complaint == "", name
        assert (fast.title, fast.site_url) == (tolerant.title, tolerant.site_url), name
        seen = [(e.guid, e.link, e.title, e.published) for e in fast.entries]
        assert seen == [(e.guid, e.link, e.title, e.published) for e in tolerant.entries], name
        count += 1
    assert count > 80
