"""``hilum classify``: findings of films by words, without training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.app import local, output
from services.app.commands import Data, Json, names

Files = Annotated[list[Path], typer.Argument(help="Films: DICOM, PNG or JPEG.")]


def classify(
    files: Files,
    model: Annotated[str, typer.Option("--model", help="A model that knows words (default: the first).")] = "",
    findings: Annotated[
        str, typer.Option(help="Labels or any words, comma-separated (default: CheXpert's fourteen).")
    ] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Score films for findings by asking a model in words. Uncalibrated: it ranks films, it diagnoses nothing."""
    with output.errors(), local.client(data) as client:
        found = client.classify(files, model=model, findings=names(findings))
    rows = [{"file": str(files[row.pop("film")]), **row} for row in found.rows()]
    if json:
        prompts = {name: {"positive": yes, "negative": no} for name, (yes, no) in found.prompts.items()}
        used = {"model": found.model, "source": found.source, "prompts": prompts, "calibrated": found.calibrated}
        output.emit({"findings": rows, **used})
    else:
        told = [row for row in rows if row["error"] is None]
        shown = ("file", "finding", "score", "probability")
        output.table("", shown, [[_short(row[column]) for column in shown] for row in told])
        for row in rows:
            if row["error"] is not None:
                output.err.print(f"{row['file']}: {row['error']}", markup=False)
        used = f"{found.model['name']} {found.model['fingerprint'][:8]}"
        output.err.print(f"{used} · zero-shot, calibrated on nothing: compare films, not findings · research use only")
    if any(film.error for film in found):
        raise typer.Exit(output.QUARANTINED)


def _short(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value
