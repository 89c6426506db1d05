"""``hilum searches``: questions kept by name, judged, and asked again better."""

from __future__ import annotations

from typing import Annotated

import typer

from hilum import Asked, Client, SearchResult
from services.app import local, output
from services.app.commands import Data, Json
from services.app.commands.search import show
from services.app.commands.search.options import Panelled, asking, changing
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.spelling import meant

app = typer.Typer(
    no_args_is_help=True, help="Searches kept by name, and marks on their answers.", rich_markup_mode=None
)
Search = Annotated[str, typer.Argument(metavar="SEARCH", help="Its name, or its id.")]


@app.command(cls=Panelled)
@asking
def save(
    asked: Asked,
    title: Annotated[str, typer.Argument(help="What it is called.")],
    search_id: Annotated[str, typer.Option("--replace", help="Keep it in place of this one.")] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Keep a search."""
    with output.errors(), local.client(data) as client:
        kept = client.save_search(title, search_id=search_id, **asked)
    if json:
        output.emit({"search_id": kept.search_id, "title": kept.title})
    else:
        output.out.print(kept.search_id)


@app.command("list")
def list_searches(data: Data = None, json: Json = False) -> None:
    """Your searches, latest first."""
    with output.errors(), local.client(data) as client:
        kept = client.searches()
    columns = ("search_id", "title", "marked", "updated_at")
    rows = [[getattr(one, column) for column in columns] for one in kept]
    if json:
        output.emit([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        output.table("", columns, rows, none="no searches kept yet: `hilum searches save NAME --text WORDS` keeps one")


@app.command()
def run(search: Search, data: Data = None, json: Json = False) -> None:
    """Ask again."""
    with output.errors(), local.client(data) as client:
        _answer(client.run_search(_id(client, search)), json)


@app.command()
def mark(
    search: Search,
    films: Annotated[list[str], typer.Argument(help="Ids of films.")],
    grade: Annotated[int, typer.Option(help="1 relevant, up to 3 where degrees are told apart; 0 not relevant.")] = 1,
    undo: Annotated[bool, typer.Option("--undo", help="Take the marks back instead.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Say which films are relevant (--grade 0: which are not)."""
    with output.errors(), local.client(data) as client:
        kept = _id(client, search)
        marks = client.unmark(kept, *films) if undo else client.mark(kept, *films, grade=grade)
    _marks(marks, json)


@app.command()
def marks(search: Search, data: Data = None, json: Json = False) -> None:
    """What was said of films."""
    with output.errors(), local.client(data) as client:
        _marks(client.marks(_id(client, search)), json)


@app.command(cls=Panelled)
@changing
def refine(
    search: Search,
    asked: Asked,
    method: Annotated[str, typer.Option(help="rocchio or recommend.")] = "rocchio",
    data: Data = None,
    json: Json = False,
) -> None:
    """Ask again, moved towards what is relevant and away from what is not. Options that are given count in place of
    those kept."""
    with output.errors(), local.client(data) as client:
        _answer(client.refine(_id(client, search), method=method, **asked), json)


@app.command()
def delete(search: Search, data: Data = None) -> None:
    """Forget a search and its marks."""
    with output.errors(), local.client(data) as client:
        output.out.print(f"forgotten: {client.delete_search(_id(client, search)).title}", markup=False)


def _id(client: Client, said: str) -> str:
    """Of the search of this name, else what was said: an id."""
    kept = list(client.searches())
    called = [one.search_id for one in kept if one.title == said]
    if len(called) > 1:
        raise invalid(f"{len(called)} searches have this name; give the id, as `hilum searches list` shows it")
    if not called and not any(one.search_id == said for one in kept):
        hint = meant(said, [one.title for one in kept]) or ";"
        raise HilumError(ErrorCode.NOT_FOUND, f"no such saved search{hint} `hilum searches list` shows those there are")
    return called[0] if called else said


def _answer(found: SearchResult, json: bool) -> None:
    if json:
        output.emit(show.whole(found))
    else:
        show.answer(found)


def _marks(marks: dict[str, int], json: bool) -> None:
    if json:
        output.emit(marks)
    else:
        output.table("", ("image_id", "grade"), list(marks.items()))
