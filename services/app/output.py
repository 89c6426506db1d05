"""How commands speak: tables on stdout, progress on stderr, JSON for machines, one exit code per meaning."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from hilum import HilumError as ClientError
from hilum import Job
from services.core.errors import ErrorCode, HilumError

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
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a small table for people."""
    shown = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*map(_cell, row))
    out.print(shown)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


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


def fail(message: str, code: int = FAILED) -> NoReturn:
    """End the command with a message on stderr."""
    err.print(f"[red]error:[/] {message}", markup=True)
    raise typer.Exit(code)


def follow(job: Job, title: str) -> Job:
    """Show a job's progress with its ETA until it is finished. On interrupt the job is cancelled."""
    columns = (
        TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    last = job
    plain = not err.is_terminal
    said = ""
    with Progress(*columns, console=err, disable=plain) as progress:
        task = progress.add_task(title, total=None, note="")
        try:
            for last in job.watch():
                note = counts(last.counts)
                progress.update(
                    task, completed=last.done, total=last.total or None, note=note,
                    description=f"{title} · {last.stage or last.state}",
                )  # fmt: skip
                tenth = f"{last.stage} {10 * last.done // max(last.total, 1)}"
                if plain and tenth != said:  # a log file wants a line now and then, not a bar
                    said = tenth
                    eta = f", ETA {last.eta_seconds:.0f} s" if last.eta_seconds is not None else ""
                    err.print(f"{title} · {last.stage or last.state} {last.done}/{last.total}{eta} {note}")
        except KeyboardInterrupt:
            last = job.cancel()
            err.print("cancelled; what was acknowledged is stored, and the same command goes on where this stopped")
            raise
    return last


def counts(by_outcome: Mapping[str, int]) -> str:
    """``12 stored, 3 quarantined``."""
    return ", ".join(f"{number} {outcome}" for outcome, number in by_outcome.items() if number)
