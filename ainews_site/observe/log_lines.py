"""The formatters of log lines: JSON for machines, one line of text for a terminal.

Log calls are written `logger.info("event key=%s", value)`. In JSON such an event has the fields
`event` and `key`; any other message is the event as it is.
"""

import logging
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ainews_site.observe.context import ids
from ainews_site.observe.redact import redact, redact_all

if TYPE_CHECKING:
    from structlog.typing import EventDict

TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"
ACCESS = "ainews.access"
"""The logger of requests. Its lines have names of routes and numbers."""
OWN = ("time", "level", "logger", "request_id", "task_id")
_FIELD = r"([a-z_]+)=%[a-z0-9.]+"
_EVENT = re.compile(rf"([a-z][a-z_]+)((?: {_FIELD})+)")
_NAMES = re.compile(_FIELD)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class TextLines(logging.Formatter):
    """A line of text without secrets.

    Others may have chosen a value. So a line break in it begins no line, and a control character
    does not reach the terminal.
    """

    def __init__(self) -> None:
        super().__init__(TEXT)

    def format(self, record: logging.LogRecord) -> str:
        return _CONTROL.sub(_escaped, redact(super().format(record)))

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line without the traceback, which has lines of its own."""
        return super().formatMessage(record).replace("\n", "\\n")


def _escaped(character: re.Match[str]) -> str:
    return f"\\x{ord(character[0]):02x}"


class JsonLines(logging.Formatter):
    """A line of JSON without secrets, by structlog.

    structlog is imported for the first line, as most commands write none.
    """

    def __init__(self) -> None:
        super().__init__()
        self._formatter: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        if self._formatter is None:
            self._formatter = _by_structlog()
        return self._formatter.format(record)


def _by_structlog() -> logging.Formatter:
    from structlog.processors import JSONRenderer, format_exc_info
    from structlog.stdlib import ProcessorFormatter

    return ProcessorFormatter(
        foreign_pre_chain=[_split_fields],
        processors=[_add_origin, format_exc_info, _redact, JSONRenderer(ensure_ascii=False)],
        pass_foreign_args=True,
    )


def _split_fields(_: Any, __: str, event: "EventDict") -> "EventDict":
    """Turn `event key=%s` with its arguments into fields."""
    arguments, template = event.pop("positional_args", ()), event["_record"].msg
    if not isinstance(arguments, tuple) or not isinstance(template, str):
        return event
    if match := _EVENT.fullmatch(template):
        names = _NAMES.findall(match[2])
        event["event"] = match[1]
        values = map(_plain, arguments)
        event.update(zip(names, values, strict=False))
    return event


def _plain(value: object) -> object:
    is_plain = value is None or isinstance(value, (bool, int, float))
    return value if is_plain else str(value)


def _add_origin(_: Any, __: str, event: "EventDict") -> "EventDict":
    """Add when, where and for which request it happened.

    Django logs some responses after the middleware has ended, together with the request.
    """
    record: logging.LogRecord = event.pop("_record")
    event.pop("_from_structlog", None)
    request_id = getattr(getattr(record, "request", None), "request_id", "")
    time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return {
        "time": time.replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        **event,
        **({"request_id": request_id} if request_id else {}),
        **ids(),
    }


def _redact(_: Any, __: str, event: "EventDict") -> "EventDict":
    """Remove secrets from all but our own fields, and those of requests, which have none."""
    if event["logger"] == ACCESS:
        return event
    fields: dict[str, Any] = redact_all({k: v for k, v in event.items() if k not in OWN})
    return {**event, **fields}
