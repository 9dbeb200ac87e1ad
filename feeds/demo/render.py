"""Renders the documents of the sample newsroom: feeds, pages, icons and OPML."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from html import escape
from itertools import groupby
from zlib import crc32

from feeds.demo.edition import Article, Version
from feeds.demo.outlets import OUTLETS, SAMPLE_NOTICE, Outlet
from feeds.demo.picture import HEIGHT, SUFFIX, WIDTH, has_picture

GUID_PREFIX = "tag:sample-newsroom.invalid,2026:"
CONTENT_TYPES = {
    "rss": "application/rss+xml; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
    "json": "application/feed+json; charset=utf-8",
}
ICON_PATH = "/icon.svg"
STYLE = (
    ":root{color-scheme:light dark}body{max-width:38rem;margin:2rem auto;padding:0 1rem;"
    "font:1.05rem/1.6 Georgia,serif}header{border-bottom:3px solid;padding-bottom:.5rem;"
    "font-size:1.3rem}img{width:100%;height:auto;border-radius:8px}header a{color:inherit;text-decoration:none}h1{line-height:1.2}"
    "small,footer{opacity:.7}footer{margin-top:3rem}li{margin:.4rem 0}"
)


@dataclass(frozen=True, slots=True)
class Shown:
    """An article with the version that a visitor sees at a given moment."""

    article: Article
    version: Version

    @property
    def guid(self) -> str:
        """The GUID. It is equal after each restart and on each port, so no item is stored twice."""
        return f"{GUID_PREFIX}/{self.article.outlet}{self.article.path}"

    def html(self, outlet: Outlet, base: str) -> str:
        """Return the text, after the picture if the article has one."""
        text = "".join(f"<p>{escape(text)}</p>" for text in self.version.paragraphs)
        if not has_picture(outlet, self.article):
            return text
        source = f"{base}{self.article.path}{SUFFIX}"
        return f'<p><img src="{source}" alt="" width="{WIDTH}" height="{HEIGHT}"></p>{text}'


def render_feed(outlet: Outlet, base: str, shown: Sequence[Shown], changed: datetime) -> str:
    """Return the outlet's feed with the articles in this order. Equal input gives equal output."""
    if outlet.format == "json":
        return _json_feed(outlet, base, shown)
    if outlet.format == "atom":
        return _atom(outlet, base, shown, changed)
    return _rss(outlet, base, shown, changed)


def _title(outlet: Outlet) -> str:
    return f"{outlet.name} (sample)"


def _about(outlet: Outlet) -> str:
    return f"{SAMPLE_NOTICE}. {outlet.voice}"


def _rss(outlet: Outlet, base: str, shown: Sequence[Shown], changed: datetime) -> str:
    items = "".join(_rss_item(outlet, base, entry) for entry in shown)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>\n'
        f"<title>{escape(_title(outlet))}</title><link>{base}{outlet.site_path}</link>\n"
        f"<description>{escape(_about(outlet))}</description>"
        f"<language>{outlet.language}</language>\n"
        f"<lastBuildDate>{format_datetime(changed)}</lastBuildDate>\n"
        f"{items}</channel></rss>\n"
    )


def _rss_item(outlet: Outlet, base: str, entry: Shown) -> str:
    categories = "".join(f"<category>{topic}</category>" for topic in outlet.topics)
    return (
        f"<item><title>{escape(entry.version.title)}</title>"
        f"<link>{base}{entry.article.path}</link>"
        f'<guid isPermaLink="false">{entry.guid}</guid>'
        f"<pubDate>{format_datetime(entry.article.published)}</pubDate>"
        f"<dc:creator>{escape(outlet.name)}</dc:creator>{categories}"
        f"<description>{escape(entry.html(outlet, base))}</description></item>\n"
    )


def _atom(outlet: Outlet, base: str, shown: Sequence[Shown], changed: datetime) -> str:
    entries = "".join(_atom_entry(outlet, base, entry) for entry in shown)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{outlet.language}">\n'
        f"<id>{GUID_PREFIX}{outlet.slug}</id><title>{escape(_title(outlet))}</title>\n"
        f"<subtitle>{escape(_about(outlet))}</subtitle><updated>{changed.isoformat()}</updated>\n"
        f'<link href="{base}{outlet.site_path}"/>'
        f'<link rel="self" href="{base}{outlet.feed_path}"/>\n'
        f"{entries}</feed>\n"
    )


def _atom_entry(outlet: Outlet, base: str, entry: Shown) -> str:
    categories = "".join(f'<category term="{topic}"/>' for topic in outlet.topics)
    return (
        f"<entry><id>{entry.guid}</id><title>{escape(entry.version.title)}</title>"
        f'<link href="{base}{entry.article.path}"/>'
        f"<published>{entry.article.published.isoformat()}</published>"
        f"<updated>{entry.version.since.isoformat()}</updated>"
        f"<author><name>{escape(outlet.name)}</name></author>{categories}"
        f'<content type="html">{escape(entry.html(outlet, base))}</content></entry>\n'
    )


def _json_feed(outlet: Outlet, base: str, shown: Sequence[Shown]) -> str:
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": _title(outlet),
        "description": _about(outlet),
        "home_page_url": base + outlet.site_path,
        "feed_url": base + outlet.feed_path,
        "language": outlet.language,
        "items": [_json_item(outlet, base, entry) for entry in shown],
    }
    return json.dumps(feed, ensure_ascii=False, indent=1)


def _json_item(outlet: Outlet, base: str, entry: Shown) -> dict[str, object]:
    return {
        "id": entry.guid,
        "url": base + entry.article.path,
        "title": entry.version.title,
        "content_html": entry.html(outlet, base),
        "date_published": entry.article.published.isoformat(),
        "date_modified": entry.version.since.isoformat(),
        "authors": [{"name": outlet.name}],
        "tags": list(outlet.topics),
    }


def render_home(outlet: Outlet, shown: Sequence[Shown]) -> str:
    """Return the outlet's front page, which links to its feed for autodiscovery."""
    rows = "".join(
        f'<li><a href="{entry.article.path}">{escape(entry.version.title)}</a> '
        f"<small>{entry.article.published:%d %B, %H:%M}</small></li>"
        for entry in shown
    )
    kind = CONTENT_TYPES[outlet.format].partition(";")[0]
    link = (
        f'<link rel="alternate" type="{kind}" title="{escape(outlet.name)}" '
        f'href="{outlet.feed_path}">'
    )
    return _page(outlet, outlet.name, f"<p>{escape(outlet.voice)}</p><ul>{rows}</ul>", link)


def render_article(outlet: Outlet, entry: Shown) -> str:
    """Return the page of an article, with its full text."""
    published = f"{entry.article.published:%d %B %Y, %H:%M} UTC"
    changed = entry.version.since != entry.article.published
    note = f" · corrected {entry.version.since:%d %B %Y, %H:%M} UTC" if changed else ""
    title = escape(entry.version.title)
    body = (
        f"<article><h1>{title}</h1><p><small><time>{published}</time>{note}</small></p>"
        f'{entry.html(outlet, "")}</article><p><a href="{outlet.site_path}">'
        f"More from {escape(outlet.name)}</a></p>"
    )
    return _page(outlet, entry.version.title, body)


def render_icon(outlet: Outlet) -> str:
    """Return an SVG of the outlet's initial on the outlet's colour."""
    initial = outlet.name.removeprefix("The ")[0]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
        f'<rect width="32" height="32" rx="7" fill="hsl({_hue(outlet)} 45% 38%)"/>'
        '<text x="16" y="23" font-family="serif" font-size="20" text-anchor="middle" '
        f'fill="#fff">{initial}</text></svg>'
    )


def _hue(outlet: Outlet) -> int:
    return crc32(outlet.slug.encode()) % 360


def render_front_page(port: int) -> str:
    """Return the page of the newsroom, which lists its outlets."""
    rows = "".join(
        f'<li><a href="{outlet.site(port)}/">{escape(outlet.name)}</a>: {escape(outlet.voice)}</li>'
        for outlet in OUTLETS
    )
    body = (
        f'<h1>{SAMPLE_NOTICE}</h1><ul>{rows}</ul><p><a href="/opml.xml">All feeds as OPML</a></p>'
    )
    return _document("en", SAMPLE_NOTICE, "", f"<main>{body}</main>")


def _page(outlet: Outlet, title: str, body: str, head: str = "") -> str:
    link = f'<link rel="icon" href="{ICON_PATH}" type="image/svg+xml">{head}'
    colour = f'style="border-color:hsl({_hue(outlet)} 45% 45%)"'
    text = (
        f'<header {colour}><a href="{outlet.site_path}"><b>{escape(outlet.name)}</b></a></header>'
        f"<main>{body}</main><footer><small>{SAMPLE_NOTICE}. No company, person or product here "
        "is real.</small></footer>"
    )
    return _document(outlet.language, title, link, text)


def _document(language: str, title: str, head: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title>{head}<style>{STYLE}</style></head>"
        f"<body>{body}</body></html>"
    )


def render_opml(port: int) -> str:
    """Return an OPML document of all feeds, in a folder for each pack."""
    folders = "".join(
        f'<outline text="{pack}" title="{pack}">\n'
        + "".join(_outline(outlet, port) for outlet in group)
        + "</outline>\n"
        for pack, group in groupby(sorted(OUTLETS, key=lambda o: o.pack), key=lambda o: o.pack)
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<opml version="2.0"><head>'
        f"<title>{SAMPLE_NOTICE}</title></head><body>\n{folders}</body></opml>\n"
    )


def _outline(outlet: Outlet, port: int) -> str:
    name, base = escape(outlet.name), outlet.site(port)
    return (
        f'<outline type="rss" text="{name}" title="{name}" '
        f'xmlUrl="{base}{outlet.listed_path}" htmlUrl="{base}{outlet.site_path}"/>\n'
    )
