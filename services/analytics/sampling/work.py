"""A sample: the archive's columns, one draw of the films that every model holds, a cohort, and a page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from services.analytics import columns, frame, sample, variables
from services.analytics.bench import Bench
from services.analytics.frame import Frame, matching
from services.analytics.page import Page
from services.analytics.progress import Progress
from services.analytics.sampling import report
from services.analytics.sampling.asked import SamplingAsked
from services.analytics.sampling.draw import Draw, Drawn
from services.analytics.sampling.represent import Likeness, likeness
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, sets
from services.core.sets import settle

_MOST_STRATA = 10_000
ABOUT = (
    "One sample for every model: the same films, whichever model looks at them. A film's place in the draw is a hash "
    "of the seed and the film, so that the same archive, seed and rules give the same films anywhere."
)


def run(bench: Bench[SamplingAsked]) -> None:
    """Make the run in the bench's folder, and the cohort."""
    asked, progress = bench.asked, bench.progress
    total = sample.count(bench.facts, asked.filter, [])
    archive = frame.load(bench.facts, asked.filter, [], asked.fields, progress, total)
    held = np.ones(len(archive), bool)
    for spec in bench.specs:
        held &= sample.held(bench.facts, spec, archive.ids)
    progress("draw", 0, 1)
    inside = [_passing(bench.facts, archive, where) for _, where in asked.wanted]
    drawn = bench.once_of(archive, "draw", partial(draw, archive, held, asked, inside), held, inside)
    bench.matching, bench.frame = int(held.sum()), archive.take(drawn.rows)
    films = bench.films
    if asked.name:
        progress("cohort", 0, 1)
        _keep(bench, films.ids, films.sha256)
    compare = partial(_alike, archive, drawn, films.patients, asked.seed, progress)
    like = bench.once_of(archive, "likeness", compare, drawn.rows)
    progress("report", 0, 1)
    page = Page("A sample of the archive", ABOUT)
    report.put(page, asked, drawn, like, len(archive), bench.matching)
    _tables(bench, drawn, films.ids, like)
    bench.finish(figures(drawn, like, films.sha256), page)


def draw(
    archive: Frame, held: NDArray[np.bool_], asked: SamplingAsked, inside: Sequence[NDArray[np.bool_]] = ()
) -> Drawn:
    """Rows of the archive's films. held: (N,) those that every model holds.  inside: (N,) of each quota, those that
    pass its filter. Raises FAILED_PRECONDITION for more strata than can be looked at."""
    strata = variables.crossed([variables.variable(archive, name) for name in asked.by], len(archive))
    if len(strata.values) > _MOST_STRATA:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"that makes {len(strata.values)} strata; name fewer variables, so that there are at most {_MOST_STRATA}",
        )
    made = Draw(sample.places(archive.ids, asked.seed), archive.patients, asked.per_patient)
    if not asked.quotas:
        made.take(strata, held, asked.sample_size or len(archive), asked.allocation)
        return made.done()
    free = held.copy()
    for (films, where), passing in zip(asked.wanted, inside, strict=True):
        members = free & passing
        made.take(strata, members, films, asked.allocation, where)
        free &= ~members
    return made.done()


def figures(drawn: Drawn, like: list[Likeness], sha256: str) -> dict[str, Any]:
    """The main figures, as plain JSON."""
    return {
        "films": len(drawn.rows),
        "sample_sha256": sha256,
        "strata": len(drawn.strata),
        "weak_strata": [one.name for one, _ in report.weak(drawn.strata)][:1000],
        "distance": {one.variable.name: {**one.distance.as_json(), "chance": one.chance} for one in like},
        "differs": [one.variable.name for one in like if one.differs],
    }


def _alike(archive: Frame, drawn: Drawn, patients: NDArray[np.int32], seed: int, progress: Progress) -> list[Likeness]:
    return likeness(variables.every(archive), drawn.rows, patients, seed, progress)


def _passing(facts: Facts, archive: Frame, where: str) -> NDArray[np.bool_]:
    ids = columns.read(facts, matching(where, []))["image_id"]
    found: NDArray[np.bool_] = pc.is_in(archive.table["image_id"], value_set=ids.combine_chunks()).to_numpy()
    return found


def _keep(bench: Bench[SamplingAsked], ids: list[str], sha256: str) -> None:
    """Make the cohort, or find that it is there already, of the very same films."""
    asked = bench.asked
    about = {"run_id": bench.run_id, "filter": asked.filter, "sample": asked.drawn_by, "sample_sha256": sha256}
    try:
        title = f"{len(ids):,} films by {', '.join(asked.by) or 'chance'}, seed {asked.seed}"
        sets.create(bench.facts, asked.name, sets.COHORT, title, about, ids)
    except HilumError as error:
        if error.code is not ErrorCode.ALREADY_EXISTS:
            raise
        there = sets.get(bench.facts, asked.name)
        if there.about.get("sample_sha256") != sha256 or there.films != len(ids):
            raise HilumError(
                ErrorCode.ALREADY_EXISTS,
                "a cohort of this name was drawn by the same rules from other films: the archive has changed since; "
                "choose another name, or delete it first (hilum sets delete NAME)",
            ) from None
    settle(bench.facts, bench.store)


def _tables(bench: Bench[SamplingAsked], drawn: Drawn, ids: list[str], like: list[Likeness]) -> None:
    weight = np.array([one.weight for one in drawn.strata])
    bench.table("drawn", {"image_id": ids, "stratum": drawn.stratum, "weight": weight[drawn.stratum]})
    names = ("name", "archive", "wanted", "drawn", "patients", "weight")
    bench.table("strata", {name: [getattr(one, name) for one in drawn.strata] for name in names})
    rows = [
        (one.variable.name, value, share, mine)
        for one in like
        for value, share, mine in zip([*one.variable.values, None], one.archive, one.sample, strict=True)
    ]
    shares = dict(zip(("variable", "value", "archive", "sample"), map(list, zip(*rows, strict=True)), strict=True))
    bench.table("shares", shares or {"variable": pa.array([], pa.string())})
