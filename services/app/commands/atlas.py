"""``hilum atlas``: the map of a run, here or to carry away."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from services.app import local, output
from services.app.commands import Data

app = typer.Typer(no_args_is_help=True, help="Embedding Atlas snapshots.", rich_markup_mode=None)


@app.command()
def export(
    run_id: str,
    out: Annotated[Path, typer.Argument(help="A new folder.")],
    data: Data = None,
) -> None:
    """Write a run's atlas as a folder that any static web server can serve, offline."""
    from services.analytics.atlas import export_static

    with output.errors():
        export_static(local.settings(data).data_dir / "runs", run_id, out)
        output.out.print(f"atlas in {out}; look at it with: python3 -m http.server --directory {out}")
        output.err.print("it holds every film of the sample as a picture: share it as you would share the films")


@app.command("open")
def open_atlas(run_id: str, data: Data = None) -> None:
    """Open a run's atlas in the browser, from the Hilum that is up."""
    from hilum import locate

    running = locate.running(local.settings(data).data_dir)
    if running is None or not running.http:
        output.fail("start Hilum first: hilum up")
    url = f"{running.http}/v1/runs/{run_id}/atlas/"
    output.out.print(url)
    webbrowser.open(url)
