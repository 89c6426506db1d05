"""How the answer of a search is told: tables and notes for people, one object for machines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hilum import Hit, SearchResult, showing
from services.app import output


def whole(found: SearchResult) -> dict[str, Any]:
    """Everything there is, for machines."""
    return {
        "hits": [_hit(row, hit) for row, hit in zip(found.rows(), found.hits, strict=True)],
        "priors": [_hit(showing.row(place, hit), hit) for place, hit in enumerate(found.priors, 1)],
        "understood": [one._asdict() for one in found.understood],
        "nothing_comparable": found.nothing_comparable,
        "warnings": found.warnings,
        "provenance": found.provenance,
    }


def answer(found: SearchResult) -> None:
    """For people: films on stdout, what is to be known of them on stderr."""
    for line in showing.head(found):
        output.err.print(line, style="bold yellow", markup=False, soft_wrap=True)
    if found.priors:
        rows = [(hit.film.study_date, f"{hit.score:.4f}", hit.film.view, ", ".join(hit.film.present), hit.image_id)
                for hit in found.priors]  # fmt: skip
        output.table("the patient's own films, earliest first", ("date", "score", "view", "present", "image_id"), rows)
        output.out.print()
    if found.hits:
        output.table("", *showing.table(found.rows()))
    else:
        output.err.print("no film passes: take a condition away, or leave out less", markup=False)
    told(found)


def told(found: SearchResult) -> None:
    """Notes and provenance."""
    for words in found.understood:
        output.err.print(f"read {words}", markup=False, soft_wrap=True)
    for note in found.provenance["notes"]:
        output.err.print(f"note: {note}", markup=False, soft_wrap=True)
    used = ", ".join(f"{name} {use['fingerprint'][:8]}" for name, use in found.provenance["models"].items())
    how = "exact" if found.provenance["exact"] else "approximate index"
    output.err.print(
        f"{used} · {how} · {found.provenance['elapsed_ms']:.1f} ms · research use only", markup=False, soft_wrap=True
    )


def stream(pieces: Iterator[SearchResult], as_json: bool) -> None:
    """Hits as they come: a JSON object or a line of tab-separated values each."""
    rank, piece = 0, None
    for piece in pieces:
        if not rank and not as_json:
            output.line("\t".join(showing.COLUMNS))
        for hit in piece:
            rank += 1
            row = showing.row(rank, hit)
            if as_json:
                output.line(json.dumps(_hit(row, hit), ensure_ascii=False))
            else:
                output.line("\t".join("" if row[name] is None else str(row[name]) for name in showing.COLUMNS))
    if piece is not None:
        for line in showing.head(piece):
            output.err.print(line, style="bold yellow", markup=False, soft_wrap=True)
        told(piece)


def _hit(row: dict[str, Any], hit: Hit) -> dict[str, Any]:
    return {**row, "copies": hit.copies, "models": [place._asdict() for place in hit.agreement]}
