"""What clusters are rich in: every term against every cluster, by film and by patient, with false discoveries bounded.

Films of one patient are not independent. So the test counts patients: inside a cluster each patient with films there
whose term is known votes once, by the majority of those films (a tie votes for), and outside once by the others. Counts
of films stand beside. Fisher's exact test where an expected count is below 5, else χ² (Pearson, without correction);
Benjamini–Hochberg over all terms, clusters and resolutions of a model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from services.analytics.structure.terms import MIN_FILMS, UNKNOWN_VALUE, Term

FDR = 0.05
SMALL = 5.0  # expected count
_Z = 1.959964
Table = NDArray[np.int64]  # (4,): inside with, inside without, outside with, outside without


@dataclass(frozen=True)
class Enriched:
    """A term in a cluster. films, people: the 2 × 2 table of each, as `Table`.  odds: ratio by films, odds_patients: by
    patients with its 95 % interval (Woolf's; 0.5 is added to each count where one is 0).  p: by patients.  q: what
    Benjamini–Hochberg makes of it.  test: fisher or chi2."""

    cluster: int
    term: Term
    films: Table
    people: Table
    odds: float
    odds_patients: float
    low: float
    high: float
    p: float
    q: float
    test: str

    @property
    def share(self) -> float:
        """Of the cluster's films with a known term, those that have it."""
        return float(self.films[0] / max(self.films[0] + self.films[1], 1))

    @property
    def share_outside(self) -> float:
        return float(self.films[2] / max(self.films[2] + self.films[3], 1))

    @property
    def found(self) -> bool:
        """Is the cluster richer in it than the others are, beyond doubt?"""
        return self.q < FDR and self.odds_patients > 1


def enrich(
    partitions: Sequence[NDArray[np.int32]],
    patients: NDArray[np.int32],
    terms: Sequence[Term],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[list[Enriched]]:
    """Every term in every cluster of each partition (N,), where something is known inside and outside of it."""
    found: list[tuple[int, int, Term, Table, Table]] = []
    for level, members in enumerate(partitions):
        votes = Votes(members, patients)
        for done, term in enumerate(terms, 1):
            films, people = by_film(members, term.has), votes.count(term.has)
            either = people[:, :2].sum(axis=1) * people[:, 2:].sum(axis=1) > 0
            differs = (people[:, 0] + people[:, 2]) * (people[:, 1] + people[:, 3]) > 0
            for cluster in np.flatnonzero(either & differs):
                found.append((level, int(cluster), term, films[cluster], people[cluster]))
            progress(level * len(terms) + done, len(partitions) * len(terms))
    made: list[list[Enriched]] = [[] for _ in partitions]
    if found:
        p, names = p_values(np.array([row[4] for row in found]))
        q = stats.false_discovery_control(p, method="bh")
        for (level, cluster, term, films, people), one_p, one_q, name in zip(found, p, q, names, strict=True):
            made[level].append(
                Enriched(
                    cluster, term, films, people, odds_ratio(films)[0], *odds_ratio(people), float(one_p),
                    float(one_q), name,
                )
            )  # fmt: skip
    return made


def by_film(members: NDArray[np.int32], has: NDArray[np.int8]) -> NDArray[np.int64]:
    """(C, 4): the table of each cluster."""
    clusters = int(members.max()) + 1
    inside_with = np.bincount(members[has == 1], minlength=clusters)
    inside_without = np.bincount(members[has == 0], minlength=clusters)
    return np.stack(
        [inside_with, inside_without, inside_with.sum() - inside_with, inside_without.sum() - inside_without], axis=1
    )


class Votes:
    """Counts by patient: the pairs of a patient and a cluster are worked out once for all terms."""

    def __init__(self, members: NDArray[np.int32], patients: NDArray[np.int32]) -> None:
        self._clusters = int(members.max()) + 1
        self._patients = patients
        pairs, self._pair = np.unique(patients.astype(np.int64) * self._clusters + members, return_inverse=True)
        self._person, self._cluster = pairs // self._clusters, pairs % self._clusters

    def count(self, has: NDArray[np.int8]) -> NDArray[np.int64]:
        """(C, 4): the table of each cluster."""
        people = int(self._patients.max()) + 1
        known, have = has >= 0, has == 1
        all_known = np.bincount(self._patients[known], minlength=people)
        all_have = np.bincount(self._patients[have], minlength=people)
        in_known = np.bincount(self._pair[known], minlength=len(self._person))
        in_have = np.bincount(self._pair[have], minlength=len(self._person))
        inside = _vote(in_have, in_known)
        # Outside: everybody by all their films, but those with films inside by their others alone.
        whole = _vote(all_have, all_known)
        others = _vote(all_have[self._person] - in_have, all_known[self._person] - in_known)
        table = np.zeros((self._clusters, 4), dtype=np.int64)
        for column, vote in ((0, 1), (1, 0)):
            table[:, column] = np.bincount(self._cluster[inside == vote], minlength=self._clusters)
            table[:, column + 2] = (
                (whole == vote).sum()
                - np.bincount(self._cluster[whole[self._person] == vote], minlength=self._clusters)
                + np.bincount(self._cluster[others == vote], minlength=self._clusters)
            )
        return table


def _vote(have: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.int8]:
    return np.where(known == 0, -1, 2 * have >= known).astype(np.int8)


def p_values(tables: NDArray[np.int64]) -> tuple[NDArray[np.float64], list[str]]:
    """(M, 4) → (M,) two-sided p, and by which test."""
    squares = tables.reshape(-1, 2, 2).astype(float)
    across, down = squares.sum(axis=2, keepdims=True), squares.sum(axis=1, keepdims=True)
    expected = across * down / squares.sum(axis=(1, 2), keepdims=True)
    p = stats.chi2.sf(((squares - expected) ** 2 / expected).sum(axis=(1, 2)), 1)
    small = expected.min(axis=(1, 2)) < SMALL
    for row in np.flatnonzero(small):
        p[row] = stats.fisher_exact(tables[row].reshape(2, 2)).pvalue
    return p, ["fisher" if one else "chi2" for one in small]


def odds_ratio(table: Table) -> tuple[float, float, float]:
    """The ratio and its 95 % interval."""
    a, b, c, d = (table + 0.5 if (table == 0).any() else table).astype(float)
    ratio = a * d / (b * c)
    margin = _Z * float(np.sqrt(1 / a + 1 / b + 1 / c + 1 / d))
    return float(ratio), float(ratio * np.exp(-margin)), float(ratio * np.exp(margin))


@dataclass(frozen=True)
class Sorted:
    """How far a partition sorts by a field. patients: one film of each, of those whose value is known and had by
    MIN_FILMS of them, and whose cluster has as many.  values: of the field.  v: Cramér's V, corrected for bias (Bergsma
    2013), 0 nothing to 1 entirely.  p: of χ² on that table.  q: by Benjamini–Hochberg over the fields."""

    field: str
    about: str
    patients: int
    values: int
    v: float
    p: float
    q: float


def sorting(members: NDArray[np.int32], patients: NDArray[np.int32], terms: Sequence[Term]) -> list[Sorted]:
    """Fields by how far clusters are told apart by them, the furthest first; a finding is a field of two values."""
    _, one = np.unique(patients, return_index=True)
    found: list[tuple[str, str, int, int, float, float]] = []
    for field in dict.fromkeys(term.field for term in terms):
        mine = [term for term in terms if term.field == field and term.value != UNKNOWN_VALUE]
        if not mine:
            continue
        values = np.full(len(members), -1)
        for number, term in enumerate(mine):
            values[term.has == 1] = number
            if len(mine) == 1:
                values[term.has == 0] = 1
        here = one[values[one] >= 0]
        if not len(here):
            continue
        table = np.zeros((int(members.max()) + 1, int(values.max()) + 1))
        np.add.at(table, (members[here], values[here]), 1)
        table = table[:, table.sum(axis=0) >= MIN_FILMS]  # a film or two would sort perfectly, and mean nothing
        table = table[table.sum(axis=1) >= MIN_FILMS][:, table.sum(axis=0) > 0]
        if min(table.shape) > 1:
            found.append((field, mine[0].about, int(table.sum()), table.shape[1], cramer(table), _p(table)))
    if not found:
        return []
    q = stats.false_discovery_control([row[-1] for row in found], method="bh")
    made = [Sorted(*row, float(one_q)) for row, one_q in zip(found, q, strict=True)]
    return sorted(made, key=lambda row: -row.v)


def cramer(table: NDArray[np.float64]) -> float:
    """Cramér's V of an (R, C) table of counts, corrected for bias."""
    total, (rows, columns) = table.sum(), table.shape
    phi = max(_chi2(table) / total - (rows - 1) * (columns - 1) / (total - 1), 0.0)
    tall, wide = rows - (rows - 1) ** 2 / (total - 1), columns - (columns - 1) ** 2 / (total - 1)
    most = min(tall, wide) - 1
    return float(min(np.sqrt(phi / most), 1.0)) if most > 0 else 0.0


def _chi2(table: NDArray[np.float64]) -> float:
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    return float(((table - expected) ** 2 / expected).sum())


def _p(table: NDArray[np.float64]) -> float:
    return float(stats.chi2.sf(_chi2(table), (table.shape[0] - 1) * (table.shape[1] - 1)))
