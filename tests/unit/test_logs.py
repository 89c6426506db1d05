"""No PHI in logs: only listed fields, never an exception's text."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from services.core.logs import ALLOWED, Logger, configure, get_logger

CANARY = "Doe^Jane 1932-05-04"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a configured process writes to stderr; the root logger is as before afterwards."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    ours = logging.getLogger("hilum")
    before = ours.handlers[:], ours.level, ours.propagate
    configure()
    yield written
    ours.handlers[:], ours.level, ours.propagate = before


def test_an_event_is_one_json_line(lines: io.StringIO) -> None:
    get_logger("ingest").info("job.finished", job_id="j1", stored=12)
    line = json.loads(lines.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {"level": "INFO", "room": "hilum.ingest", "event": "job.finished", "job_id": "j1", "stored": 12}


@pytest.mark.parametrize("field", ["patient_id", "path", "file", "text", "query", "filter", "error", "message", "name"])
def test_a_field_that_may_identify_somebody_is_not_on_the_list(field: str, lines: io.StringIO) -> None:
    assert field not in ALLOWED
    with pytest.raises(ValueError, match=field):
        get_logger("ingest").info("event", **{field: CANARY})
    assert lines.getvalue() == ""


def test_in_production_an_unlisted_field_is_dropped(lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Logger, "strict", False)
    get_logger("ingest").warning("event", patient_id=CANARY, count=1)
    assert CANARY not in lines.getvalue()
    assert json.loads(lines.getvalue())["count"] == 1


def test_an_exceptions_text_is_never_written(lines: io.StringIO) -> None:
    log = get_logger("ingest")
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        log.exception("event", error, job_id="j1")
        log.info("event", reason=error)
        logging.getLogger("hilum.engine").exception("plain words")
    assert CANARY not in lines.getvalue() and "Doe" not in lines.getvalue()
    first, second, third = map(json.loads, lines.getvalue().splitlines())
    assert first["error_type"] == "ValueError" and "test_an_exceptions_text" in first["where"]
    assert second["reason"] == "ValueError"
    assert third["event"] == "plain words"


def test_a_line_break_in_a_value_does_not_make_a_line(lines: io.StringIO) -> None:
    get_logger("ingest").info("event", model='x\n{"event": "forged"}')
    assert len(lines.getvalue().splitlines()) == 1
