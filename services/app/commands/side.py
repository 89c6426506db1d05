"""``hilum side``: tables of what else is known, to filter by."""

from __future__ import annotations

from typing import Annotated

import typer
from google.protobuf import json_format

from hilum import Client
from hilum.v1 import sides_pb2
from services.app import local, output
from services.app.commands import Data, Json, names

app = typer.Typer(no_args_is_help=True, help="Side tables, to filter by.", rich_markup_mode=None)
Dataset = Annotated[str, typer.Option(help="Whose films, studies or patients the table is about.")]


@app.command("add")
def add(
    source: Annotated[str, typer.Argument(help="A CSV (.gz) or Parquet table.")],
    dataset: Dataset,
    name: Annotated[str, typer.Option(help="Filters then say side.NAME.column.")],
    columns: Annotated[str, typer.Option(help="Columns to keep: names or patterns, as in 'income,adi_*'.")],
    level: Annotated[str, typer.Option(help="image, study or patient (default: told by the column of ids).")] = "",
    key: Annotated[str, typer.Option(help="Column of ids; several are joined by '-': a,b.")] = "",
    text: Annotated[str, typer.Option(help="Columns that are text though they look like numbers: codes.")] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Keep columns of a table, one row per film, study or patient; the same command again replaces them."""
    with output.errors(), local.client(data) as client:
        stored = client.store_side(
            source, dataset, name, names(columns), level=level, key=key, text=names(text)
        )  # fmt: skip
        if json:
            output.emit(json_format.MessageToDict(stored, preserving_proto_field_name=True))
        else:
            tell(stored)


@app.command("list")
def list_tables(data: Data = None, json: Json = False) -> None:
    """Every side table with its columns."""
    with output.errors(), local.client(data) as client:
        found = client.sides()
        if json:
            output.emit([json_format.MessageToDict(table, preserving_proto_field_name=True) for table in found])
            return
        rows = [
            (f"side.{table.name}.{column.name}", column.kind, column.title, table.level, table.dataset, table.rows)
            for table in found
            for column in table.columns
        ]
        output.table("", ("filter by", "kind", "column", "level", "dataset", "rows"), rows, none="no side tables yet")


@app.command("delete")
def delete(
    name: Annotated[str, typer.Argument(help="Name of the side table.")],
    dataset: Dataset,
    data: Data = None,
    json: Json = False,
) -> None:
    """Delete a side table."""
    with output.errors(), local.client(data) as client:
        gone = client.delete_side(dataset, name)
        if json:
            output.emit({"rows": gone})
        else:
            output.out.print(f"{gone} rows deleted")


def after_ingest(client: Client, dataset: str, asked: list[str]) -> None:
    """The tables of ``hilum ingest --side NAME=FILE:COLUMNS``, once their films are there."""
    for one in asked:
        name, file, columns = parts(one)
        tell(client.store_side(file, dataset, name, names(columns)))


def parts(asked: str) -> tuple[str, str, str]:
    """``sdoh=table.csv:income,adi_*`` → name, file, columns."""
    name, equals, rest = asked.partition("=")
    file, colon, columns = rest.rpartition(":")
    if not (equals and colon and name and file and columns):
        raise typer.BadParameter("a side table is given as NAME=FILE:COLUMNS, as in sdoh=sdoh.csv:income,adi_*")
    return name.strip(), file, columns


def tell(stored: sides_pb2.SideTableStored) -> None:
    """What was kept and what was not."""
    table = stored.table
    output.out.print(
        f"side table {table.name}: {table.rows} rows by {table.level}, {len(table.columns)} columns; "
        f"{stored.strangers} rows belong to no stored film"
    )
    if stored.refused:
        output.out.print(f"not kept, because they identify people: {', '.join(stored.refused)}")
