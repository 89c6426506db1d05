"""What changed between two runs of a cohort: who entered, who left, and why.

A film's fate in a run is the step at which it fell. Whoever is in one of two cohorts alone fell in the other: at a
criterion (its facts changed, or its model did, or others came nearer), at a cap or a draw, or was not there at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from services.analytics.cohort.flow import SELECTED
from services.analytics.cohort.verdicts import Verdicts

ENTERED, LEFT = "entered", "left"
NEW, GONE, FACT, MODEL, RANK, DRAW, SPECIFICATION, UNRECORDED = (
    "new_film", "gone_film", "fact", "model", "rank", "draw", "specification", "unrecorded",
)  # fmt: skip
_ABSENT = -2


@dataclass(frozen=True)
class Side:
    """A run of a cohort. told: its manifest's ``cohort``.  models: name → fingerprint.  whole: False where only the
    films chosen are known, the run being gone."""

    name: str
    verdicts: Verdicts
    told: Mapping[str, Any]
    models: Mapping[str, str]
    versions: Mapping[str, str]
    whole: bool = True

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.told.get("spec") or {}

    def rule(self, step: int) -> Any:
        """What a step asks, as the specification says it; None for a draw of the whole."""
        criteria, caps = self.spec.get("criteria", []), self.spec.get("caps", [])
        place = step - 1
        if place < len(criteria):
            return criteria[place]
        if place < len(criteria) + len(caps):
            return caps[place - len(criteria)]
        kind = self.told["steps"][step]["kind"]
        return self.spec.get(kind)

    def title(self, step: int) -> str:
        return str(self.told["steps"][step]["name"])


@dataclass(frozen=True)
class Change:
    """One film. step: the name of the step that decided, in the run in which it fell.  before, after: its similarity
    there, where one is asked for and known."""

    image_id: bytes
    how: str
    why: str
    step: str
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Diff:
    """both: films of both.  reasons: (how, why, step) → films.  changes: the first of them, entered before left."""

    both: int
    reasons: dict[tuple[str, str, str], int]
    changes: list[Change]
    notes: list[str]


def diff(before: Side, after: Side, most: int) -> Diff:
    """most: changes to tell one by one."""
    entered = _of(after.verdicts, after.verdicts.chosen)
    entered = entered.filter(pc.invert(pc.is_in(entered, value_set=_of(before.verdicts, before.verdicts.chosen))))
    left = _of(before.verdicts, before.verdicts.chosen)
    kept = pc.is_in(left, value_set=_of(after.verdicts, after.verdicts.chosen))
    both, left = int(pc.sum(kept).as_py() or 0), left.filter(pc.invert(kept))
    reasons: Counter[tuple[str, str, str]] = Counter()
    changes: list[Change] = []
    for how, films, fell, other in ((ENTERED, entered, before, after), (LEFT, left, after, before)):
        steps = _steps(fell.verdicts, films)
        why = {step: _why(how, step, fell, other) for step in np.unique(steps).tolist()}
        reasons.update({(how, *why[step]): int((steps == step).sum()) for step in why})
        first = films[: max(0, most - len(changes))]
        scores = _scores(first, steps, before), _scores(first, steps, after)
        for row, image_id in enumerate(first.to_pylist()):
            mine = why[int(steps[row])]
            changes.append(Change(image_id, how, *mine, scores[0][row], scores[1][row]))
    return Diff(both, dict(reasons), changes, notes(before, after))


def notes(before: Side, after: Side) -> list[str]:
    """What else differs: specification, models, software."""
    found = []
    if before.told.get("spec_sha256") != after.told.get("spec_sha256"):
        found.append("the specifications differ")
    for name in sorted({*before.models, *after.models}):
        one, other = before.models.get(name), after.models.get(name)
        if one and other and one != other:
            found.append(f"model {name} changed: fingerprint {one[:12]} before, {other[:12]} after")
    for name in sorted({*before.versions, *after.versions}):
        one, other = before.versions.get(name), after.versions.get(name)
        if one != other and before.versions and after.versions:
            found.append(f"{name} {one or 'absent'} before, {other or 'absent'} after")
    if not before.whole:
        found.append(
            "the run of the frozen cohort is gone, as a film of it was forgotten: why films entered is not known"
        )
    return found


def _why(how: str, step: int, fell: Side, other: Side) -> tuple[str, str]:
    """(why, name of the step) of films that fell at `step` of one run and stayed in the other."""
    if not fell.whole:
        return UNRECORDED, ""
    if step == _ABSENT:
        return (NEW if how == ENTERED else GONE), ""
    rule, title = fell.rule(step), fell.title(step)
    kind = fell.told["steps"][step]["kind"]
    if rule is None or not _has(other, rule):
        return SPECIFICATION, title
    if kind not in ("include", "exclude"):
        return DRAW, title
    near = rule.get("similar")
    if not near:
        return FACT, title
    name = near.get("model", "")
    if fell.models.get(name) != other.models.get(name):
        return MODEL, title
    return (RANK if near.get("top") else FACT), title


def _has(side: Side, rule: Any) -> bool:
    spec = side.spec
    return any(rule == one for one in (*spec.get("criteria", []), *spec.get("caps", []), spec.get("match"),
                                       spec.get("sample")))  # fmt: skip


def _of(verdicts: Verdicts, mask: NDArray[np.bool_]) -> pa.Array:
    return verdicts.ids.filter(pa.array(mask))


def _steps(verdicts: Verdicts, films: pa.Array) -> NDArray[np.int64]:
    """The step at which each of the films fell, _ABSENT where it was not judged."""
    place = _places(verdicts, films)
    steps = np.append(verdicts.step.astype(np.int64), _ABSENT)  # −1 is the last
    found: NDArray[np.int64] = steps[place]
    assert not (found == SELECTED).any()
    return found


def _places(verdicts: Verdicts, films: pa.Array) -> NDArray[np.int64]:
    place = pc.fill_null(pc.index_in(films, value_set=verdicts.ids), -1)
    return np.asarray(place).astype(np.int64)


def _scores(films: pa.Array, steps: NDArray[np.int64], side: Side) -> list[float | None]:
    """Each film's similarity under one run, at the step where it fell in one of both."""
    place = _places(side.verdicts, films)
    found: list[float | None] = []
    for row, where in enumerate(place.tolist()):
        scores = side.verdicts.near.get(int(steps[row]))
        score = float("nan") if scores is None or where < 0 else float(scores[where])
        found.append(None if np.isnan(score) else score)
    return found
