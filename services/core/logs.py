"""Logs without PHI: an event name and fields from an allow-list. Free text and tracebacks' values never enter.

    log = get_logger("ingest")
    log.info("job.finished", job_id=job_id, stored=12)

A field that is not on the list is an error in tests and dropped in production, so that a new field is a decision.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from typing import Any

ALLOWED = frozenset({
    "job_id", "run_id", "request_id", "image_id", "model", "fingerprint", "collection", "dataset", "stage", "outcome",
    "reason", "code", "rpc", "route", "method", "status", "elapsed_ms", "count", "total", "stored", "unchanged",
    "quarantined", "port", "pid", "attempt", "version", "bytes", "rows", "state", "kind", "error_type", "where",
    "exit_code", "seed", "url", "duplicate", "conflict",
})  # fmt: skip


class Logger:
    """Writes one JSON line per event through the standard library's handlers."""

    strict = False  # tests set this: an unlisted field raises

    def __init__(self, room: str) -> None:
        self._logger = logging.getLogger(f"hilum.{room}")

    def info(self, event: str, **fields: Any) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, error: BaseException, **fields: Any) -> None:
        """Log where an unexpected error came from: its type and code positions, never its text."""
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
        self._write(logging.ERROR, event, {**fields, "error_type": type(error).__name__, "where": where})

    def _write(self, level: int, event: str, fields: dict[str, Any]) -> None:
        unknown = fields.keys() - ALLOWED
        if unknown and self.strict:
            raise ValueError(f"log fields not on the allow-list: {sorted(unknown)}")
        line = {key: value for key, value in fields.items() if key in ALLOWED}
        # A value that JSON does not know is named by its type: an exception's text must not slip in as a field.
        self._logger.log(level, json.dumps({"event": event, **line}, default=lambda value: type(value).__name__))


class _JsonLines(logging.Formatter):
    """One JSON object a line. Never a traceback: its last line is the exception's text."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        message = record.getMessage()
        event = json.loads(message) if message.startswith('{"event": ') else {"event": message}
        return json.dumps({"time": stamp, "level": record.levelname, "room": record.name, **event})


def get_logger(room: str) -> Logger:
    return Logger(room)


def configure(level: int = logging.INFO) -> None:
    """Send Hilum's own events to stderr as JSON lines; called from main() only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    root = logging.getLogger("hilum")
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.propagate = False
