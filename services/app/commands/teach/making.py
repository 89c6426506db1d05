"""``hilum teach assemble``, ``new`` and ``import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hilum import Stored, TeachingFile
from services.app import local, output
from services.app.commands import Data, Json, Where, names
from services.app.commands.teach import papers


def assemble(
    finding: Annotated[str, typer.Argument(help="What it is about, e.g. pleural_effusion.")] = "",
    text: Annotated[str, typer.Option(help="Also, or instead: words.")] = "",
    id: Annotated[str, typer.Option("--id", help="An index film of the archive.")] = "",
    like: Annotated[list[str] | None, typer.Option(help="An example, by its id; may be given again.")] = None,
    image: Annotated[str, typer.Option(help="A film as a file.")] = "",
    search: Annotated[str, typer.Option(help="A saved search, by its id.")] = "",
    models: Annotated[str, typer.Option("--models", "--model", help="Model names, comma-separated.")] = "",
    where: Where = "",
    typical: Annotated[int, typer.Option(help="Typical cases.")] = 4,
    atypical: Annotated[int, typer.Option(help="Atypical cases.")] = 4,
    lookalikes: Annotated[int, typer.Option(help="Films alike with another diagnosis.")] = 4,
    normals: Annotated[int, typer.Option(help="Normals of the same views, sex and age bands.")] = 4,
    cases: Annotated[bool, typer.Option(help="A file for each case instead of one with sections.")] = False,
    title: Annotated[str, typer.Option(help="Its title.")] = "",
    restricted: Annotated[bool, typer.Option(help="Take films whose licence forbids handing on, too.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Draft a teaching file from the archive: typical, atypical, look-alikes and normals, each with why."""
    asked: dict[str, object] = {"text": text, "id": id, "image": image, "like": [Stored(one) for one in like or ()]}
    with output.errors(), local.client(data) as client:
        made = client.assemble_teaching(
            finding, search=search, models=names(models), where=where, typical=typical, atypical=atypical,
            lookalikes=lookalikes, normals=normals, cases=cases, title=title, restricted=restricted,
            **{name: value for name, value in asked.items() if value},  # type: ignore[arg-type]
        )  # fmt: skip
        if json:
            output.emit({
                "files": [papers.told(one) for one in made.files], "notes": made.notes, "seconds": made.seconds
            })  # fmt: skip
            return
        for one in made.files:
            _chosen(one)
        _notes(made.notes)
        output.err.print(f"{made.seconds:.1f} s")


def new(
    document: Annotated[Path, typer.Argument(help="YAML or JSON; - reads stdin.")],
    note: Annotated[str, typer.Option(help="About this version.")] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Keep a case that somebody wrote, as a draft."""
    with output.errors(), local.client(data) as client:
        made = client.create_teaching_file(papers.read(document), note)
    output.emit(papers.told(made)) if json else output.line(made.file_id)


def import_file(
    archive: Annotated[Path, typer.Argument(help="A MIRCdocument: XML, or a zip with it and its pictures.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Draft a teaching file from a MIRCdocument. Its texts are as they came: read them before you publish."""
    with output.errors(), local.client(data) as client:
        try:
            made = client.import_teaching_file(archive)
        except OSError as error:
            output.fail(f"the file cannot be read: {error.strerror}", output.USAGE)
    if json:
        output.emit({"file": papers.told(made.file), "notes": made.notes})
        return
    output.line(made.file.file_id)
    _notes(made.notes)


def _chosen(one: TeachingFile) -> None:
    output.out.print(f"{one.file_id}  {one.title}", markup=False)
    rows = [
        (image.get("section", ""), image.get("severity", ""), image.get("image_id", ""), image.get("why", ""))
        for image in one.document.get("images", ())
    ]
    output.table("", ("group", "severity", "film", "why"), rows)


def _notes(notes: tuple[str, ...]) -> None:
    for note in notes:
        output.err.print(f"note: {note}", markup=False, soft_wrap=True)
