"""``hilum models promote | rollback | fill``: a changed model beside the old one, and which of them answers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from services.app import local, output
from services.app.commands import Data, Json

Name = Annotated[str, typer.Argument(help="The model's name.")]


def attach(app: typer.Typer) -> None:
    """Add the commands to ``hilum models``."""
    for command in (fill, promote, rollback):
        app.command()(command)


def promote(
    name: Name,
    fingerprint: Annotated[str, typer.Option(help="Or its beginning, where several have filled.")] = "",
    check_only: Annotated[bool, typer.Option("--check-only", help="Compare, change nothing.")] = False,
    partial: Annotated[bool, typer.Option("--partial", help="Also when it lacks films.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Compare a changed model with the one that answers by its name, then let it answer."""
    with output.errors(), local.client(data) as client:
        job = client.promote(name, fingerprint, check_only=check_only, partial=partial)
        done = output.follow(job, f"promote {name}")
        if json:
            output.emit({"state": done.state, "error": done.error, **done.result})
        elif done.result:
            _show(done.result)
    if done.state != "succeeded":
        output.fail(done.error or f"the job was {done.state}")


def rollback(name: Name, data: Data = None, json: Json = False) -> None:
    """Let what answered by a name before its last promotion answer again."""
    with output.errors(), local.client(data) as client:
        made = client.rollback(name)
        if json:
            output.emit({"model": made.model, "fingerprint": made.fingerprint, "previous": made.previous})
        else:
            output.out.print(f"{name}: {made.fingerprint[:12]} answers again, {made.previous[:12]} does not")


def fill(
    name: Name,
    dataset: Annotated[str, typer.Option(help="Of one dataset; all by default.")] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Encode the stored films that lack a model from their cached pixels. Exits 3 when some are not cached."""
    from services.app.commands.ingest import waits

    with output.errors(), local.client(data) as client:
        done = output.follow(client.fill(name, dataset), f"fill {name}")
        missing = {} if done.state != "succeeded" else _reasons(client, done.job_id)
        if json:
            output.emit({"state": done.state, "counts": done.counts, "not_filled": missing, "error": done.error})
        else:
            output.out.print(f"{done.state}: {output.counts(done.counts) or 'every film has it already'}")
            waits(done)
            output.table("Not filled", ("films", "what it means"), [(n, why) for why, n in missing.items()])
    if done.state != "succeeded":
        output.fail(done.error or f"the job was {done.state}")
    if missing:
        raise typer.Exit(output.QUARANTINED)


def _reasons(client: Any, job_id: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in client.items(job_id, "quarantined"):
        found[item.message] = found.get(item.message, 0) + 1
    return found


def _show(result: dict[str, Any]) -> None:
    compared = result["comparison"]
    films = compared["films"]
    output.out.print(
        f"{result['previous'][:12]} → {result['fingerprint'][:12]}: {films['both']:g} films in both, "
        f"{films['only_old']:g} only in the old, {films['only_new']:g} only in the new"
    )
    overall = [("all films", compared["overall"])] if compared["overall"] else []
    rows = [
        (name, f"{row['films']:g}", *map(_span, _cells(row))) for name, row in (*overall, *compared["findings"].items())
    ]
    if rows:
        output.table(
            f"{compared['neighbours']:g} nearest films of other patients, of a sample of {compared['sample']:g}",
            ("", "films", "Jaccard of the two", "agreement, old", "new", "change"), rows,
        )  # fmt: skip
        output.out.print("In brackets: 95 % bootstrap intervals over patients.")
    output.out.print("the new one answers now" if result["promoted"] else "nothing was changed")


def _cells(row: dict[str, Any]) -> list[dict[str, float] | None]:
    return [row.get(name) for name in ("jaccard", "agreement_old", "agreement_new", "agreement_change")]


def _span(value: dict[str, float] | None) -> str:
    return f"{value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]" if value else ""
