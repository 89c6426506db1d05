"""Answers as flat rows, as text tables, and as pictures in a notebook."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from hilum.results import Hit, SearchResult

Thumbnail: TypeAlias = Callable[[str], bytes]
Row: TypeAlias = dict[str, Any]

NOTHING_COMPARABLE = "no comparable case here: these are the nearest films there are"
# Every column with its kind, in the order of frames.
COLUMNS = {
    "rank": "integer", "score": "number", "image_id": "text", "dataset": "text", "patient_id": "text",
    "study_id": "text", "view": "text", "sex": "text", "age": "number", "present": "text", "same_patient": "truth",
    "probability": "number", "low": "number", "high": "number", "finding": "text", "agreement": "text",
    "copies": "integer", "group": "text", "hub": "number", "why": "text",
}  # fmt: skip
# Columns of a table for people; those beyond the first only where some hit has something to say.
_ALWAYS = ("rank", "score", "view", "sex", "age", "patient_id", "present", "image_id")
_IN_TABLE = (
    "rank", "score", "probability", "agreement", "view", "sex", "age", "patient_id", "present", "group", "copies",
    "hub", "why", "image_id",
)  # fmt: skip
_KINDS = ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"RIFF", "image/webp"))
_MOST_PICTURES = 100
_AT_ONCE = 8


def row(rank: int, hit: Hit) -> Row:
    """A hit as one flat row, `COLUMNS` each; None where nothing is known."""
    film, said = hit.film, hit.calibrated
    return {
        "rank": rank, "score": round(hit.score, 4), "image_id": film.image_id, "dataset": film.dataset,
        "patient_id": film.patient_id, "study_id": film.study_id, "view": film.view, "sex": film.sex, "age": film.age,
        "present": ", ".join(film.present), "same_patient": hit.same_patient,
        "probability": said and said.probability, "low": said and said.low, "high": said and said.high,
        "finding": said and said.finding, "agreement": hit.agrees, "copies": len(hit.copies),
        "group": hit.group or None, "hub": hit.hub, "why": hit.why or None,
    }  # fmt: skip


def table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Headings and cells for people, without the columns that say nothing."""
    shown = [_for_people(one) for one in rows]
    names = [name for name in _IN_TABLE if name in _ALWAYS or any(one[name] for one in shown)]
    return names, [[one[name] for name in names] for one in shown]


def _for_people(one: Row) -> dict[str, str]:
    said = {name: "" if value is None else str(value) for name, value in one.items()}
    said["age"] = "" if one["age"] is None else f"{one['age']:g}"
    if one["probability"] is not None:
        said["probability"] = f"{one['probability']:.2f} [{one['low']:.2f}, {one['high']:.2f}]"
    if one["agreement"].endswith(" of 1"):
        said["agreement"] = ""
    said["copies"] = str(one["copies"] or "")
    said["hub"] = "" if one["hub"] is None else f"{one['hub']:.1f}×"
    return said


def text(rows: Sequence[Row]) -> str:
    """A table in plain text."""
    names, cells = table(rows)
    lines = [names, *cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(names))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def kind(picture: bytes) -> str:
    """The media type of a thumbnail."""
    return next((name for magic, name in _KINDS if picture.startswith(magic)), "image/jpeg")


class Pictures:
    """Thumbnails of an answer: fetched when they are first shown, or `put` there by who fetched them."""

    def __init__(self, thumbnail: Thumbnail | None = None) -> None:
        self._thumbnail, self._held = thumbnail, dict[str, bytes]()

    def put(self, pictures: Mapping[str, bytes]) -> None:
        self._held.update(pictures)

    def of(self, ids: Sequence[str]) -> dict[str, bytes]:
        """image_id → picture, of those that are here or can be fetched."""
        lacking = [image_id for image_id in ids if image_id not in self._held]
        if self._thumbnail is not None and lacking:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                self._held.update(zip(lacking, pool.map(self._thumbnail, lacking), strict=True))
        return {image_id: self._held[image_id] for image_id in ids if image_id in self._held}


def pictured(result: SearchResult) -> list[str]:
    """Ids of the films that a grid shows: the first hundred hits, and priors."""
    return [hit.image_id for hit in (*result.priors, *result.hits[:_MOST_PICTURES])]


def head(result: SearchResult) -> list[str]:
    """What is to be known before any hit is looked at."""
    return [*([NOTHING_COMPARABLE] if result.nothing_comparable else []), *result.warnings]


def grid(result: SearchResult, pictures: Pictures) -> str:
    """HTML: the films with their captions, priors first; the table where no pictures are here."""
    held = pictures.of(pictured(result))
    if result.hits and not held:
        return f"<pre>{html.escape(str(result))}</pre>"
    top = "".join(f"<p><b>{html.escape(line)}</b></p>" for line in head(result))
    priors = "".join(_figure(_words("prior", hit), held.get(hit.image_id)) for hit in result.priors)
    figures = "".join(
        _figure(_words(str(rank), hit), held.get(hit.image_id))
        for rank, hit in enumerate(result.hits[:_MOST_PICTURES], 1)
    )
    more = len(result.hits) - _MOST_PICTURES
    tail = f"<p>… and {more} more</p>" if more > 0 else ""
    return f"<div>{top}{f'<div>{priors}</div><hr>' if priors else ''}{figures}{tail}</div>"


def _words(place: str, hit: Hit) -> str:
    said = [place, f"{hit.score:.3f}", hit.film.view, hit.film.study_date if place == "prior" else None]
    said += [f"P {hit.calibrated}" if hit.calibrated else None, hit.agrees if hit.asked > 1 else None]
    said += [", ".join(hit.film.present), f"{len(hit.copies)} copies" if hit.copies else None, hit.why]
    return " · ".join(filter(None, said))


def _figure(words: str, picture: bytes | None) -> str:
    shown = ""
    if picture:
        source = f"data:{kind(picture)};base64,{base64.b64encode(picture).decode()}"
        shown = f'<img style="width:100%;background:#000" src="{source}">'
    return (
        '<figure style="margin:4px;width:170px;display:inline-block;vertical-align:top">'
        f'{shown}<figcaption style="font:12px sans-serif">{html.escape(words)}</figcaption></figure>'
    )
