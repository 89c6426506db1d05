"""Whose films an export holds, under which terms, and which of them a picture bundle may show.

Pictures of films are given away only where their licence is known to allow it and nothing is known to be written in
them. Who has a right that no licence shows says so in words, which the export repeats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import BinaryIO

from services.analytics.cohort.export import csv_file
from services.analytics.cohort.export.part import Part
from services.analytics.cohort.export.table import Content
from services.core.licences import HandingOn, handing_on, remark

WRITING = ("yes", "suspected")  # in the pixels: it may name somebody


@dataclass(frozen=True)
class Terms:
    """The films of one dataset under one licence."""

    dataset: str
    licence: str
    attribution: str
    films: int

    @property
    def says(self) -> HandingOn:
        return handing_on(self.licence)


def terms(content: Content) -> list[Terms]:
    """In the order of datasets, licences, attributions."""
    table = content.frame.table
    rows = zip(*(table[name].to_pylist() for name in ("dataset", "licence", "attribution")), strict=True)
    counted = Counter(tuple(value or "" for value in row) for row in rows)
    return [Terms(*key, films=films) for key, films in sorted(counted.items())]


def reasons(content: Content, right: str) -> list[str]:
    """Why each film's picture is left out, in the order of films; empty where it is not. right: to hand films on, in
    the words of who exports."""
    rows = zip(*(content.frame.table[name].to_pylist() for name in ("licence", "burned_in")), strict=True)
    known = cache(lambda licence, written: reason(licence, written, right))
    return [known(*row) for row in rows]


def reason(licence: str | None, written: str | None, right: str) -> str:
    """Why a picture is left out; empty where it is not. written: is there writing in the film?"""
    if written in WRITING:
        return "writing in the picture"
    says = handing_on(licence)
    return "" if right or says is HandingOn.ALLOWED else f"licence: handing on {says.value}"


def parts(content: Content) -> Iterator[Part]:
    """licences.csv."""
    yield Part("licences.csv", "datasets with their licences and attributions", partial(_write, content))


def _write(content: Content, file: BinaryIO) -> None:
    header = ("dataset", "licence", "attribution", "films", "handing_on", "conditions")
    rows = [(t.dataset, t.licence, t.attribution, t.films, t.says.value, remark(t.licence)) for t in terms(content)]
    csv_file.write(file, header, rows)
