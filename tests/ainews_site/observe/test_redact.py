"""What is removed from text that leaves the process, and what stays."""

import time
from collections.abc import Iterator

import pytest
from django.conf import LazySettings

from ainews_site.config.logs import secrets_of
from ainews_site.observe import redact
from ainews_site.observe.redact import HIDDEN, redact_all

CASES = {
    "https://feeds.example/private/T0KEN/feed.xml?key=abc failed": "https://feeds.example/… failed",
    "postgres://ainews:pa55word@db.example:5432/news": "postgres://db.example:5432/…",
    "https://u:pw@[::1]:8000/a": "https://[::1]:8000/…",
    "The model at http://127.0.0.1:11434/v1, or (http://127.0.0.1/).": (
        "The model at http://127.0.0.1:11434/…, or (http://127.0.0.1/)."
    ),
    "sqlite:////var/lib/ainews.sqlite3": "sqlite:////var/lib/ainews.sqlite3",
    "Authorization: Bearer abc.def-ghi": f"Authorization: {HIDDEN}",
    "{'Authorization': 'Token abcdef', 'Host': 'a'}": (
        f"{{'Authorization': '{HIDDEN}', 'Host': 'a'}}"
    ),
    "Cookie: sessionid=abc; csrftoken=def\nHost: a": f"Cookie: {HIDDEN}\nHost: a",
    "password=hunter22 user=ann": f"password={HIDDEN} user=ann",
    '{"api_key": "k-123456", "n": 1}': f'{{"api_key": "{HIDDEN}", "n": 1}}',
    "OPENAI_API_KEY=abc123 is refused": f"OPENAI_API_KEY={HIDDEN} is refused",
    "Not Found: /signin/s3cr3t/": f"Not Found: /signin/{HIDDEN}/",
    "Not Found: /digest/feed/s3cr3t.atom": f"Not Found: /digest/feed/{HIDDEN}",
    "Not Found: /digest/unsubscribe/a:b-c/": f"Not Found: /digest/unsubscribe/{HIDDEN}/",
    "token ain_0123456789abc is unknown": f"token {HIDDEN} is unknown",
    "550 5.1.1 <ann@example.org>: unknown": "550 5.1.1 <[e-mail]>: unknown",
    "DETAIL:  Key (token_hash)=(abc) already exists.": f"DETAIL:  Key (token_hash)={HIDDEN}",
    "language_called tokens_in=3 tokens_out=4": "language_called tokens_in=3 tokens_out=4",
    "source_moved source_id=3 survivor_id=4": "source_moved source_id=3 survivor_id=4",
    "Not Found: /stories/12/": "Not Found: /stories/12/",
}


@pytest.fixture
def _protected() -> Iterator[None]:
    before = redact._known
    redact.protect(["S3cret/with+signs", "tiny"])
    yield
    redact._known = before


@pytest.mark.parametrize(("text", "expected"), CASES.items())
def test_secrets_and_addresses_are_removed(text: str, expected: str) -> None:
    assert redact.redact(text) == expected


@pytest.mark.usefixtures("_protected")
def test_secrets_of_the_settings_are_hidden_wherever_they_are() -> None:
    text = redact.redact("a S3cret/with+signs b S3cret%2Fwith%2Bsigns c")

    assert text == f"a {HIDDEN} b {HIDDEN} c"


@pytest.mark.usefixtures("_protected")
def test_the_password_of_the_queue_is_a_secret(settings: LazySettings) -> None:
    environment = {"QUEUE_URL": "amqp://ainews:p%40ssword-of-the-queue@rabbit:5672/"}

    assert "p@ssword-of-the-queue" in secrets_of(settings, environment)


def test_a_short_secret_does_not_hide_ordinary_words() -> None:
    assert redact.redact("a tiny page") == "a tiny page"


def test_values_below_a_secret_name_are_replaced_whatever_they_are() -> None:
    data = {"cookies": {"a": "b"}, "n": 1, "list": ["https://a.example/x"], "csrftoken": "x"}

    assert redact_all(data) == {
        "cookies": HIDDEN,
        "n": 1,
        "list": ["https://a.example/…"],
        "csrftoken": HIDDEN,
    }


@pytest.mark.parametrize(
    "unit", ["a-", "a.", "token", "a@", "Key (", "Key (a)=(b", "x://", "cookie", "password ", "="]
)
def test_a_long_text_takes_no_long_time(unit: str) -> None:
    before = time.process_time()

    redact.redact(unit * 50_000)

    assert time.process_time() - before < 2.0
