"""What looks wrong in an archive's facts: for a person to judge, not to be mended by a machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from services.analytics.eda.fields import Counts, Sites, Spread
from services.analytics.eda.findings import Findings, kappa
from services.analytics.eda.people import Shared, Twice
from services.analytics.frame import Frame
from services.analytics.variables import coded

OLDEST = 110
EARLIEST = "1970-01-01"
_MUCH = 0.05  # of a dataset's films
_SLIGHT = 0.4  # kappa below which two sources hardly agree: Landis & Koch 1977 call it fair at most
_ENOUGH = 50


@dataclass(frozen=True)
class Warned:
    """what: in words.  films: that it is about.  who: films, patients or studies by name, as far as it names any."""

    what: str
    films: int
    who: list[str] = field(default_factory=list)


def of_fields(counts: list[Counts], spreads: list[Spread], where: Sites) -> Iterator[Warned]:
    """Fields that say nothing, or one thing."""
    total = int(where.films.sum())
    every: list[Counts | Spread] = [*counts, *spreads]
    empty = [one.name for one in every if not one.distinct]
    if empty:
        yield Warned("fields are empty: no film states them", total, empty)
    constant = [one.name for one in every if one.distinct == 1 and one.name != "dataset"]
    if constant and total > 1:
        yield Warned("fields are constant: every film that states them says the same", total, constant)


def of_films(frame: Frame, where: Sites, burned: Counts) -> Iterator[Warned]:
    """Ages and dates that cannot be, writing in films, films of nobody."""
    age = pc.cast(frame.table["age"], pa.float64()).to_numpy()
    with np.errstate(invalid="ignore"):
        yield from _films(frame, (age < 0) | (age > OLDEST), f"age is below 0 or above {OLDEST} years")
    days, codes = coded(frame.table["study_date"])
    early = np.array([day < EARLIEST for day in days] + [False])
    yield from _films(frame, early[codes], f"study_date is before {EARLIEST}")
    kinds, kind = coded(frame.table["date_kind"])
    real = np.array([name == "real" for name in kinds] + [False])[kind]
    today = np.datetime_as_string(np.datetime64("now"), "D")
    late = np.array([day > today for day in days] + [False])[codes] & real
    yield from _films(frame, late, "study_date is to come, though dates are said to be real")
    for value, films in zip(burned.values, burned.films.sum(axis=0).tolist(), strict=True):
        if value != "no":
            yield Warned(f"burned_in is {value}: writing in the picture", films)
    if frame.nameless:
        yield Warned("no patient is named: such a film counts as a patient of its own", frame.nameless)


def of_people(
    splits: Twice, sexes: Twice, studies: Twice, pixels: Sequence[Shared], frame: Frame, where: Sites
) -> Iterator[Warned]:
    """Leakage between splits, pictures and studies of several patients, patients who are many films."""
    for twice, what in (
        (splits, "patients are in two splits of their dataset: leakage, a test on these splits measures memory"),
        (sexes, "patients have two sexes"),
        (studies, "studies have two patients"),
    ):
        if twice.who:
            yield Warned(f"{len(twice.who)} {what}", twice.films, _named(twice.who))
    if pixels:
        films = sum(len(one.films) for one in pixels)
        people = sorted({who for one in pixels for who in one.who})
        yield Warned(f"{len(pixels)} pictures are the same pixels under two patients", films, _named(people))
    counts = np.bincount(frame.patients, minlength=1)
    site = np.zeros(len(counts), np.int64)
    site[frame.patients] = where.of_film
    heavy = np.flatnonzero(counts > np.maximum(_MUCH * where.films[site], 20))
    if len(heavy):
        yield Warned(f"{len(heavy)} patients have more than {_MUCH:.0%} of their dataset's films each; cap films per "
                     "patient (--per-patient)", int(counts[heavy].sum()))  # fmt: skip


def of_findings(found: Findings, where: Sites) -> Iterator[Warned]:
    """Findings stated one way only, findings beside "no finding", sources that differ."""
    total = int(where.films.sum())
    if silent := int(found.silent.sum()):
        yield Warned("nothing is stated of any finding: unknown, not normal", silent)
    for name, states in zip(found.names, found.states.sum(axis=0), strict=True):
        absent, present, unsure = (int(n) for n in states)
        if present + absent + unsure >= min(_ENOUGH, total) and not (present and absent):
            way = "present" if present else "absent" if absent else "uncertain"
            yield Warned(f"{name} is only ever stated {way}: nothing can be learned or measured from it alone",
                         present + absent + unsure)  # fmt: skip
    if "no_finding" in found.names:
        row = found.names.index("no_finding")
        for column, name in enumerate(found.names):
            if column != row and name != "support_devices" and (films := int(found.both[row, column])):
                yield Warned(f"no_finding and {name} are both present", films)
    for (name, one, other), table in found.crossed.items():
        if table.sum() >= _ENOUGH and (agreed := kappa(table)) < _SLIGHT:
            yield Warned(f"{one} and {other} hardly agree on {name} (kappa {agreed:.2f})", int(table.sum()))


def _films(frame: Frame, mask: NDArray[np.bool_], what: str) -> Iterator[Warned]:
    rows = np.flatnonzero(mask)
    if len(rows):
        yield Warned(what, len(rows), frame.table["image_id"].take(pa.array(rows)).to_pylist())


def _named(who: list[tuple[str, str]]) -> list[str]:
    return [f"{dataset}/{name}" for dataset, name in who]
