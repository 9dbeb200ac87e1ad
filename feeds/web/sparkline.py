"""Draws sparklines as SVG."""

from collections.abc import Sequence

from django.utils.safestring import SafeString, mark_safe

WIDTH, HEIGHT, STEP, BAR = 120, 28, 4, 3
"""Dimensions of the drawing in its own units. There is one bar per day."""


def sparkline(days: Sequence[int]) -> SafeString:
    """Draw stories per day as bars. Today is drawn as an outline, because it is not over."""
    top = max(max(days), 4)
    bars = []
    for number, stories in enumerate(days):
        if not stories:
            continue
        height = round(max(stories / top * HEIGHT, 1.0), 1)
        mark = ' class="spark-today"' if number == len(days) - 1 else ""
        bars.append(
            f'<rect x="{number * STEP}" y="{round(HEIGHT - height, 1)}" width="{BAR}"'
            f' height="{height}"{mark}/>'
        )
    width = len(days) * STEP
    label = (
        f"Stories per day over the past {len(days)} days:"
        f" {max(days)} at most, {days[-1]} so far today"
    )
    return mark_safe(  # noqa: S308 - numbers alone
        f'<svg class="spark" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}"'
        f' preserveAspectRatio="none" role="img" aria-label="{label}">{"".join(bars)}</svg>'
    )


def trend_line(days: Sequence[int]) -> SafeString:
    """Draw stories per day as a line that ends in a dot, for a small place. Decorative."""
    top = max(max(days), 4)
    points = [
        f"{number * 76 / (len(days) - 1):.0f} {19 - stories / top * 16:.1f}"
        for number, stories in enumerate(days)
    ]
    x, y = points[-1].split()
    return mark_safe(  # noqa: S308 - numbers alone
        f'<svg class="trend-line" viewBox="-1 0 82 22" aria-hidden="true">'
        f'<path d="M{"L".join(points)}"/><circle cx="{x}" cy="{y}" r="2.5"/></svg>'
    )


def day_bars(days: Sequence[int]) -> SafeString:
    """Draw items per day as bars in a small place, today apart, because it is not over."""
    top, height = max(max(days), 4), 16
    bars = [
        f"M{number * STEP + 1.5} {height}v-{max(round(items / top * height, 1), 1.0):g}"
        for number, items in enumerate(days)
        if items
    ]
    today = bars.pop() if days[-1] else ""
    label = f"The past {len(days)} days: {max(days)} at most, {days[-1]} so far today"
    return mark_safe(  # noqa: S308 - numbers alone
        f'<svg class="day-bars" viewBox="0 0 {len(days) * STEP - 1} {height}" role="img"'
        f' aria-label="{label}"><path d="{"".join(bars)}"/>'
        f'<path class="day-bars-today" d="{today}"/></svg>'
    )
