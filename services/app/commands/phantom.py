"""``hilum phantom``: films with known findings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.app import output


def phantom(
    out: Annotated[Path, typer.Argument(help="An empty or new folder.")],
    n: Annotated[int, typer.Option("--n", help="How many films.")] = 600,
    seed: Annotated[int, typer.Option(help="The same seed writes the same films.")] = 0,
    size: Annotated[int, typer.Option(help="Rows and columns.")] = 384,
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
) -> None:
    """Write phantom films: DICOM, labels, reports, and the truth behind them."""
    write(out, n, seed, size, workers)
    output.out.print(f"{n} films in {out}: labels.csv, reports.csv, truth.csv")


def write(out: Path, n: int, seed: int, size: int = 384, workers: int = 2) -> None:
    """Write the archive, showing progress."""
    from services.phantom.write import write_archive

    with output.progress("phantom films") as seen:
        write_archive(out, n, seed, size, workers, seen)
