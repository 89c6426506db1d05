"""A population of phantom patients: one to four studies each, findings that come, change and go.

for study in population(n=600, seed=7): ...   # studies whose films add up to exactly n
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from services.phantom.truth import FINDINGS, SIDED, Findings, PhantomFilm, Sex, View

# How often an ill patient has each finding.
PREVALENCE = {
    "effusion": 0.36, "consolidation": 0.26, "cardiomegaly": 0.30, "edema": 0.20, "pneumothorax": 0.18,
    "atelectasis": 0.18, "nodule": 0.18, "emphysema": 0.16,
}  # fmt: skip
LEAST = {
    "effusion": 0.28,
    "cardiomegaly": 0.35,
    "emphysema": 0.4,
    "nodule": 0.4,
    "edema": 0.35,
    "consolidation": 0.25,
    "atelectasis": 0.3,
    "pneumothorax": 0.2,
}  # the mildest severity that is called present
HEALTHY = 0.36
HEDGED = 0.035  # chance, per finding of an ill patient's study, that it is so slight that a reader hedges


@dataclass(frozen=True, slots=True)
class Study:
    """One visit: the films of it share patient, findings and day. ``day`` counts days since the first visit."""

    patient: int
    index: int
    day: int
    sex: Sex
    age: int
    findings: Findings
    views: tuple[View, ...]

    @property
    def films(self) -> tuple[PhantomFilm, ...]:
        """The study's films in acquisition order."""
        return tuple(
            PhantomFilm(self.patient, self.index, view, self.sex, self.age, self.findings) for view in self.views
        )


def population(n: int, seed: int) -> Iterator[Study]:
    """Yield studies until their films number ``n``; the same arguments give the same studies.

    Two seeds share no patient. Raises ``ValueError`` when ``n`` is below 1 or ``seed`` outside 0..1,000,000.
    """
    if n < 1 or not 0 <= seed <= 1_000_000:
        raise ValueError("n must be at least 1 and seed between 0 and 1000000")
    left, number = n, 0
    while left:
        for study in _patient(seed * 1_000_000 + number):
            views = study.views[:left]
            yield replace(study, views=views)
            left -= len(views)
            if not left:
                return
        number += 1


def _patient(identity: int) -> Iterator[Study]:
    """All studies of one person."""
    rng = np.random.default_rng([identity, 20])
    sex: Sex = "F" if rng.random() < 0.48 else "M"
    age = int(rng.integers(19, 90))
    inpatient = rng.random() < 0.45
    severities = {} if rng.random() < HEALTHY else _onset(rng)
    lasting = {"pacemaker": float(rng.random() < 0.13), "sternotomy": float(rng.random() < 0.13)}
    day = 0
    for index in range(int(rng.choice(4, p=[0.4, 0.3, 0.2, 0.1])) + 1):
        if index:
            day += int(rng.integers(1, 400))
            severities = _later(rng, severities)
        portable = rng.random() < (0.75 if inpatient else 0.12)
        passing = {"ett": float(portable and rng.random() < 0.3), "cvc": float(portable and rng.random() < 0.4)}
        views: tuple[View, ...] = ("AP",) if portable else ("PA", "LATERAL") if rng.random() < 0.3 else ("PA",)
        shown = _hedge(rng, severities) if severities else severities
        yield Study(
            identity, index, day, sex, min(age + day // 365, 90), Findings(**shown, **lasting, **passing), views
        )


def _onset(rng: np.random.Generator) -> dict[str, float]:
    """Severities of an ill patient at the first visit: at least one finding."""
    severities: dict[str, float] = {}
    while not severities:
        for finding, chance in PREVALENCE.items():
            if rng.random() < chance:
                severities |= _new(rng, finding)
    return severities


def _new(rng: np.random.Generator, finding: str) -> dict[str, float]:
    """A fresh finding: on one side mostly, on both now and then."""

    def severity() -> float:
        return round(float(rng.uniform(LEAST[finding], 1.0)), 3)

    if finding not in SIDED:
        return {finding: severity()}
    sides = [("right",), ("left",), ("right", "left")][int(rng.choice(3, p=[0.4, 0.4, 0.2]))]
    return {f"{finding}_{side}": severity() for side in sides}


def _later(rng: np.random.Generator, severities: dict[str, float]) -> dict[str, float]:
    """The next visit: what was there grows, shrinks or clears, and something new may come."""
    out = {}
    for slot, value in severities.items():
        finding = slot.removesuffix("_right").removesuffix("_left")
        chronic = finding in ("emphysema", "cardiomegaly", "nodule")
        if rng.random() < (0.03 if chronic else 0.2):
            continue
        change = abs(rng.normal(0.03, 0.04)) if chronic else rng.normal(0, 0.22)
        out[slot] = round(float(np.clip(value + change, LEAST[finding], 1.0)), 3)
    if rng.random() < (0.3 if out else 0.12):
        out |= _new(rng, str(rng.choice(FINDINGS)))
    return out


def _hedge(rng: np.random.Generator, severities: dict[str, float]) -> dict[str, float]:
    """Add equivocal traces of findings that the patient does not have."""
    out = dict(severities)
    for finding in FINDINGS:
        if rng.random() < HEDGED and not any(slot.startswith(finding) for slot in out):
            slot = f"{finding}_{rng.choice(['right', 'left'])}" if finding in SIDED else finding
            out[slot] = round(float(rng.uniform(0.10, 0.17)), 3)
    return out
