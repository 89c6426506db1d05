"""A cluster in one plain line, from what it is rich in beyond doubt, and the films to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from services.analytics.graph import Graph
from services.analytics.sample import Sample
from services.analytics.structure.enrichment import Enriched
from services.analytics.structure.terms import FINDING, MACHINE, PERSON, PLACE, SIDE, UNKNOWN_VALUE, VIEW, whole

MOSTLY = 0.6  # share of a cluster's films that makes it mostly so
ALIKE = 0.3  # correlation: what Cohen (1988) calls medium
_AT_MOST = 3  # findings named, and other terms
_LOOKS = {FINDING: "finding", PERSON: "person", MACHINE: "scanner", PLACE: "site", VIEW: "view", SIDE: "side-table"}
_PEOPLE = {"F": "women", "M": "men"}
_MOST = 999


def describe(cluster: int, found: Sequence[Enriched], films: Sample, members: NDArray[np.int32]) -> str:
    """One line; × are odds ratios by patient, those first that are surely large. found: of every cluster."""
    rich = sorted(_rich(cluster, found), key=lambda e: -e.low)
    return "; ".join([_who(films, members == cluster, rich), *_what(rich)])


def verdict(cluster: int, found: Sequence[Enriched]) -> str:
    """What kind of cluster it looks like: that of the term that tells its films best from others, where the two go
    together well; else what it leans to. Empty where nothing tells."""
    rich = _rich(cluster, found)
    if not rich:
        return ""
    telling = max(rich, key=phi)
    if phi(telling) < ALIKE:
        return f"leans to {telling.term.name}"
    return f"looks like a {_LOOKS[telling.term.about]} cluster ({telling.term.name})"


def _rich(cluster: int, found: Sequence[Enriched]) -> list[Enriched]:
    """What the cluster is rich in; of a finding on one side only where not of the finding itself."""
    rich = [e for e in found if e.cluster == cluster and e.found]
    named = whole([e.term.field for e in rich if e.term.about == FINDING])
    return [e for e in rich if e.term.about != FINDING or e.term.field in named]


def phi(enriched: Enriched) -> float:
    """Correlation of being in the cluster and having the term, by patient: −1 to 1."""
    a, b, c, d = enriched.people.astype(float)
    scale = np.sqrt((a + b) * (c + d) * (a + c) * (b + d))
    return float((a * d - b * c) / scale) if scale else 0.0


def _who(films: Sample, inside: NDArray[np.bool_], rich: Sequence[Enriched]) -> str:
    """Such as: mostly AP films of older men."""
    views = _majority(np.array(films.view)[inside])
    people = _PEOPLE.get(_majority(np.array(films.sex)[inside], 0.7), "")
    ages = [e for e in rich if e.term.field == "age" and e.term.value != UNKNOWN_VALUE]
    if ages:
        middle, all_ = np.nanmedian(films.age[inside]), np.nanmedian(films.age)
        people = f"{'older' if middle > all_ else 'younger'} {people or 'patients'}"
    what = f"mostly {views} films" if views else "films of several views" if any(films.view) else "films"
    return f"{what} of {people}" if people else what


def _what(rich: Sequence[Enriched]) -> list[str]:
    findings = [e for e in rich if e.term.about == FINDING][:_AT_MOST]
    fields: dict[str, Enriched] = {}
    for e in rich:
        if e.term.about != FINDING and e.term.field not in ("view", "sex", "age"):
            fields.setdefault(e.term.field, e)
    others = sorted(fields.values(), key=lambda e: -phi(e))[:_AT_MOST]
    if not findings and not others and not rich:
        return ["nothing in the tables sets it apart"]
    return [f"{e.term.name} ×{times(e.odds_patients)}" for e in [*findings, *others]]


def times(odds: float) -> str:
    """An odds ratio in words."""
    return f"{odds:.1f}" if odds < 10 else f"{odds:.0f}" if odds <= _MOST else f"more than {_MOST}"


def _majority(words: NDArray[np.str_], share: float = MOSTLY) -> str:
    known = words[words != ""]
    if not len(known):
        return ""
    kinds, counts = np.unique(known, return_counts=True)
    return str(kinds[counts.argmax()]) if counts.max() >= share * len(known) else ""


@dataclass(frozen=True)
class Exemplars:
    """Rows of a cluster's films. prototypes: nearest to its middle.  borders: between it and another.  outliers: those
    farthest from their neighbours. Each of different patients."""

    prototypes: list[int]
    borders: list[int]
    outliers: list[int]


def exemplars(
    unit: NDArray[np.float32],
    near: Graph,
    edges: sparse.csr_matrix,
    members: NDArray[np.int32],
    patients: NDArray[np.int32],
    clusters: int,
    each: int,
) -> Mapping[int, Exemplars]:
    """Of the first `clusters` clusters `each` films of each kind."""
    ownness = own_share(edges, members)
    alone = near.distances.mean(axis=1)
    found = {}
    for cluster in range(min(clusters, int(members.max()) + 1)):
        rows = np.flatnonzero(members == cluster)
        middle = unit[rows].mean(axis=0, dtype=np.float64)
        close = unit[rows] @ middle.astype(np.float32)
        torn = np.abs(ownness[rows] - 0.5)
        found[cluster] = Exemplars(
            _first(rows[np.argsort(-close, kind="stable")], patients, each),
            _first(rows[np.argsort(torn, kind="stable")], patients, each) if ownness[rows].min() < 1 else [],
            _first(rows[np.argsort(-alone[rows], kind="stable")], patients, each),
        )
    return found


def own_share(edges: sparse.csr_matrix, members: NDArray[np.int32]) -> NDArray[np.float64]:
    """(N,): of the weight of a film's neighbours, the share in its own cluster; at the border it is about half."""
    pairs = edges.tocoo()
    same = members[pairs.row] == members[pairs.col]
    total = np.bincount(pairs.row, weights=pairs.data, minlength=len(members))
    own = np.bincount(pairs.row, weights=pairs.data * same, minlength=len(members))
    return np.divide(own, total, out=np.ones(len(members)), where=total > 0)


def _first(rows: NDArray[np.int64], patients: NDArray[np.int32], each: int) -> list[int]:
    seen: set[int] = set()
    picked: list[int] = []
    for row in rows:
        if int(patients[row]) not in seen:
            seen.add(int(patients[row]))
            picked.append(int(row))
        if len(picked) == each:
            break
    return picked
