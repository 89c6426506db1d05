"""``hilum search``: films by a film, by words, or by several things at once."""

from __future__ import annotations

import json as jsons
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hilum import Asked
from services.app import local, output
from services.app.commands import Data, Json
from services.app.commands.search import show
from services.app.commands.search.options import SHOWN, asking

_MOST = 10_000


@asking
def search(
    asked: Asked,
    all: Annotated[
        bool,
        typer.Option("--all", help="Every film as it is read (--limit: 10000), one a line.", rich_help_panel=SHOWN),
    ] = False,
    why_not: Annotated[
        str | None, typer.Option(metavar="ID", help="Why is this film not among the answers?", rich_help_panel=SHOWN)
    ] = None,
    report_json: Annotated[
        Path | None, typer.Option(help="Also write the whole answer to this file.", rich_help_panel=SHOWN)
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Find films like a film, by words, or by several things at once."""
    with output.errors(), local.client(data) as client:
        if why_not is not None:
            reasons = client.why_not(why_not, **asked)
            if json:
                output.emit([asdict(reason) for reason in reasons])
                return
            for reason in reasons:
                output.out.print(str(reason), markup=False)
            return
        if all:
            show.stream(client.search_stream(**{"limit": _MOST, **asked}), json)
            return
        with output.busy("asking; the first question waits for its model to load"):
            found = client.search(**asked)
        if report_json is not None:
            report_json.write_text(jsons.dumps(show.whole(found), ensure_ascii=False, indent=2))
        if json:
            output.emit(show.whole(found))
        else:
            show.answer(found)
