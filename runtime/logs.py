"""Structured logs, one JSON object a line on standard error, without personal data by construction.

Only the keys below leave the process; anything else is replaced by a marker. Of an exception its
type and where it was raised are written, never its message, which may quote what a person typed.
Libraries are heard from WARNING on and without their arguments.
"""

import logging
import sys
import traceback
from typing import Any

import structlog

from runtime.telemetry import current_trace, instance

KEYS = frozenset(
    {
        "event", "level", "timestamp", "service", "region", "instance", "logger", "trace_id",
        "method", "code", "reason", "count", "state", "address", "task", "exception", "status",
        "route", "duration_ms", "producer", "sequence", "expected", "first_entry", "published",
        "month", "at",
    }
)  # fmt: skip

Log = structlog.stdlib.BoundLogger


def get(name: str) -> Log:
    """Return the logger of a module."""
    log: Log = structlog.stdlib.get_logger(name)
    return log


def configure(service: str, region: str, level: str) -> None:
    """Set up the process's logs; called once, by main."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _origin(service, region),
        _current_trace,
        _exception,
        _allowed_only,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, _wrap_for_stdlib],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_foreign, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for ours in ("services", "runtime"):
        logging.getLogger(ours).setLevel(level)


def _wrap_for_stdlib(logger: Any, name: str, event: structlog.typing.EventDict) -> Any:  # noqa: ANN401  structlog's signature
    return structlog.stdlib.ProcessorFormatter.wrap_for_formatter(logger, name, event)


def _origin(service: str, region: str) -> structlog.typing.Processor:
    def add(
        _logger: object, _name: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event["service"], event["region"], event["instance"] = service, region, instance()
        return event

    return add


def _current_trace(
    _logger: object, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    if here := current_trace().trace_id:
        event.setdefault("trace_id", here)
    return event


def _exception(
    _logger: object, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    info = event.pop("exc_info", None)
    if info:
        kind, _, where = sys.exc_info() if info is True else _triple(info)
        frames = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(where)]
        event["exception"] = {"type": getattr(kind, "__name__", "?"), "frames": frames[-12:]}
    return event


def _triple(info: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401  an exception or its triple
    if isinstance(info, BaseException):
        return type(info), info, info.__traceback__
    return info  # type: ignore[no-any-return]  # logging's own triple


def _foreign(
    _logger: object, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Keep a library's template and drop its arguments: they may hold what a person sent."""
    record = event.get("_record")
    if record is not None:
        event["event"] = str(record.msg)[:200] if isinstance(record.msg, str) else "?"
        event["logger"] = record.name
    return event


def _allowed_only(
    _logger: object, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {
        key: value if key in KEYS or key.startswith("_") else "[withheld]"
        for key, value in event.items()
    }
