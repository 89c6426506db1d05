"""How commands speak: tables on stdout, progress on stderr, JSON for machines, one exit code per meaning."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from hilum import HilumError as ClientError
from hilum import Job
from services.core.errors import ErrorCode, HilumError

_WHOLE = ("image_id", "run", "job_id", "search_id")  # to be copied: other columns make room
DONE, FAILED, USAGE, QUARANTINED = 0, 1, 2, 3

out = Console(highlight=False, soft_wrap=True)
if not out.is_terminal:
    out = Console(highlight=False, soft_wrap=True, width=240)  # a file or a pipe wraps nothing
err = Console(stderr=True, highlight=False)

_USAGE_CODES = {
    ErrorCode.INVALID_ARGUMENT.value,
    ErrorCode.INVALID_FILTER.value,
    ErrorCode.UNKNOWN_MODEL.value,
    ErrorCode.UNREADABLE_IMAGE.value,
}


def emit(value: Any) -> None:
    """Print JSON for machines."""
    line(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def line(text: str) -> None:
    """Print one line of data, as it is; what no UTF-8 can say, an odd file's name, as JSON escapes it."""
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], none: str = "") -> None:
    """Print a small table for people; where it has no rows, what is said then."""
    rows = list(rows)
    if none and not rows:
        err.print(none, markup=False, soft_wrap=True)
        return
    shown = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold", no_wrap=column in _WHOLE)
    for row in rows:
        shown.add_row(*map(_cell, row))
    out.print(shown)


def _cell(value: object) -> Text:
    """Text as it is, with no mark-up and nothing that a terminal would obey: names of files say what they like."""
    text = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return Text("".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text))


@contextmanager
def errors() -> Iterator[None]:
    """Say an error in one line with what to do, and leave with the code it deserves."""
    try:
        yield
    except (HilumError, ClientError) as error:
        code = error.code.value if isinstance(error, HilumError) else error.code
        message = error.client_message if isinstance(error, HilumError) else error.message
        fail(f"{message} [{code}]", USAGE if code in _USAGE_CODES else FAILED)
    except KeyboardInterrupt:
        fail("interrupted", FAILED)
    except OSError as error:  # of the user's own folders: the data folder is read-only, say, or the disk full
        if error.filename is None or error.strerror is None:
            raise
        fail(f"{error.strerror.lower()}: {error.filename}; check its permissions and the disk", FAILED)


def fail(message: str, code: int = FAILED) -> NoReturn:
    """End the command with a message on stderr."""
    err.print(f"[red]error:[/] {escape(message)}", markup=True, soft_wrap=True)
    raise typer.Exit(code)


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Say on a terminal what is under way, where nobody can tell how long it takes."""
    if not err.is_terminal:
        yield
        return
    with err.status(what, spinner="line"):
        yield


@contextmanager
def progress(title: str) -> Iterator[Callable[..., None]]:
    """A function to call with (done, total, …) as work goes on: a bar with its ETA on a terminal; a line at every tenth
    in a log."""
    columns = (
        TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    started, said = time.monotonic(), ""
    with Progress(*columns, console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task(title, total=None, note="")

        def seen(done: int, total: int, stage: str = "", note: str = "", eta: float | None = None) -> None:
            nonlocal said
            name = f"{title} · {stage}" if stage else title
            bar.update(task, completed=done, total=total or None, note=note, description=name)
            tenth = f"{stage} {10 * done // max(total, 1)}"
            if not err.is_terminal and tenth != said:
                said = tenth
                if eta is None and done and not stage:
                    eta = (time.monotonic() - started) / done * (total - done)
                left = f", ETA {eta:.0f} s" if eta is not None and done < total else ""
                err.print(f"{name} {done}/{total}{left} {note}".rstrip())

        yield seen


def follow(job: Job, title: str) -> Job:
    """Show a job's progress with its ETA until it is finished. On interrupt the job is cancelled."""
    last = job
    with progress(title) as seen:
        try:
            for last in job.watch():
                seen(
                    last.done,
                    last.total,
                    last.stage or ("waiting for its turn" if last.state == "queued" else last.state),
                    counts(last.counts),
                    last.eta_seconds,
                )
        except KeyboardInterrupt:
            job.cancel()
            err.print("cancelled; what was acknowledged is stored, and the same command goes on where this stopped")
            raise
    return last


def counts(by_outcome: Mapping[str, int]) -> str:
    """``12 stored, 3 quarantined``."""
    return ", ".join(f"{number} {outcome}" for outcome, number in by_outcome.items() if number)
