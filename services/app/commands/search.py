"""``hilum search``: films by a film, or by words."""

from __future__ import annotations

from typing import Annotated

import typer

from services.app import local, output
from services.app.commands import Data, Json, Models, Where, names


def search(
    text: Annotated[str | None, typer.Option(help="Words, e.g. 'large left pleural effusion'.")] = None,
    image: Annotated[str | None, typer.Option(help="A film as a file: DICOM, PNG or JPEG.")] = None,
    id: Annotated[str | None, typer.Option("--id", help="A stored film.")] = None,
    models: Models = "",
    where: Where = "",
    limit: Annotated[int, typer.Option(help="How many films.")] = 10,
    exclude: Annotated[str, typer.Option(help="Whose films do not count: patient, study or none.")] = "patient",
    exact: Annotated[bool, typer.Option("--exact", help="Compare with every film instead of the index.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Find films like a film, or films by words."""
    if sum(given is not None for given in (text, image, id)) != 1:
        output.fail("give exactly one of --text, --image or --id", output.USAGE)
    with output.errors(), local.client(data) as client:
        found = client.search(
            text=text, image=image, id=id, models=names(models), where=where, limit=limit, exclude=exclude, exact=exact
        )
        if json:
            output.emit({"hits": found.rows(), "provenance": found.provenance})
            return
        shown = ("rank", "score", "view", "sex", "age", "patient_id", "present", "image_id")
        output.table("", shown, [[row[column] for column in shown] for row in found.rows()])
        for note in found.provenance["notes"]:
            output.err.print(f"note: {note}")
        used = ", ".join(f"{name} {use['fingerprint'][:8]}" for name, use in found.provenance["models"].items())
        how = "exact" if found.provenance["exact"] else "approximate index"
        output.err.print(f"{used} · {how} · {found.provenance['elapsed_ms']:.1f} ms · research use only")
