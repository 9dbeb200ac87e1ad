"""Which addresses are of discussion sites."""

import pytest

from feeds.core.discussions import is_discussion


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://news.ycombinator.com/rss", True),
        ("https://hnrss.org/newest?q=agents", True),
        ("https://www.reddit.com/r/MachineLearning/.rss", True),
        ("https://OLD.reddit.com./r/x", False),
        ("https://lobste.rs/rss", True),
        ("https://notreddit.com/feed", False),
        ("https://blog.example/reddit.com/feed", False),
        ("https://[broken", False),
        ("", False),
    ],
)
def test_hosts_decide(url: str, expected: bool) -> None:
    assert is_discussion(url) is expected
