"""``hilum deidentify``: films without what names people, to give away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.app import local, output
from services.app.commands import Data, Json
from services.core.errors import invalid


def deidentify(
    source: Annotated[Path, typer.Argument(help="A film, or a folder of films: DICOM, PNG or JPEG.")],
    out: Annotated[Path, typer.Argument(help="A folder to write to; files there are not overwritten.")],
    dataset: Annotated[str, typer.Option(help="The archive's dataset whose pseudonyms are to be used.")] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Write films by DICOM's Basic Application Level Confidentiality Profile: keyed pseudonyms, moved dates, no private
    elements. Pixels stay as they are: films whose header says BurnedInAnnotation YES are not written."""
    from services.core.ids import load_secret
    from services.ingest.given_away import give_away

    with output.errors():
        if out.exists() and not out.is_dir():
            raise invalid("the second argument is a folder to write to")
        with output.progress("deidentify") as seen:
            refused = give_away(source, out, load_secret(local.settings(data).data_dir), dataset, seen)
        if json:
            output.emit([{"file": name, "reason": reason.value, "message": reason.message} for name, reason in refused])
        elif refused:
            rows = [(name, reason.value, reason.message) for name, reason in refused]
            output.table("Not written", ("file", "reason", "what it means"), rows)
    if not json:
        output.err.print("pixels are as they were: look for names in them before you give these films away")
    if refused:
        raise typer.Exit(output.QUARANTINED)
