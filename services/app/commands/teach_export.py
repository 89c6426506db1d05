"""``hilum teach export``: teaching files as files for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.app import local, output
from services.app.commands import Data, Json, names

FORMATS = "mirc,tce,html,pptx,pdf,anki"


def export(
    file_id: Annotated[str, typer.Argument(help="Of the teaching file.")],
    format: Annotated[str, typer.Option(help=f"One or more of {FORMATS}, comma-separated.")] = FORMATS,
    to: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("."),
    number: Annotated[int, typer.Option("--version", help="Which version; 0: the latest.")] = 0,
    quiz: Annotated[bool, typer.Option(help="As an unknown: the answer apart, or hidden until asked for.")] = False,
    right: Annotated[
        str, typer.Option(help="In words: by which right films leave whose licence does not allow it. Printed.")
    ] = "",
    written: Annotated[
        bool, typer.Option(help="I looked at the films with writing in the picture: they name nobody.")
    ] = False,
    purpose: Annotated[str, typer.Option(help="Of tce: teaching, trial, research or publication.")] = "teaching",
    codes: Annotated[str, typer.Option(help="Of tce: dcm, or iheradtf for RSNA's receivers.")] = "dcm",
    data: Data = None,
    json: Json = False,
) -> None:
    """Write a teaching file as MIRCdocument, IHE TCE, offline page, slides, PDF and Anki deck: de-identified, with
    every film's licence and attribution. A film whose licence forbids it is left out, and that is said."""
    rows, notes = [], dict[str, None]()
    with output.errors(), local.client(data) as client:
        for name in names(format):
            made = client.export_teaching_file(
                file_id, name, version=number, quiz=quiz, right=right, written=written, purpose=purpose, codes=codes
            )
            to.mkdir(parents=True, exist_ok=True)
            (path := to / made.filename).write_bytes(made.data)
            rows.append({"format": name, "file": str(path), "bytes": len(made.data)})
            notes |= dict.fromkeys(made.notes)
        if json:
            output.emit({"files": rows, "notes": list(notes)})
            return
        output.table("", ("format", "file", "bytes"), [tuple(row.values()) for row in rows])
        for note in notes:
            output.err.print(note, markup=False, soft_wrap=True)
