"""``hilum teach list``, ``show``, ``edit`` and the states and versions of files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import click
import typer
from google.protobuf import json_format

from hilum import HilumError, TeachingFile
from services.app import local, output
from services.app.commands import Data, Json, names
from services.app.commands.teach import papers

File = Annotated[str, typer.Argument(metavar="FILE", help="Its id, as `hilum teach list` shows it.")]
Note = Annotated[str, typer.Option(help="About this change.")]
Number = Annotated[int, typer.Option("--version", help="The version that you looked at; a later one refuses this.")]


def list_files(
    words: Annotated[list[str] | None, typer.Argument(help="Words that stand in it.")] = None,
    state: Annotated[str, typer.Option(help="draft, review or published.")] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Teaching files, the one changed last first."""
    with output.errors(), local.client(data) as client:
        found = list(client.teaching_files(" ".join(words or ()), state))
    if json:
        output.emit([json_format.MessageToDict(one, preserving_proto_field_name=True) for one in found])
        return
    rows = [(one.file_id, one.title, one.state, one.version, one.films, one.updated_at) for one in found]
    none = (
        "no such teaching files"
        if words or state
        else "no teaching files yet: `hilum teach assemble FINDING` drafts one"
    )
    output.table("", ("file", "title", "state", "version", "films", "changed"), rows, none)


def show(
    file: File,
    number: Annotated[int, typer.Option("--version", help="Which version; 0: the latest.")] = 0,
    out: Annotated[str, typer.Option(help="yaml or json: the document alone, to edit and give back.")] = "yaml",
    data: Data = None,
    json: Json = False,
) -> None:
    """The document of a file."""
    with output.errors(), local.client(data) as client:
        one = client.teaching_file(file, number)
    if json:
        output.emit(papers.told(one))
        return
    output.line((papers.plain if out == "json" else papers.write)(one.document))
    hidden = f", {one.hidden_films} films that you may not see" if one.hidden_films else ""
    output.err.print(f"version {one.version} of {one.latest}, {one.state}{hidden}")
    for remark in one.remarks:
        output.err.print(f"note: {remark}", markup=False, soft_wrap=True)


def edit(
    file: File,
    document: Annotated[
        Path | None, typer.Argument(help="The document as it shall be, YAML or JSON; - reads stdin.")
    ] = None,
    made_from: Annotated[int, typer.Option("--from", help="The version that was edited; 0: the latest.")] = 0,
    note: Note = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Put an edited document into a file; without one, an editor opens. What others edited meanwhile is merged."""
    with output.errors(), local.client(data) as client:
        base = client.teaching_file(file, made_from)
        text = "" if document else click.edit(papers.write(base.document), extension=".yaml")
        if text is None:
            output.fail("nothing was saved in the editor; the file is as it was")
        told = papers.read(document) if document else papers.parsed(text)
        try:
            made = client.update_teaching_file(file, base.version, told, note)
        except HilumError:
            if not document:  # what was typed is not thrown away
                output.err.print(f"your text is kept in {papers.rescue(text)}", markup=False, soft_wrap=True)
            raise
    _moved(made, json)


def review(file: File, number: Number = 0, note: Note = "", data: Data = None, json: Json = False) -> None:
    """Ask for review."""
    with output.errors(), local.client(data) as client:
        _moved(client.review_teaching_file(file, number, note), json)


def publish(file: File, number: Number = 0, note: Note = "", data: Data = None, json: Json = False) -> None:
    """Let readers see a file, after review."""
    with output.errors(), local.client(data) as client:
        _moved(client.publish_teaching_file(file, number, note), json)


def withdraw(file: File, number: Number = 0, note: Note = "", data: Data = None, json: Json = False) -> None:
    """Take a file back: a draft that readers do not see."""
    with output.errors(), local.client(data) as client:
        _moved(client.withdraw_teaching_file(file, number, note), json)


def share(
    file: File,
    read: Annotated[str, typer.Option(help="Names, comma-separated, or '*'.")] = "",
    update: Annotated[str, typer.Option(help="Names, comma-separated, or '*'.")] = "",
    export: Annotated[str, typer.Option(help="Names, comma-separated, or '*'.")] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Say who may read, edit and export a file, in place of what was said before."""
    with output.errors(), local.client(data) as client:
        _moved(client.share_teaching_file(file, names(read), names(update), names(export)), json)


def versions(file: File, data: Data = None, json: Json = False) -> None:
    """Every version, the latest first; refused: an edit that overlapped with another, kept."""
    with output.errors(), local.client(data) as client:
        found = client.teaching_versions(file)
    if json:
        output.emit([json_format.MessageToDict(one, preserving_proto_field_name=True) for one in found])
        return
    rows = [
        (one.version, "refused" if one.refused else "", one.made_from, one.author, one.created_at, one.note)
        for one in found
    ]
    output.table("", ("version", "", "made from", "author", "when", "note"), rows)


def restore(
    file: File,
    number: Annotated[int, typer.Argument(metavar="VERSION", help="The version to be the file again.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Let an earlier version, or a refused edit, be the file again, as a new version."""
    with output.errors(), local.client(data) as client:
        _moved(client.restore_teaching_file(file, number, client.teaching_file(file).latest), json)


def delete(
    file: File,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Delete a file with all its versions and tries. Films of the archive stay."""
    with output.errors(), local.client(data) as client:
        one = client.teaching_file(file)
        if not yes and not typer.confirm(f"Delete “{one.title}” with its {one.latest} versions?"):
            raise typer.Exit(output.FAILED)
        gone = client.delete_teaching_file(file)
    output.emit({"versions": gone}) if json else output.out.print(f"{gone} versions deleted")


def _moved(one: TeachingFile, json: bool) -> None:
    if json:
        output.emit(papers.told(one))
        return
    output.out.print(f"version {one.version}, {one.state}")
    for remark in one.remarks:
        output.err.print(f"note: {remark}", markup=False, soft_wrap=True)
