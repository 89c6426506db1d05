"""A set of films understood: who they are, what they are rich in, and the nearest ordinary films beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.analytics import graph
from services.analytics.sample import Sample
from services.analytics.structure import describe, enrichment
from services.analytics.structure.enrichment import Enriched
from services.analytics.structure.terms import FINDING, UNKNOWN_VALUE, Term

SHOWN = 6
RARE = 0.05  # share of films with a known value
_NAMED = 3


@dataclass(frozen=True)
class Region:
    """rows: its films.  line: them in words.  rich: what they are rich in beyond doubt, the most telling first.
    beside: some of its films, from its middle and its edge, each with the nearest ordinary film of another patient and
    the distance to it."""

    title: str
    rows: NDArray[np.int64]
    line: str
    rich: list[Enriched]
    beside: list[tuple[int, int, float]]


def understand(
    sets: Sequence[tuple[str, NDArray[np.int64]]], unit: NDArray[np.float32], flagged: NDArray[np.int64], films: Sample,
    terms: Sequence[Term],
) -> list[Region]:  # fmt: skip
    """sets: titles, and rows of the films in question; false discoveries are bounded over all of them.  flagged:
    outliers, which are not ordinary."""
    masks = [np.isin(np.arange(len(films)), rows).astype(np.int32) for _, rows in sets]
    enriched = enrichment.enrich(masks, films.patients, terms)
    found = []
    for (title, rows), inside, every in zip(sets, masks, enriched, strict=True):
        rich = sorted((e for e in every if e.cluster == 1 and e.found), key=lambda e: -describe.phi(e))
        strange = inside > 0
        strange[flagged] = True
        beside = nearest(_some(rows, unit), unit, strange, films)
        found.append(Region(title, rows, describe.describe(1, rich, films, inside), rich, beside))
    return found


def nearest(
    rows: NDArray[np.int64], unit: NDArray[np.float32], strange: NDArray[np.bool_], films: Sample
) -> list[tuple[int, int, float]]:
    """Each of `rows` with the nearest film that is not `strange` and not of its patient, and the distance."""
    found = []
    for row in rows:
        # Everything that is out of the question stands for the film's own patient.
        out = strange | (films.patients == films.patients[row])
        out[row] = True
        if out.all():
            continue
        near, away = graph.exact(unit, 1, np.array([row]), patients=out.astype(np.int32))
        found.append((int(row), int(near[0, 0]), float(away[0, 0])))
    return found


def _some(rows: NDArray[np.int64], unit: NDArray[np.float32]) -> NDArray[np.int64]:
    """Half from the middle, half from the edge."""
    if len(rows) <= SHOWN:
        return rows
    middle = unit[rows].mean(axis=0, dtype=np.float64)
    order = rows[np.argsort(-(unit[rows] @ middle.astype(np.float32)), kind="stable")]
    return np.concatenate([order[: SHOWN // 2], order[-(SHOWN - SHOWN // 2) :]])


def rarities(row: int, terms: Sequence[Term]) -> list[str]:
    """What few other films have: values of fields, the rarest first."""
    found = []
    for term in terms:
        if term.has[row] == 1 and term.value != UNKNOWN_VALUE and term.about != FINDING:
            share = float((term.has == 1).sum() / (term.has >= 0).sum())
            if share < RARE:
                found.append((share, f"{term.name} ({share:.1%} of films)"))
    return [words for _, words in sorted(found)[:_NAMED]]
