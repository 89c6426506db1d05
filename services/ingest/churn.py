"""What would change for those who search, when one fingerprint takes over from another.

Of a sample of the films that both hold, each one's ten nearest films of *other patients* are asked of both collections,
through the index, as a search does. Churn is one less the Jaccard index of the two tens. Agreement of a finding is the
share of a film's ten whose state is known and the same as the film's own. Intervals are percentiles of 1,000
bootstrap draws of patients, not of films: films of one patient are not independent. The neighbours stay as they are in
each draw, so an interval tells how far the sample speaks for the archive's patients, and nothing of another archive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.core.facts import Facts, images
from services.core.labels import LabelState, merge
from services.core.models import ModelSpec
from services.core.store import VectorStore
from services.core.types import ImageRecord

NEIGHBOURS, SAMPLE, DRAWS = 10, 2_000, 1_000
_FEWEST = 20  # films with a finding, below which nothing is said of it
_DEPTH = 4 * NEIGHBOURS  # so that ten are left without the film's own patient
_BATCH = 50
_KNOWN = (LabelState.PRESENT, LabelState.ABSENT)

Neighbours = list[list[str]]
Stopped = Callable[[], bool]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Films:
    """Records, and what is stated of each: finding → present?"""

    records: Mapping[str, ImageRecord]
    states: Mapping[str, Mapping[str, bool]]

    def patient(self, image_id: str) -> tuple[str, str]:
        """Whose film it is; its own where nobody knows."""
        record = self.records[image_id]
        return record.dataset, record.patient_id or f"film {image_id}"


def compare(
    facts: Facts, store: VectorStore, old: ModelSpec, new: ModelSpec, progress: Progress, stopped: Stopped
) -> dict[str, Any]:
    """How far `new` differs from `old`, as plain JSON. Ids are hashes, so the first of them are a fair sample."""
    both, only_old, only_new = images.overlap(facts, old.fingerprint, new.fingerprint)
    told: dict[str, Any] = {
        "films": {"both": both, "only_old": only_old, "only_new": only_new},
        "neighbours": NEIGHBOURS, "sample": 0, "overall": None, "findings": {},
    }  # fmt: skip
    ids = images.held_by_both(facts, old.fingerprint, new.fingerprint, SAMPLE)
    if len(ids) < 2:
        return told
    total = 2 * len(ids)
    found = [
        _nearest(facts, store, spec, ids, lambda done, at=at: progress(at + done, total), stopped)
        for at, spec in ((0, old), (len(ids), new))
    ]
    if stopped():
        return told
    films = _read(facts, {one for side in found for ten in side for one in ten} | set(ids))
    before, after = (_others(films, ids, side) for side in found)
    told["sample"] = len(ids)
    return told | _measured(films, ids, before, after)


def _nearest(
    facts: Facts, store: VectorStore, spec: ModelSpec, ids: Sequence[str], progress: Callable[[int], None],
    stopped: Stopped,
) -> Neighbours:  # fmt: skip
    found: Neighbours = []
    for start in range(0, len(ids), _BATCH):
        if stopped():
            return found
        part = ids[start : start + _BATCH]
        there, vectors = store.vectors(spec, ids=part)
        answers = dict(zip(there, store.query(spec, vectors, _DEPTH), strict=True))
        found += [[scored.image_id for scored in answers.get(one, ())] for one in part]
        progress(start + len(part))
    return found


def _read(facts: Facts, ids: set[str]) -> _Films:
    records = images.get(facts, ids)
    states = {
        image_id: {n: s is LabelState.PRESENT for n, s in merge(list(record.labels)).items() if s in _KNOWN}
        for image_id, record in records.items()
    }
    return _Films(records, states)


def _others(films: _Films, ids: Sequence[str], found: Neighbours) -> Neighbours:
    """Of each film's nearest the first ten of other patients."""
    return [
        [one for one in ten if one in films.records and films.patient(one) != films.patient(mine)][:NEIGHBOURS]
        for mine, ten in zip(ids, found, strict=True)
    ]


def _measured(films: _Films, ids: Sequence[str], before: Neighbours, after: Neighbours) -> dict[str, Any]:
    patients = np.unique([" ".join(films.patient(one)) for one in ids], return_inverse=True)[1]
    same = np.array([_jaccard(a, b) for a, b in zip(before, after, strict=True)])
    findings = sorted({name for one in ids for name in films.states[one]})
    old, new = (_agreements(films, ids, side, findings) for side in (before, after))
    present = {name: np.array([films.states[one].get(name, False) for one in ids]) for name in findings}
    every = np.ones(len(ids), dtype=bool)
    return {
        "overall": _row(patients, same, _mean(old), _mean(new), every),
        "findings": {
            name: _row(patients, same, old[:, number], new[:, number], present[name])
            for number, name in enumerate(findings)
            if present[name].sum() >= _FEWEST
        },
    }


def _jaccard(one: Sequence[str], other: Sequence[str]) -> float:
    either = len({*one, *other})
    return len({*one} & {*other}) / either if either else 1.0


def _agreements(films: _Films, ids: Sequence[str], found: Neighbours, findings: Sequence[str]) -> NDArray[np.float64]:
    """(N, findings): the share of a film's neighbours whose state is that of the film; NaN where one is unknown."""
    table = np.full((len(ids), len(findings)), np.nan)
    for row, (mine, ten) in enumerate(zip(ids, found, strict=True)):
        for number, name in enumerate(findings):
            if name in films.states[mine]:
                theirs = [films.states[one][name] for one in ten if name in films.states[one]]
                if theirs:
                    table[row, number] = theirs.count(films.states[mine][name]) / len(theirs)
    return table


def _mean(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, findings) → (N,): of the findings that are known; NaN where none is."""
    known = ~np.isnan(table)
    counts = known.sum(1)
    sums = np.where(known, table, 0.0).sum(1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _row(
    patients: NDArray[np.intp], same: NDArray[np.float64], old: NDArray[np.float64], new: NDArray[np.float64],
    chosen: NDArray[np.bool_],
) -> dict[str, Any]:  # fmt: skip
    stated = chosen & ~np.isnan(old) & ~np.isnan(new)
    told: dict[str, Any] = {"films": int(chosen.sum()), "jaccard": _interval(same, patients, chosen)}
    if stated.any():
        told["agreement_old"] = _interval(old, patients, stated)
        told["agreement_new"] = _interval(new, patients, stated)
        told["agreement_change"] = _interval(new - old, patients, stated)
    return told


def _interval(values: NDArray[np.float64], patients: NDArray[np.intp], chosen: NDArray[np.bool_]) -> dict[str, float]:
    """The mean with its 95 % interval by draws of patients."""
    who = np.unique(patients[chosen], return_inverse=True)[1]
    sums, counts = np.bincount(who, values[chosen]), np.bincount(who).astype(float)
    draws = np.random.default_rng(0).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=DRAWS)
    low, high = np.percentile((draws @ sums) / (draws @ counts), [2.5, 97.5])
    return {"mean": _short(values[chosen].mean()), "low": _short(low), "high": _short(high)}


def _short(number: float) -> float:
    return round(float(number), 4)
