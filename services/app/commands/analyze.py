"""``hilum analyze``: sample → one kNN graph → clusters, map, metrics, atlas."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from google.protobuf import json_format

from services.app import local, output
from services.app.commands import Data, Json, Models, Where, names

app = typer.Typer(no_args_is_help=True, help="Analyses of an archive.", rich_markup_mode=None)


@app.command("run")
def run(
    models: Models = "",
    where: Where = "",
    sample: Annotated[int, typer.Option(help="How many films, drawn by --seed (0: all that match).")] = 0,
    seed: Annotated[int, typer.Option(help="Of the sample, the clusters and the map.")] = 0,
    k: Annotated[int, typer.Option(help="Neighbours in the graph.")] = 15,
    resolution: Annotated[list[float] | None, typer.Option(help="Leiden resolution; may be given again.")] = None,
    labels: Annotated[
        str, typer.Option(help="Findings to measure, comma-separated (default: those stated enough).")
    ] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Map the archive, cluster it and measure it, once per model, on one kNN graph each."""
    with output.errors(), local.client(data) as client:
        job = client.analyze(
            models=names(models), where=where, sample=sample, seed=seed, k=k, resolutions=resolution or [1.0],
            labels=names(labels),
        )  # fmt: skip
        done = output.follow(job, "analyze")
        if done.state != "succeeded":
            output.fail(done.error or f"the job was {done.state}")
        found = json_format.MessageToDict(client.run(str(done.result["run_id"])), preserving_proto_field_name=True)
        if json:
            output.emit(found)
        else:
            show(found)


@app.command("list")
def list_runs(data: Data = None, json: Json = False) -> None:
    """The latest analyses."""
    with output.errors(), local.client(data) as client:
        found = [json_format.MessageToDict(run, preserving_proto_field_name=True) for run in client.runs()]
        if json:
            output.emit(found)
        else:
            output.table("", ("run", "state", "created"), [(r["run_id"], r["state"], r["created_at"]) for r in found])


@app.command("show")
def show_run(run_id: str, data: Data = None, json: Json = False) -> None:
    """One analysis with its figures."""
    with output.errors(), local.client(data) as client:
        found = json_format.MessageToDict(client.run(run_id), preserving_proto_field_name=True)
        if json:
            output.emit(found)
        else:
            show(found)


_FIGURES = (
    "films", "dim", "k", "graph", "recall", "clusters", "modularity", "silhouette", "davies_bouldin", "trustworthiness",
)  # fmt: skip


def show(run: dict[str, Any], most: int = 100) -> None:
    """Print the figures of a run: one column per model, then what neighbours share, the most telling first."""
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


def _round(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value
