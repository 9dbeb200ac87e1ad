"""Eight clients with one session that send costly requests as fast as they are answered.

    python -m benchmarks.costly_attack PORT FEED_PORT SESSION CSRF_TOKEN SECONDS

Prints `ready`, and in the end how many answers had each status, as JSON. Everything stays on this
machine.
"""

import http.client
import json
import random
import sys
import threading
import time
from collections import Counter
from urllib.parse import quote, urlencode

from benchmarks.library import FUNCTION_WORDS, Words

CLIENTS = 8
PATIENCE = 120
KNOWN = 3_000
"""Words that a search takes time for, as they are frequent."""


def main() -> None:
    port, feeds, session, token, seconds = sys.argv[1:]
    words = Words().words[len(FUNCTION_WORDS.split()) : KNOWN]
    headers = {"Cookie": f"sessionid={session}; csrftoken={token}", "X-CSRFToken": token}
    print("ready", flush=True)
    until, answers = time.monotonic() + float(seconds), Counter[str]()
    clients = [
        threading.Thread(
            target=attack, args=(int(port), feeds, headers, words, number, until, answers)
        )
        for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    print(json.dumps(answers))


def attack(
    port: int,
    feeds: str,
    headers: dict[str, str],
    words: list[str],
    number: int,
    until: float,
    answers: Counter[str],
) -> None:
    chance = random.Random(number)
    while time.monotonic() < until:
        method, path, body = _request(chance, words, feeds)
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers | kind | {"Connection": "close"})
            answer = connection.getresponse()
            answer.read()
            answers[f"{path.partition(chr(63))[0]} {answer.status}"] += 1
        except OSError:
            answers["none"] += 1
        finally:
            connection.close()


def _request(chance: random.Random, words: list[str], feeds: str) -> tuple[str, str, str | None]:
    """Method, path and body; no two searches are alike, so that none is cached."""
    text = quote(" ".join(chance.sample(words, 4)))
    preview = urlencode({"url": f"http://127.0.0.1:{feeds}/0.xml"})
    return chance.choice(
        [
            ("GET", f"/search/?q={text}", None),
            ("GET", f"/api/v1/search/?q={text}", None),
            ("GET", f"/ask/?q={text}", None),
            ("GET", f"/api/v1/ask/?q={text}", None),
            ("GET", "/", None),
            ("GET", "/api/v1/stories/ranked/?limit=100", None),
            ("POST", "/sources/add/", preview),
        ]
    )


if __name__ == "__main__":
    main()
