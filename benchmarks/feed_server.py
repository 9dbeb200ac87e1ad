"""Serve generated RSS and Atom feeds with ETags over loopback, from one fast process.

python benchmarks/feed_server.py FEEDS ENTRIES [FIRST [HOSTS]]   prints its port

With FIRST, entries are numbered from there and were published within the last hour. With HOSTS, it
listens on that many addresses from 127.0.0.1 on, as feeds of one host are fetched one by one.
"""

import asyncio
import random
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from itertools import accumulate

WORDS = 20_000
HTML_LENGTH = 1_600


def vocabulary(chance: random.Random) -> list[str]:
    syllables = ["ba", "co", "di", "fe", "gu", "la", "mi", "no", "ra", "se", "ti", "vu", "xe", "zo"]
    return ["".join(chance.choices(syllables, k=chance.randint(1, 5))) for _ in range(WORDS)]


class Writer:
    """Generates text with the word frequencies of a language (Zipf's law)."""

    def __init__(self, seed: int = 1) -> None:
        self.chance = random.Random(seed)
        self.words = vocabulary(self.chance)
        self.weights = list(accumulate(1 / rank for rank in range(1, WORDS + 1)))

    def text(self, words: int) -> str:
        return " ".join(self.chance.choices(self.words, cum_weights=self.weights, k=words))

    def html(self) -> str:
        parts: list[str] = []
        while sum(map(len, parts)) < HTML_LENGTH:
            parts.append(f'<p>{self.text(30)} <a href="/x">{self.text(3)}</a> <b>now</b></p>')
        return "".join(parts)[:HTML_LENGTH]


def published(number: int, entry: int) -> datetime:
    """In June 2026."""
    return datetime(2026, 6, 1 + entry % 28, entry % 24, number % 60, tzinfo=UTC)


def just_published(number: int, entry: int) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=(number + entry) % 60)


def rss(number: int, entries: range, writer: Writer, date: Callable[[int, int], datetime]) -> bytes:
    items = "".join(
        f"<item><title>{writer.text(9)}</title><link>http://s{number}.example/{n}</link>"
        f'<guid isPermaLink="false">s{number}-{n}</guid>'
        f"<pubDate>{format_datetime(date(number, n), usegmt=True)}</pubDate>"
        f"<description>{escape(writer.html())}</description></item>"
        for n in entries
    )
    head = f"<title>Source {number}</title><link>http://s{number}.example/</link>"
    return f'<rss version="2.0"><channel>{head}{items}</channel></rss>'.encode()


def atom(
    number: int, entries: range, writer: Writer, date: Callable[[int, int], datetime]
) -> bytes:
    items = "".join(
        f"<entry><title>{writer.text(9)}</title><id>urn:s{number}-{n}</id>"
        f'<link href="http://s{number}.example/{n}"/>'
        f"<updated>{date(number, n):%Y-%m-%dT%H:%M:%SZ}</updated>"
        f'<content type="html">{escape(writer.html())}</content></entry>'
        for n in entries
    )
    head = f"<title>Source {number}</title><id>urn:s{number}</id>"
    xml = '<?xml version="1.0" encoding="utf-8"?>'
    return f'{xml}<feed xmlns="http://www.w3.org/2005/Atom">{head}{items}</feed>'.encode()


async def serve(bodies: list[bytes], hosts: int) -> None:
    async def answer(reader: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                number = int(head.split(b" ", 2)[1].strip(b"/").split(b".")[0])
                etag = b'"%d"' % number
                if etag in head:
                    out.write(b"HTTP/1.1 304 Not Modified\r\nETag: " + etag + b"\r\n\r\n")
                else:
                    body = bodies[number]
                    out.write(
                        b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nETag: %b\r\n"
                        b"Content-Length: %d\r\n\r\n" % (etag, len(body)) + body
                    )
                await out.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            out.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512)
    port = server.sockets[0].getsockname()[1]
    others = [f"127.0.0.{number}" for number in range(2, hosts + 1)]
    if others:
        await asyncio.start_server(answer, others, port, backlog=512)
    print(port, flush=True)
    await server.serve_forever()


def main() -> None:
    feeds, count, *more = map(int, sys.argv[1:])
    first, hosts = more[:1], more[1] if len(more) > 1 else 1
    entries = range(first[0], first[0] + count) if first else range(count)
    writer = Writer(*first)
    date = just_published if first else published
    bodies = [(atom if n % 2 else rss)(n, entries, writer, date) for n in range(feeds)]
    asyncio.run(serve(bodies, hosts))


if __name__ == "__main__":
    main()
