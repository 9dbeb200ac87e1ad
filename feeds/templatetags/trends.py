"""The template tag that draws sparklines as SVG."""

from collections.abc import Sequence
from typing import Any

from django import template

register = template.Library()

WIDTH, HEIGHT, STEP, BAR = 120, 28, 4, 3
"""Dimensions of the drawing in its own units. There is one bar per day."""


@register.inclusion_tag("feeds/sparkline.html")
def sparkline(days: Sequence[int]) -> dict[str, Any]:
    """Draw stories per day as bars. Today is drawn as an outline, because it is not over."""
    top = max(max(days), 4)
    bars = []
    for number, stories in enumerate(days):
        height = round(max(stories / top * HEIGHT, 1.0 if stories else 0.5), 1)
        is_today = number == len(days) - 1
        bars.append((number * STEP, round(HEIGHT - height, 1), height, is_today))
    return {
        "bars": bars,
        "width": len(days) * STEP,
        "height": HEIGHT,
        "bar": BAR,
        "days": len(days),
        "most": max(days),
        "today": days[-1],
    }
