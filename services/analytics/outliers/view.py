"""Everything that a search for outliers found of one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from services.analytics import cluster, fuzzy, graph, layout
from services.analytics.bench import Once
from services.analytics.outliers import duplicates, regions, scores
from services.analytics.outliers.asked import OutliersAsked
from services.analytics.outliers.duplicates import Double, Twins
from services.analytics.outliers.regions import Apart
from services.analytics.outliers.scores import Agreement, Scores
from services.analytics.outliers.understand import Region, nearest, understand
from services.analytics.progress import Progress
from services.analytics.sample import Sample
from services.analytics.structure.layouts import first
from services.analytics.structure.terms import Term
from services.core.models import ModelSpec

GROUPS = 4  # understood; the tables have all
LISTED = 50  # outliers in the report, with the nearest ordinary film of each


@dataclass(frozen=True)
class View:
    """One model. groups: rows of outliers that lie together.  apart: clusters by how far they lie from the rest.
    regions: outliers together, groups of them, clusters apart, and what was asked.  beside: of those listed
    the nearest ordinary film.  same: the distance below which films are `twins`.  place: (N, 2) principal components,
    to draw."""

    spec: ModelSpec
    near: graph.Graph
    scores: Scores
    agreement: list[Agreement]
    groups: list[NDArray[np.int64]]
    apart: list[Apart]
    regions: list[Region]
    beside: dict[int, tuple[int, float]]
    same: float
    twins: list[Twins]
    doubles: list[Double]
    place: NDArray[np.float32]


def look(
    unit: NDArray[np.float32],
    spec: ModelSpec,
    asked: OutliersAsked,
    films: Sample,
    terms: Sequence[Term],
    region: NDArray[np.int64],
    odd: NDArray[np.int8],
    progress: Progress,
    once: Once,
) -> View:
    """unit: (N, D) float32, L2-normalised.  region: rows of the films asked about, none for none.  odd: (N,) 1 looks
    odd, 0 does not, −1 not looked at."""
    patients, count = films.patients, asked.flagged(len(films))
    wide, stage = min(2 * asked.k, len(unit) - 1), f"graph of {spec.name}"
    pool = once(stage, partial(graph.build, unit, wide, asked.seed, progress, stage))
    near, others = first(pool, asked.k), graph.of_others(pool, unit, asked.k, patients)
    stage = f"outliers of {spec.name}"
    progress(stage, 0, 4)
    found = once(stage, partial(scores.score, unit, others, count, asked.trees, asked.seed))
    progress(stage, 1, 4)
    cut = partial(cluster.leiden, fuzzy.weights(near), regions.FINE, asked.seed)
    members = once(f"clusters of {spec.name}", cut).members
    away = regions.apart(unit, members, odd, asked.seed)
    progress(stage, 2, 4)
    sets = [("All outliers", found.flagged)]
    groups = regions.groups(near, found.flagged)
    sets += [(f"Outliers that lie together, group {n}", rows) for n, rows in enumerate(groups[:GROUPS], 1)]
    sets += [
        (
            f"A small cluster {'that looks odd' if one.strange else 'apart'}, C{one.cluster + 1:02d}",
            np.flatnonzero(members == one.cluster),
        )
        for one in away[:GROUPS]
        if one.strange or one.ratio >= regions.APART
    ]
    sets += [("The region asked about", region)] if len(region) else []
    regions_of = partial(understand, sets, unit, found.flagged, films, terms)
    understood = once(f"regions of {spec.name}", regions_of, sets, terms)
    progress(stage, 3, 4)
    strange = np.zeros(len(films), dtype=bool)
    strange[found.flagged] = True
    beside = {row: (normal, d) for row, normal, d in nearest(found.flagged[:LISTED], unit, strange, films)}
    same = duplicates.bound(others, asked.same)
    pairs = duplicates.twins(pool, same)
    agreed = scores.agreement(found.values, count, patients, asked.seed)
    view = View(
        spec, near, found, agreed, groups, away, understood, beside, same, pairs,
        duplicates.doubles(pairs, patients), layout.pca(unit),
    )  # fmt: skip
    progress(stage, 4, 4)
    return view
