"""A description: the films' columns once, everything counted from them, side tables one by one."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from services.analytics.bench import Bench
from services.analytics.cohort import version
from services.analytics.eda import fields, people, report, sides, warnings
from services.analytics.eda.asked import IDS, EdaAsked
from services.analytics.eda.fields import Counts, Sites, Spread
from services.analytics.eda.findings import findings
from services.analytics.eda.people import People, Twice
from services.analytics.eda.report import Look
from services.analytics.eda.tables import write
from services.analytics.frame import Frame
from services.analytics.page import Page
from services.analytics.progress import Progress
from services.analytics.variables import DATES, NUMBERS, TEXT
from services.core.facts import Facts, models
from services.core.facts.schema import embeddings, images
from services.core.filters import parse, to_sql

ABOUT = (
    "What the archive's tables say of its films, before any model looks at them. Figures are counts of films, and hold "
    "for these films alone. Blank is unknown. Findings are what their sources state, not what a radiologist would see."
)


def run(bench: Bench[EdaAsked]) -> None:
    """Make the run in the bench's folder."""
    page = Page("The archive", ABOUT)
    look = take(bench)
    bench.progress("report", 0, 1)
    report.put(page, look)
    write(bench, look)
    bench.progress("report", 1, 1)
    bench.finish(figures(look), page)


def take(bench: Bench[EdaAsked]) -> Look:
    """Count everything."""
    frame, progress, once = bench.frame, bench.progress, bench.once
    where = fields.sites(frame)
    counts, spreads, dates, ids = once("fields", partial(_fields, frame, where, progress))
    progress("findings", 0, 1)
    found = once("findings", partial(findings, frame, where))
    crowd, told = once("patients", partial(_patients, frame, where, progress))
    progress("shared pixels", 0, 1)
    pixels = once("shared pixels", partial(people.same_pixels, bench.facts, frame), list(version.state(bench.facts)))
    spill = bench.part / "spill"
    tables = [] if bench.asked.no_sides else list(sides.every(bench.facts, frame, spill, progress, once))
    burned = next(c for c in counts if c.name == "burned_in")
    warned = [
        *warnings.of_people(told[0], told[1], told[2], pixels, frame, where),
        *warnings.of_films(frame, where, burned),
        *warnings.of_findings(found, where),
        *warnings.of_fields(counts, spreads, where),
    ]
    held = _held(bench.facts, bench.asked.filter, where) if not bench.asked.sample_size else {}
    return Look(where, counts, spreads, dates, ids, found, crowd, tables, warned, held)


def figures(look: Look) -> dict[str, Any]:
    """The main figures, as plain JSON; all of them are in the tables."""
    every = look.found.states.sum(axis=0)
    missing = {one.name: int(one.missing.sum()) for one in [*look.counts, look.dates, *look.ids]}
    missing |= {one.name: int(one.missing[-1]) for one in look.spreads}
    states = {
        name: {"absent": int(a), "present": int(p), "uncertain": int(u)}
        for name, (a, p, u) in zip(look.found.names, every, strict=True)
    }
    return {
        "films": int(look.where.films.sum()),
        "datasets": dict(zip(look.where.names, map(int, look.where.films), strict=True)),
        "patients": int(look.people.patients.sum()),
        "studies": int(look.people.studies.sum()),
        "missing": missing,
        "findings": states,
        "sides": {f"{side.table.dataset}/{side.table.name}": side.rows for side in look.sides},
        "warnings": [{"what": one.what, "films": one.films} for one in look.warned],
    }


def _fields(frame: Frame, where: Sites, progress: Progress) -> tuple[list[Counts], list[Spread], Counts, list[Counts]]:
    names, done = [*TEXT, *NUMBERS, *DATES, *IDS], 0
    progress("fields", 0, len(names))
    counts, spreads = [], []
    for name in TEXT:
        counts.append(fields.words(frame, name, where))
        progress("fields", done := done + 1, len(names))
    for name in NUMBERS:
        spreads.append(fields.numbers(frame, name, where))
        progress("fields", done := done + 1, len(names))
    dates = fields.years(frame, DATES[0], where)
    ids = [_only_missing(frame.table[name].is_null().to_numpy(), name, where) for name in IDS]
    return counts, spreads, dates, ids


def _patients(frame: Frame, where: Sites, progress: Progress) -> tuple[People, list[Twice]]:
    said = (("patient_id", "split"), ("patient_id", "sex"), ("study_id", "patient_id"))
    progress("patients", 0, 1 + len(said))
    crowd, told = people.people(frame, where), []
    for done, (key, name) in enumerate(said, 1):
        progress("patients", done, 1 + len(said))
        told.append(people.twice(frame, key, name))
    return crowd, told


def _only_missing(silent: NDArray[np.bool_], name: str, where: Sites) -> Counts:
    missing = np.bincount(where.of_film[silent], minlength=len(where.names))
    return Counts(name, [], np.empty((len(where.names), 0), np.int64), missing)


def _held(facts: Facts, filter_: str, where: Sites) -> dict[str, NDArray[np.int64]]:
    """Model → (D,) films that it holds."""
    found = {}
    for name, spec in models.active(facts).items():
        query = select(images.c.dataset, func.count()).where(to_sql(parse(filter_)))
        query = query.join(embeddings, embeddings.c.image_id == images.c.image_id)
        query = query.where(embeddings.c.fingerprint == spec.fingerprint).group_by(images.c.dataset)
        with facts.read() as db:
            counts: dict[str, int] = dict(db.execute(query).tuples().all())
        found[name] = np.array([counts.get(site, 0) for site in where.names])
    return found
