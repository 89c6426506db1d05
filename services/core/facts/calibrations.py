"""What scores of encoders mean, as `hilum analyze calibrate` found out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select

from services.core.calibration import Curve, Curves
from services.core.facts.db import Facts, now
from services.core.facts.images import insert
from services.core.facts.schema import calibrations

# Built once: every answer to a search reads them.
_C = calibrations.c
_ALL = select(_C.fingerprint, _C.asked_by, _C.finding, _C.view, _C.curve).where(
    _C.fingerprint.in_(bindparam("of", expanding=True))
)
_THOSE_ASKED = _ALL.where(
    _C.asked_by == bindparam("asked_by"),
    _C.finding.in_(bindparam("findings", expanding=True)),
    _C.view.in_(bindparam("views", expanding=True)),
)


@dataclass(frozen=True, slots=True)
class Calibration:
    """A curve and how it came about. asked_by: film or words.  finding, view: empty for any.
    about: pairs, patients, base rate, errors before and after; plain JSON."""

    asked_by: str
    finding: str
    view: str
    curve: Curve
    about: Mapping[str, object]


def save(facts: Facts, fingerprint: str, asked_by: str, found: Sequence[Calibration]) -> None:
    """Replace what was known of an encoder asked by films, or by words."""
    stamp, column = now(), calibrations.c
    rows = [
        {
            "fingerprint": fingerprint, "asked_by": one.asked_by, "finding": one.finding, "view": one.view,
            "curve": one.curve.as_json(), "about": dict(one.about), "created_at": stamp,
        }
        for one in found
    ]  # fmt: skip
    with facts.write() as db:
        db.execute(delete(calibrations).where(column.fingerprint == fingerprint, column.asked_by == asked_by))
        if rows:
            db.execute(insert(facts, calibrations), rows)


def curves(facts: Facts, fingerprints: Sequence[str], asked: tuple[str, str, str] | None = None) -> dict[str, Curves]:
    """Fingerprint → its curves; every one of `fingerprints` is there, without curves where it was not calibrated.

    asked: who asks, for which finding in which view; with it only curves that `Curves.best` may choose are read.
    """
    by: dict[str, dict[tuple[str, str, str], Curve]] = {fingerprint: {} for fingerprint in fingerprints}
    given: dict[str, object] = {"of": list(by)}
    if asked:
        given |= {"asked_by": asked[0], "findings": [asked[1], ""], "views": [asked[2], ""]}
    with facts.read() as db:
        for fingerprint, asked_by, finding, view, curve in db.execute(_THOSE_ASKED if asked else _ALL, given):
            by[fingerprint][asked_by, finding, view] = Curve.of(curve)
    return {fingerprint: Curves(found) for fingerprint, found in by.items()}


def every(facts: Facts, fingerprint: str) -> list[Calibration]:
    """All that is known of an encoder, for people to look at."""
    column = calibrations.c
    query = select(column.asked_by, column.finding, column.view, column.curve, column.about)
    query = query.where(column.fingerprint == fingerprint).order_by(column.asked_by, column.finding, column.view)
    with facts.read() as db:
        return [Calibration(a, f, v, Curve.of(curve), about) for a, f, v, curve, about in db.execute(query)]
