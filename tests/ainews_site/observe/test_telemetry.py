"""Lines, traces, metrics and errors of gunicorn and a worker, as a real receiver gets them."""

import json
from typing import Any

from tests.ainews_site.observe.receiver import attributes
from tests.ainews_site.observe.world import World

FAILING = "tests.ainews_site.observe.failing_urls.task"


def spans_named(world: World, name: str) -> list[Any]:
    return [span for span in world.receiver.spans if span.name == name]


def test_each_line_is_json_with_a_time_and_a_level(world: World) -> None:
    for text in (world.web.log(), world.worker.log()):
        plain = [line for line in text.splitlines() if not line.startswith("{")]
        assert [
            line for line in plain if not line.startswith(("Worker running.", "Stopping."))
        ] == []
    for line in world.lines(world.logs()):
        assert {"time", "level", "logger", "event"} <= set(line)


def test_a_request_has_one_line(world: World) -> None:
    for name, response in world.answers.items():
        request_id = response.headers["X-Request-ID"]
        lines = [line for line in world.lines(world.web.log()) if line["event"] == "request"]
        mine = [line for line in lines if line["request_id"] == request_id]
        assert [line["status"] for line in mine] == [response.status_code], name
        assert "?" not in json.dumps(mine)


def test_a_task_has_the_id_of_the_request_that_queued_it(world: World) -> None:
    request_id = world.answers["enqueue"].headers["X-Request-ID"]
    lines = world.lines(world.worker.log())
    (end,) = [line for line in lines if line["event"] == "task" and line["func"] == FAILING]
    (failed,) = [
        line
        for line in lines
        if line["event"] == "task_failed" and line["task_id"] == end["task_id"]
    ]

    assert failed["request_id"] == end["request_id"] == request_id
    assert (end["success"], failed["level"]) == (False, "error")
    assert "RuntimeError" in failed["exception"]


def test_work_for_a_question_has_its_request(world: World) -> None:
    request_id = world.answers["ask"].headers["X-Request-ID"]
    lines = world.lines(world.worker.log())
    mine = [line for line in lines if line.get("request_id") == request_id]

    assert {"task", "language_called"} <= {line["event"] for line in mine}


def test_a_task_of_a_schedule_has_no_request(world: World) -> None:
    lines = world.lines(world.worker.log())
    polls = [line for line in lines if line.get("func") == "feeds.tasks.poll_due"]

    assert polls
    assert all("request_id" not in line and line["task_id"] for line in polls)


def test_a_request_is_traced_with_its_queries(world: World) -> None:
    (request,) = spans_named(world, "GET river")
    queries = [span for span in world.receiver.spans if span.parent_span_id == request.span_id]

    assert attributes(request)["http.response.status_code"] == 200
    assert "SELECT" in {span.name for span in queries}
    assert all("%s" in attributes(span).get("db.query.text", "%s") for span in queries[:3])
    assert "http://" not in str(queries)


def test_a_trace_goes_on_in_the_worker(world: World) -> None:
    (request,) = spans_named(world, "GET enqueue")
    (task,) = spans_named(world, FAILING)

    assert task.trace_id == request.trace_id
    assert task.parent_span_id
    assert task.status.code == task.status.STATUS_CODE_ERROR


def test_a_feed_and_a_model_are_traced_by_their_host(world: World) -> None:
    feeds = spans_named(world, "GET feed")
    feed, *_ = [span for span in feeds if attributes(span)["server.address"] == "127.0.0.1"]
    model, *_ = spans_named(world, "POST model")

    for span in (feed, model):
        assert attributes(span)["server.address"] == "127.0.0.1"
        assert "/" not in str(attributes(span))
    assert attributes(feed)["http.response.status_code"] == 500
    assert spans_named(world, "poll")


def test_durations_are_sent_as_metrics(world: World) -> None:
    names = {metric.name for metric in world.receiver.metrics}

    assert {"http.server.request.duration", "http.client.request.duration"} <= names
    assert "ainews.task.duration" in names


def test_the_metrics_of_prometheus_are_sent_by_one_process(world: World) -> None:
    by_name: dict[str, list[Any]] = {}
    for service, metric in world.receiver.metrics_of:
        by_name.setdefault(metric.name, []).append((service, metric))

    calls = by_name["ainews_llm_calls_total"]
    assert sum(point.as_double for point in calls[-1][1].sum.data_points) >= 1
    assert len({instance for instance, metric in calls if metric.sum.data_points}) == 1
    assert "source_fetch_duration_count" in by_name


def test_each_process_sends_for_itself(world: World) -> None:
    assert world.receiver.services == {"ainews"}
    assert len(world.receiver.instances) >= 2  # a web process and one or two workers
    assert all(sent["api-key"] == world.planted["otlp"] for sent in world.receiver.headers)


def test_sentry_gets_the_errors_with_their_ids(world: World) -> None:
    tags = {event["exception"]["values"][-1]["type"]: event for event in world.receiver.events}
    crash, task = tags["ValueError"], tags["RuntimeError"]

    assert crash["environment"] == "test"
    assert crash["release"].startswith("ainews@")
    assert crash["tags"]["request_id"] == world.answers["crash"].headers["X-Request-ID"]
    assert task["tags"]["request_id"] == world.answers["enqueue"].headers["X-Request-ID"]
    assert task["tags"]["task_id"]
    for event in (crash, task):
        assert not {"request", "user", "breadcrumbs", "extra", "modules"} & set(event)
        assert "vars" not in json.dumps(event)
