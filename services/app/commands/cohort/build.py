"""``hilum cohort build``, ``preview`` and ``rerun``: from a specification to a flow of films."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hilum import Client
from services.app import local, output
from services.app.commands import Data, Json
from services.app.commands.cohort import told

Spec = Annotated[str, typer.Argument(help="A YAML or JSON file; - reads it from stdin. See docs/guide/cohorts.md.")]


def build(spec: Spec, data: Data = None, json: Json = False) -> None:
    """Build the cohort that a file specifies, freeze its films under its name, and show how they were chosen."""
    with output.errors(), local.client(data) as client:
        _follow(client, client.create_cohort(_read(spec)), json)


def preview(spec: Spec, data: Data = None, json: Json = False) -> None:
    """Count what each criterion and cap would leave; nothing is kept."""
    with output.errors(), local.client(data) as client:
        found = client.preview_cohort(_read(spec))
        if json:
            output.emit(told.plain(found))
        else:
            told.flow(found.steps)


def rerun(
    name: str,
    as_name: Annotated[str, typer.Option("--as", help="Keep what comes out as a cohort of this name.")] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Run a cohort's specification over the archive as it is now, and say what changed. What is frozen stays."""
    with output.errors(), local.client(data) as client:
        run = _done(client.rerun_cohort(name, as_name))
        found = client.diff_cohort(name, run)
        if json:
            output.emit(told.plain(found))
        else:
            told.changes(found)


def _follow(client: Client, job: Any, json: bool) -> None:
    run = client.run(_done(job))
    about = told.plain(run)["manifest"]["cohort"]
    if json:
        output.emit({"run_id": run.run_id, **about})
        return
    output.out.print(f"run {run.run_id}")
    told.steps(about["steps"])
    name = about["spec"].get("name")
    output.out.print(f'films: cohort = "{name}"' if name else "kept under no name: the specification has none")
    output.out.print(f"report: hilum analyze report {run.run_id}", soft_wrap=True)


def _done(job: Any) -> str:
    """The run's id."""
    done = output.follow(job, "cohort")
    if done.state != "succeeded":
        output.fail(done.error or f"the job was {done.state}")
    return str(done.result["run_id"])


def _read(spec: str) -> dict[str, Any]:
    from services.analytics.cohort.spec import from_text
    from services.core.errors import invalid

    try:
        text = sys.stdin.read() if spec == "-" else Path(spec).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise invalid("this specification cannot be read; name a YAML or JSON file, or - for stdin") from None
    return from_text(text).as_json()
