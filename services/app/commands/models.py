"""``hilum models``: the encoders at hand."""

from __future__ import annotations

import typer

from services.app import local, output
from services.app.commands import Data, Json

app = typer.Typer(no_args_is_help=True, help="Encoders.", rich_markup_mode=None)


@app.command("list")
def list_models(data: Data = None, json: Json = False) -> None:
    """Which encoders there are, what they answer, and how many films each has."""
    with output.errors(), local.client(data) as client:
        rows = [
            {"name": m.name, "dim": m.dim, "text": m.text, "images": m.images, "fingerprint": m.fingerprint[:16],
             "collection": m.collection, "preprocessing": m.preprocessing, "pooling": m.pooling}
            for m in client.models()
        ]  # fmt: skip
        if json:
            output.emit(rows)
        else:
            shown = ("name", "dim", "text", "images", "collection")
            output.table("", shown, [[row[column] for column in shown] for row in rows])
