"""Draws the pictures of the sample newsroom: hills, towns and seas that nobody photographed.

The same story has pictures of the same kind at all outlets, each in the outlet's own colours.
"""

import random
from collections.abc import Iterator
from itertools import pairwise
from zlib import crc32

from feeds.demo.edition import Article
from feeds.demo.outlets import Outlet

SUFFIX = ".svg"
"""What follows the path of an article in the path of its picture."""
WIDTH, HEIGHT = 640, 480
ILLUSTRATED = ("wire", "daily", "business", "own")
"""Styles of outlets that have pictures."""
_HUES = range(190, 340)
"""Of the sky: from the blue of noon to the red of an evening."""
_WITHOUT = 9
"""One story of so many has none."""


def has_picture(outlet: Outlet, article: Article) -> bool:
    return outlet.style in ILLUSTRATED and crc32(article.story.encode()) % _WITHOUT > 0


def render_picture(outlet: Outlet, article: Article) -> str:
    """Return an SVG. Equal input gives equal output."""
    chance = random.Random(crc32(article.story.encode()))
    draw = chance.choice((_hills, _town, _sea))
    chance.seed(crc32(f"{outlet.slug} {article.story}".encode()))
    hue = chance.choice(_HUES)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}"><defs><linearGradient id="sky" x2=".3" y2="1">'
        f'<stop stop-color="{_colour(hue, 40, 30)}"/>'
        f'<stop offset=".65" stop-color="{_colour(hue + 40, 38, 62)}"/>'
        f'<stop offset="1" stop-color="{_colour(hue + 75, 60, 76)}"/></linearGradient></defs>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="url(#sky)"/>'
        f"{''.join(draw(chance, hue))}</svg>"
    )


def _colour(hue: int, saturation: int, lightness: int) -> str:
    return f"hsl({hue % 360} {saturation}% {lightness}%)"


def _sun(chance: random.Random, hue: int) -> str:
    x, y, size = chance.randrange(120, 520), chance.randrange(110, 230), chance.randrange(34, 70)
    return f'<circle cx="{x}" cy="{y}" r="{size}" fill="{_colour(hue + 75, 85, 88)}"/>'


def _hills(chance: random.Random, hue: int) -> Iterator[str]:
    yield _sun(chance, hue)
    for layer in range(4):
        base = 270 + 55 * layer
        points = [(x, base + chance.randrange(-50, 30)) for x in range(0, WIDTH + 160, 160)]
        path = f"M0 {HEIGHT}L0 {points[0][1]}"
        for (left, low), (right, high) in pairwise(points):
            middle = (left + right) // 2
            path += f"C{middle} {low} {middle} {high} {right} {high}"
        yield f'<path d="{path}V{HEIGHT}Z" fill="{_colour(hue + 8 * layer, 34, 42 - 9 * layer)}"/>'


def _town(chance: random.Random, hue: int) -> Iterator[str]:
    yield _sun(chance, hue)
    for layer in range(3):
        left, fill = -chance.randrange(40), _colour(hue + 10, 30, 44 - 13 * layer)
        while left < WIDTH:
            width = chance.randrange(38, 92)
            top = chance.randrange(150 + 70 * layer, 330 + 45 * layer)
            yield f'<path d="M{left} {HEIGHT}V{top}h{width}V{HEIGHT}Z" fill="{fill}"/>'
            if layer == 2:
                for window in range(left + 12, left + width - 12, 16):
                    lit = top + 18 + 22 * chance.randrange(4)
                    yield (
                        f'<path d="M{window} {lit}h7v10h-7z" fill="{_colour(hue + 75, 80, 80)}"/>'
                    )
            left += width + chance.choice((0, 0, 14))


def _sea(chance: random.Random, hue: int) -> Iterator[str]:
    yield _sun(chance, hue)
    for layer in range(6):
        top, shift = 280 + 36 * layer, chance.randrange(80)
        waves = "".join("q40 -22 80 0t80 0" for _ in range(6))
        yield (
            f'<path d="M{-shift} {top}{waves}V{HEIGHT}H{-shift}Z" '
            f'fill="{_colour(hue + 6 * layer, 36, 46 - 5 * layer)}"/>'
        )
