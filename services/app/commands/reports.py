"""``hilum reports``: reports by words, by meaning or by a film."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from services.app import local, output
from services.app.commands import Data, Json, Where

app = typer.Typer(
    no_args_is_help=True, help="Reports: find them by words, by meaning, by a film.", rich_markup_mode=None
)


@app.command()
def search(
    text: Annotated[str | None, typer.Argument(help="Words, e.g. 'large effusion, no pneumothorax'.")] = None,
    image: Annotated[str | None, typer.Option(help="A film as a file: reports that would suit it.")] = None,
    id: Annotated[str | None, typer.Option("--id", help="A stored film.")] = None,
    how: Annotated[str, typer.Option(help="fused, words (BM25) or meaning (a model's text tower).")] = "fused",
    model: Annotated[str, typer.Option(help="Of the meaning (default: the first that can).")] = "",
    section: Annotated[str, typer.Option(help="One section, e.g. impression.")] = "",
    where: Where = "",
    limit: Annotated[int, typer.Option(help="How many.")] = 10,
    exclude: Annotated[str, typer.Option(help="Whose reports do not count: patient, study or none.")] = "patient",
    data: Data = None,
    json: Json = False,
) -> None:
    """Find reports by words or by a film."""
    if sum(given is not None for given in (text, image, id)) != 1:
        output.fail("give exactly one of words, --image or --id", output.USAGE)
    with output.errors(), local.client(data) as client:
        found = client.search_reports(
            text, image=image, id=id, how=how, model=model, where=where, section=section, limit=limit, exclude=exclude
        )
        if json:
            output.emit({"hits": list(map(asdict, found)), "indexed": found.indexed, "provenance": found.provenance})
            return
        shown = ("rank", "score", "dataset", "study_id", "section", "sentences", "lexical_rank", "meaning_rank")
        output.table("", shown, [[row[column] for column in shown] for row in found.rows()])
        for note in found.provenance["notes"]:
            output.err.print(f"note: {note}")
        used = ", ".join(f"{name} {use['fingerprint'][:8]}" for name, use in found.provenance["models"].items())
        said = f"{used or 'words'} · of {found.indexed} · {found.provenance['elapsed_ms']:.1f} ms · research use only"
        output.err.print(said)


@app.command()
def index(
    dataset: Annotated[str, typer.Option(help="Only this dataset.")] = "", data: Data = None, json: Json = False
) -> None:
    """Make stored reports findable. Interrupted, the same command goes on; ingests with reports do so themselves."""
    with output.errors(), local.client(data) as client:
        done = output.follow(client.index_reports(dataset), "reports")
        if json:
            output.emit({"job_id": done.job_id, "state": done.state, "counts": done.counts, "error": done.error})
        else:
            output.out.print(f"{done.state}: {output.counts(done.counts) or 'no reports are stored'}")
    for name in done.result.get("without", []):
        output.err.print(f"note: not for {name}: the encoder that answers for it is not at hand")
    if done.state != "succeeded":
        output.fail(done.error or f"the job was {done.state}")
