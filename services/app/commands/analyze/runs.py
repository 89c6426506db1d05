"""Make a run and wait for it; look at those there are."""

from __future__ import annotations

import json as jsons
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf import json_format

from hilum import Client
from services.app import local, output
from services.app.commands import Data, Json

Sample = Annotated[int, typer.Option(help="How many films, drawn by --seed (0: all that match).")]
Seed = Annotated[int, typer.Option(help="Of the sample and all that is random in the analysis.")]
K = Annotated[int, typer.Option(help="Neighbours in the graph.")]
Labels = Annotated[str, typer.Option(help="Findings to measure, comma-separated (default: those stated enough).")]

_FIGURES = (
    "films", "dim", "k", "graph", "recall", "clusters", "modularity", "silhouette", "davies_bouldin", "trustworthiness",
)  # fmt: skip


def carry_out(data: str | None, json: bool, **asked: Any) -> None:
    """Start an analysis, follow it, and show what came out. asked: the options of `hilum.requests.analyze`."""
    with output.errors(), local.client(data) as client:
        done = output.follow(client.analyze(**asked), "analyze")
        if done.state != "succeeded":
            output.fail(done.error or f"the job was {done.state}")
        tell(client, str(done.result["run_id"]), json)


def list_runs(data: Data = None, json: Json = False) -> None:
    """The latest analyses."""
    with output.errors(), local.client(data) as client:
        found = [_plain(run) for run in client.runs()]
        if json:
            output.emit(found)
        else:
            rows = [(r["run_id"], r["kind"], r["state"], r["created_at"]) for r in found]
            output.table(
                "", ("run", "kind", "state", "created"), rows, none="no analyses yet: see `hilum analyze --help`"
            )


def show_run(run_id: str, data: Data = None, json: Json = False) -> None:
    """One analysis with its figures."""
    with output.errors(), local.client(data) as client:
        tell(client, run_id, json)


def report(
    run_id: str,
    out: Annotated[Path | None, typer.Option(help="Write the report here instead of opening it.")] = None,
    data: Data = None,
) -> None:
    """Open a run's report in the browser, or keep it as one file that needs nothing else."""
    with output.errors(), local.client(data) as client:
        if out is not None:
            out.write_bytes(client.run_file(run_id, "report.html"))
            output.out.print(str(out))
            return
        client.run(run_id)
    from hilum import locate

    running = locate.running(local.settings(data).data_dir)
    if running is None or not running.http:
        output.fail("start Hilum first (hilum up), or name a file: --out report.html")
    url = f"{running.http}/v1/runs/{run_id}/report"
    output.out.print(url)
    webbrowser.open(url)


def files(
    run_id: str,
    out: Annotated[Path | None, typer.Option(help="A folder to copy them to; it is made.")] = None,
    data: Data = None,
) -> None:
    """Name the files of a run (tables as Parquet, figures as JSON, the report), or copy them."""
    with output.errors(), local.client(data) as client:
        named = list(client.run(run_id).files)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
        for name in named:
            if out is not None:
                (out / name).write_bytes(client.run_file(run_id, name))
            output.out.print(name if out is None else str(out / name))


def tell(client: Client, run_id: str, json: bool = False) -> None:
    """Print a run: a map by its figures, any other by the tables of its report."""
    run = client.run(run_id)
    found = _plain(run)
    if json:
        output.emit(found)
    elif run.kind == "map" or "tables.json" not in run.files:
        show(found)
    else:
        output.out.print(f"run {run_id}")
        for table in jsons.loads(client.run_file(run_id, "tables.json"))["tables"]:
            output.table(table["title"], table["columns"], table["rows"])


def show(run: dict[str, Any], most: int = 100) -> None:
    """Print the figures of a map: one column per model, then what neighbours share, the most telling first."""
    metrics: dict[str, dict[str, Any]] = dict(sorted(run.get("metrics", {}).items()))
    output.out.print(f"run {run['run_id']}")
    rows = [(name, *(_round(figures.get(name)) for figures in metrics.values())) for name in _FIGURES]
    output.table("", ("", *metrics), rows)
    for model, figures in metrics.items():
        shared = sorted(figures.get("neighbours", {}).items(), key=lambda item: -item[1]["lift"])
        rows = [
            (
                label,
                int(m["films"]),
                f"{m['purity']:.2f} [{m['purity_low']:.2f}, {m['purity_high']:.2f}]",
                _round(m["chance"]),
            )
            for label, m in shared[:most]
        ]
        output.table(
            f"{model}: share of the {int(figures.get('k', 0))} nearest films of other patients in the same state",
            ("finding", "films", "purity [95 % CI by patient]", "by chance"), rows,
        )  # fmt: skip


def _plain(run: Any) -> dict[str, Any]:
    return json_format.MessageToDict(run, preserving_proto_field_name=True)


def _round(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value
