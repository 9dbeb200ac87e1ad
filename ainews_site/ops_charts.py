"""The figures and charts of the page at /ops/, from the samples of the past day."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString, mark_safe

from ainews_site.metrics.history import KEPT, STEP, Sample, growth, percentiles

WIDTH, HEIGHT = 288, 56
"""Dimensions of a chart in its own units."""
GAP = 3 * STEP
"""A line is interrupted where samples are further apart, in seconds."""
MB, GB = 2**20, 2**30

Point = tuple[float, float]
"""Unix time and value."""


@dataclass(frozen=True, slots=True)
class Card:
    """A figure with its chart. `now` and `note` are for readers."""

    title: str
    now: str
    note: str
    chart: SafeString
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class _Figure:
    """What a card shows. `points` are in the order of time, `bad` says which value is a problem.

    `summary` names what `note` has of the day: its highest value, its lowest or its sum.
    """

    title: str
    points: Callable[[Sequence[Sample]], list[Point]]
    text: Callable[[float], str]
    summary: str = "most"
    is_bad: Callable[[float], bool] = lambda _: False


def cards_of(samples: Sequence[Sample]) -> list[Card]:
    """Return the cards. Figures without any value are left out."""
    drawn = [(figure, figure.points(samples)) for figure in FIGURES]
    return [_card(figure, points) for figure, points in drawn if points]


def _card(figure: _Figure, points: list[Point]) -> Card:
    values = [value for _, value in points]
    now = values[-1]
    summary = {
        "most": f"{figure.text(max(values))} at most",
        "least": f"{figure.text(min(values))} at least",
        "sum": f"{figure.text(sum(values))} in all",
    }[figure.summary]
    shown = figure.text(now)
    label = f"{figure.title} over the past day: {shown} now, {summary}"
    is_bad = figure.is_bad(now)
    return Card(figure.title, shown, summary, chart(points, label, is_bad=is_bad), is_bad)


def chart(points: Sequence[Point], label: str, *, is_bad: bool = False) -> SafeString:
    """Draw values over the past day as a line above a filled area, the newest at the right."""
    end = points[-1][0]
    top = max(max(value for _, value in points), 1e-9)
    parts = [[(_x(at, end), _y(value, top)) for at, value in run] for run in _without_gaps(points)]
    line = "".join("M" + "L".join(f"{x:g} {y:g}" for x, y in run) for run in parts)
    area = "".join(
        f"M{run[0][0]:g} {HEIGHT}L"
        + "L".join(f"{x:g} {y:g}" for x, y in run)
        + f"L{run[-1][0]:g} {HEIGHT}Z"
        for run in parts
    )
    bad = " is-bad" if is_bad else ""
    return mark_safe(  # noqa: S308 - numbers, and a label that has numbers and our own words
        f'<svg class="ops-chart{bad}" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none"'
        f' role="img" aria-label="{label}"><path class="ops-area" d="{area}"/>'
        f'<path class="ops-line" d="{line}"/></svg>'
    )


def _x(at: float, end: float) -> float:
    return round(max(0.0, 1 - (end - at) / KEPT) * WIDTH, 1)


def _y(value: float, top: float) -> float:
    return round((HEIGHT - 2) * (1 - max(value, 0.0) / top) + 1, 1)


def _without_gaps(points: Sequence[Point]) -> list[list[Point]]:
    """Split where a sample is missing."""
    runs: list[list[Point]] = []
    for point in points:
        if not runs or point[0] - runs[-1][-1][0] > GAP:
            runs.append([])
        runs[-1].append(point)
    return runs


def _value(name: str) -> Callable[[Sequence[Sample]], list[Point]]:
    return lambda samples: [(s.at, s.values[name]) for s in samples if name in s.values]


def _sum_of(*names: str) -> Callable[[Sequence[Sample]], list[Point]]:
    return lambda samples: [
        (s.at, sum(s.values.get(name, 0.0) for name in names))
        for s in samples
        if any(name in s.values for name in names)
    ]


def _grown(name: str) -> Callable[[Sequence[Sample]], list[Point]]:
    return lambda samples: list(zip(_times(samples), growth(samples, name), strict=True))


def _per_minute(name: str) -> Callable[[Sequence[Sample]], list[Point]]:
    def points(samples: Sequence[Sample]) -> list[Point]:
        pairs = zip(samples, samples[1:], growth(samples, name), strict=False)
        return [(b.at, grown * 60 / max(b.at - a.at, 1.0)) for a, b, grown in pairs]

    return points


def _share(part: str, whole: str) -> Callable[[Sequence[Sample]], list[Point]]:
    def points(samples: Sequence[Sample]) -> list[Point]:
        both = zip(_times(samples), growth(samples, part), growth(samples, whole), strict=True)
        return [(at, some / every) for at, some, every in both if every]

    return points


def _hits(samples: Sequence[Sample]) -> list[Point]:
    return [(at, 1 - misses) for at, misses in _share("cache_misses", "cache")(samples)]


def _latency(samples: Sequence[Sample]) -> list[Point]:
    both = zip(_times(samples), percentiles(samples, 0.95), strict=True)
    return [(at, seconds) for at, seconds in both if seconds is not None]


def _times(samples: Sequence[Sample]) -> list[float]:
    return [sample.at for sample in samples[1:]]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def _percent(value: float) -> str:
    return f"{value:.0%}" if value >= 0.1 or not value else f"{value:.1%}"


def _seconds(value: float) -> str:
    if value >= 120:
        return f"{value / 60:,.0f} min"
    return f"{value:g} s" if value >= 1 else f"{value * 1000:.0f} ms"


def _wait(value: float) -> str:
    return f"{value / 60:,.0f} min" if value >= 120 else f"{value:.0f} s"


def _bytes(value: float) -> str:
    return f"{value / GB:,.1f} GB" if value >= GB else f"{value / MB:,.1f} MB"


def _dollars(value: float) -> str:
    return f"${value:,.2f}"


FIGURES = (
    _Figure("Requests a minute", _per_minute("requests"), _number),
    _Figure("95th percentile", _latency, _seconds, is_bad=lambda v: v > 1),
    _Figure(
        "Server errors", _grown("server_errors"), _number, summary="sum", is_bad=lambda v: v > 0
    ),
    _Figure("Refused requests", _grown("refused"), _number, summary="sum", is_bad=lambda v: v > 0),
    _Figure("Cache hits", _hits, _percent, summary="least"),
    _Figure("Open pages", _value("sockets"), _number),
    _Figure("New items", _grown("items"), _number, summary="sum"),
    _Figure("Fetches a minute", _per_minute("fetches"), _number),
    _Figure(
        "Fetches that failed", _share("fetch_errors", "fetches"), _percent, is_bad=lambda v: v > 0.2
    ),
    _Figure("Most overdue poll", _value("poll_lag"), _wait, is_bad=lambda v: v > 900),
    _Figure("Waiting tasks", _sum_of("queue_fast", "queue_slow"), _number),
    _Figure("Oldest task waits", _value("queue_age"), _wait, is_bad=lambda v: v > 600),
    _Figure("Failed tasks", _grown("tasks_failed"), _number, summary="sum", is_bad=lambda v: v > 0),
    _Figure("Expired leases", _grown("leases_expired"), _number, summary="sum"),
    _Figure("Editions written", _grown("editions"), _number, summary="sum"),
    _Figure("Deliveries", _grown("deliveries"), _number, summary="sum"),
    _Figure(
        "Failed deliveries",
        _grown("deliveries_failed"),
        _number,
        summary="sum",
        is_bad=lambda v: v > 0,
    ),
    _Figure("Language models", _grown("dollars"), _dollars, summary="sum"),
    _Figure("Database", _value("database"), _bytes),
    _Figure("Free disk", _value("disk_free"), _bytes, summary="least", is_bad=lambda v: v < GB),
)
