"""Films and clinical tables: one row for each patient, spaces, clusters, and what the outcome has to do with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np

from services.analytics.bench import Bench
from services.analytics.clinical import associate, gain, groups, join, report
from services.analytics.clinical import outcome as outcomes
from services.analytics.clinical.asked import REDUCTIONS, ClinicalAsked, columns
from services.analytics.clinical.associate import Alone, Sorted
from services.analytics.clinical.cox import MOST as MOST_PAIRS
from services.analytics.clinical.gain import Gain
from services.analytics.clinical.groups import Grouping
from services.analytics.clinical.join import Column, Joined
from services.analytics.clinical.outcome import Outcome
from services.analytics.clinical.spaces import (
    FUSED,
    FUSED_VAE,
    TABLES,
    VECTORS,
    Data,
    Numbers,
    Reduced,
    components,
    points,
)
from services.analytics.clinical.spaces import reduce as reduced_of
from services.analytics.page import Page
from services.core.errors import ErrorCode, HilumError

MIN_PATIENTS = 30
MOST = 20_000  # patients


@dataclass(frozen=True)
class Look:
    """Everything. clouds: space → p of its being one cloud.  best: space → its steadiest grouping."""

    joined: Joined
    columns: list[Column]
    reduced: Reduced
    groupings: list[Grouping]
    clouds: dict[str, float]
    outcome: Outcome | None
    sorted: list[Sorted]
    alone: list[Alone]
    gains: list[Gain]
    filmed: list[str]  # how films were taken, as far as it differs

    def best(self, space: str) -> Grouping:
        """The steadiest grouping of a space."""
        return groups.steadiest([one for one in self.groupings if one.space == space])

    def __len__(self) -> int:
        return len(self.joined)


def run(bench: Bench[ClinicalAsked]) -> None:
    """Make the run in the bench's folder. Raises FAILED_PRECONDITION where patients or events are too few."""
    asked, films = bench.asked, bench.films
    joined = join.patients(bench.frame, asked.film, MOST, asked.seed)
    if len(joined) < MIN_PATIENTS:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"{len(joined)} patients match; {MIN_PATIENTS} are needed: widen the filter or ingest more",
        )
    bench.progress("clinical variables", 0, 1)
    named = asked.chosen([*columns(bench.facts)])
    read = join.variables(bench.facts, bench.frame, joined, [*named, *filter(None, (asked.outcome, asked.time))])
    by_name = {column.name: column for column in read}
    kept = [column for column in read[: len(named)] if column.known.any()]
    outcome = None
    if asked.outcome:
        outcome = outcomes.read(by_name[asked.outcome], by_name.get(asked.time), asked.event)
    vectors = {}
    for spec in bench.specs:
        with bench.vectors(spec, joined.rows) as unit:
            vectors[spec.name] = joined.mean(unit)
    data = Data(vectors, kept)
    count = components(len(data), asked.components)
    bench.progress("components", 0, 1)
    reduced = bench.once("components", partial(reduced_of, data, count, asked.seed), data.vectors, _cells(kept))
    if not reduced.blocks[-1].shape[1]:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            "no variable tells these patients apart: all are unknown or the same; name others or widen the filter",
        )
    reductions = asked.reductions or REDUCTIONS
    spaces = [VECTORS, TABLES, FUSED, *([FUSED_VAE] if "vae" in reductions else [])]
    groupings, clouds = _group(bench, reduced, spaces)
    parted: list[Sorted] = []
    single: list[Alone] = []
    gained: list[Gain] = []
    filmed = join.filmed(bench.frame, joined)
    if outcome is not None:
        bench.progress("clusters by outcome", 0, 1)
        part = partial(associate.clusters, groupings, outcome)
        found = bench.once("clusters by outcome", part, groupings, outcome)
        parted = [replace(one, grouping=mine) for one, mine in zip(found, groupings, strict=True)]
        gained, single = _weigh(bench, data, outcome, spaces, count, filmed)
    look = Look(joined, kept, reduced, groupings, clouds, outcome, parted, single, gained, [c.name for c in filmed])
    bench.progress("report", 0, 1)
    page = Page("Films and clinical tables", report.ABOUT)
    report.write(page, asked, look, films)
    _tables(bench, look)
    bench.finish(
        {"together": report.as_json(look)}, page, {name: {"kept": share} for name, share in reduced.kept.items()},
        joined={"patients": len(joined), "film": asked.film, "variables": [column.name for column in kept]},
    )  # fmt: skip


def _group(bench: Bench[ClinicalAsked], reduced: Reduced, spaces: list[str]) -> tuple[list[Grouping], dict[str, float]]:
    asked, found, clouds = bench.asked, [], {}
    for space in spaces:
        where = cache(partial(_points, bench, reduced, space))
        for method in asked.methods:
            told = partial(bench.progress, f"clusters of {space} by {method}")
            ask = partial(
                groups.find, space, method, where, asked.most_clusters, asked.k, asked.draws, asked.seed, told
            )
            found.append(bench.once(f"clusters of {space} by {method}", ask, reduced))
        bench.progress(f"one cloud of {space}", 0, 1)
        cloud = partial(_cloud, where, asked.seed)
        clouds[space] = bench.once(f"one cloud of {space}", cloud, reduced)
    return found, clouds


def _points(bench: Bench[ClinicalAsked], reduced: Reduced, space: str, seed: int) -> Numbers:
    """Those of an autoencoder are kept: it is what takes time."""
    if space != FUSED_VAE:
        return points(reduced, space, seed)
    bench.progress(f"autoencoder, seed {seed}", 0, 1)
    return bench.once(f"autoencoder, seed {seed}", partial(points, reduced, space, seed), reduced)


def _cloud(where: Callable[[int], Numbers], seed: int) -> float:
    return groups.one_cloud(where(seed), seed)


def _cells(columns: Sequence[Column]) -> list[object]:
    """Variables by what they hold, as stages are told apart by it."""
    return [[c.name, c.level, c.values if c.number else c.values.tolist()] for c in columns]


def _weigh(
    bench: Bench[ClinicalAsked], data: Data, outcome: Outcome, spaces: list[str], count: int, filmed: list[Column]
) -> tuple[list[Gain], list[Alone]]:
    """Of at most MOST_PAIRS of the patients whose outcome is known."""
    asked, some = bench.asked, np.arange(len(outcome))
    if len(some) > MOST_PAIRS:
        some = np.sort(np.random.default_rng(asked.seed).choice(some, MOST_PAIRS, replace=False))
    rows = outcome.rows[some]
    time = None if outcome.time is None else outcome.time[some]
    few = Outcome(outcome.name, rows, outcome.event[some], time, outcome.left_out, outcome.value)
    mine = Data({name: unit[rows] for name, unit in data.vectors.items()}, [c.take(rows) for c in data.columns])
    told = partial(bench.progress, "promises")
    how = [c.take(rows) for c in filmed]
    weigh = partial(gain.gains, mine, few, spaces, count, asked.folds, asked.repeats, asked.seed, told, how)
    made_from = (few, mine.vectors, _cells([*mine.columns, *how]))
    found = bench.once("promises", weigh, *made_from)
    bench.progress("each variable alone", 0, 1)
    return found, bench.once(
        "each variable alone", lambda: associate.alone(mine, reduced_of(mine, count, asked.seed), few), *made_from
    )


def _tables(bench: Bench[ClinicalAsked], look: Look) -> None:
    """patients.parquet: the clusters of each patient; promises.parquet; variables.parquet; clusters.parquet."""
    bench.table("patients", {
        "patient": look.joined.patients, **{one.name: one.members for one in look.groupings},
    })  # fmt: skip
    bench.table("clusters", {
        "space": [o.space for o in look.groupings for _ in o.sizes],
        "method": [o.method for o in look.groupings for _ in o.sizes],
        "cluster": [n for o in look.groupings for n in range(len(o.sizes))],
        "patients": [int(n) for o in look.groupings for n in o.sizes],
        "stability": [float(j) for o in look.groupings for j in o.jaccard],
    })  # fmt: skip
    if look.alone:
        bench.table("variables", {
            "name": [o.name for o in look.alone], "patients": [o.patients for o in look.alone],
            "events": [o.events for o in look.alone],
            **{field: [getattr(o.effect, field) for o in look.alone]
               for field in ("ratio", "low", "high", "p", "proportional")},
            "q": [o.q for o in look.alone],
        })  # fmt: skip
