"""All metrics that processes record. `metric_files` has the values of all processes.

The name of a metric is for ever, as alerts and dashboards of operators use it. Labels have few
values: no path, no address and no text of a reader. docs/reference/metrics.md is generated from
this module and from ainews_site.metrics.measured.
"""

from ainews_site.infra.metric_kinds import Counter, Histogram, Level, Metric

OTHER = "other"
"""The label of what is not worth a series of its own."""

FETCH_SECONDS = Histogram(
    "source_fetch_duration",
    "Seconds that the fetch of a source took",
    ("source_id",),
    buckets=(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0),
)
FETCH_ERRORS = Counter(
    "source_fetch_errors", "Fetches of a source that failed, for any reason", ("source_id",)
)
ITEMS_NEW = Counter("ainews_items_new", "Items that were stored")
ITEMS_UPDATED = Counter("ainews_items_updated", "Items that a poll changed")
LEASE_EXPIRIES = Counter(
    "ainews_lease_expiries",
    "Leases that another process took over because their holder let them expire",
    ("lease",),
)
GROUPING_SECONDS = Histogram(
    "ainews_grouping_seconds",
    "Seconds that the grouping of a batch of new items into stories took",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
GROUPING_ITEMS = Histogram(
    "ainews_grouping_items",
    "Items of a batch that was grouped",
    buckets=(1, 5, 10, 25, 50, 100, 250, 500, 1000),
)
DIGESTS = Counter(
    "ainews_digests",
    "Editions by outcome: written, failed",
    ("outcome",),
    outcomes=("written", "failed"),
)
DELIVERIES = Counter(
    "ainews_deliveries",
    "Attempts to deliver an edition by channel and outcome: sent, retry, given_up",
    ("channel", "outcome"),
    outcomes=("sent", "retry", "given_up"),
)
LLM_CALLS = Counter(
    "ainews_llm_calls",
    "Calls of language models by outcome: ok, failed, refused (by the budget, the limit of"
    " calls at once, or the circuit breaker)",
    ("provider", "outcome"),
    outcomes=("ok", "failed", "refused"),
)
LLM_TOKENS = Counter(
    "ainews_llm_tokens",
    "Tokens of language models by direction: in, out",
    ("provider", "direction", "outcome"),
)
LLM_COST = Counter(
    "ainews_llm_cost_dollars",
    "Cost of language models in dollars, by the prices of LLM_PRICES",
    ("provider", "outcome"),
)
CACHE_REQUESTS = Counter(
    "ainews_cache_requests",
    "Requests of cached values by what is cached and result: local, hit, stale, miss",
    ("kind", "result"),
    outcomes=("local", "hit", "stale", "miss"),
)
SOCKETS = Level("ainews_sockets", "Open sockets of readers")
EVENT_SECONDS = Histogram(
    "ainews_event_delay_seconds",
    "Seconds from the fetch of the newest item until open pages are informed",
    buckets=(0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 60.0),
)
REQUEST_SECONDS = Histogram(
    "ainews_request_seconds",
    "Seconds that a request took by route and class of status",
    ("route", "status"),
)
REFUSED = Counter(
    "ainews_requests_refused", "Requests that were refused because there were too many"
)
TASKS = Counter(
    "ainews_tasks",
    "Tasks of the queue by name and outcome: ok, failed",
    ("task", "outcome"),
    outcomes=("ok", "failed"),
)
TASK_SECONDS = Counter("ainews_task_seconds", "Seconds that tasks of the queue ran", ("task",))

RECORDED: tuple[Metric, ...] = (
    FETCH_SECONDS,
    FETCH_ERRORS,
    ITEMS_NEW,
    ITEMS_UPDATED,
    LEASE_EXPIRIES,
    GROUPING_SECONDS,
    GROUPING_ITEMS,
    DIGESTS,
    DELIVERIES,
    LLM_CALLS,
    LLM_TOKENS,
    LLM_COST,
    CACHE_REQUESTS,
    SOCKETS,
    EVENT_SECONDS,
    REQUEST_SECONDS,
    REFUSED,
    TASKS,
    TASK_SECONDS,
)
BY_NAME = {metric.name: metric for metric in RECORDED}
