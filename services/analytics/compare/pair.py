"""Two models against each other: every figure of the comparison."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from services.analytics import fuzzy, graph, layout
from services.analytics.bench import Once
from services.analytics.cluster import Partition, leiden
from services.analytics.compare import clusters, distances, overlap
from services.analytics.compare.asked import CompareAsked
from services.analytics.compare.cka import Alignment
from services.analytics.compare.clusters import Alike
from services.analytics.compare.distances import Order
from services.analytics.estimate import Estimate
from services.analytics.graph import Graph
from services.analytics.progress import Progress
from services.analytics.resample import means
from services.analytics.structure.layouts import first, onto
from services.core.models import ModelSpec

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Space:
    """What a model makes of the films. near: its graph, as a map has it.  others: neighbours of other patients alone,
    from the same graph.  partitions: by resolution.  itself: adjusted Rand index with its own clusters of another
    seed, the most that can be hoped for.  place: (N, 2), turned onto the first model's."""

    spec: ModelSpec
    unit: NDArray[np.float32]
    near: Graph
    others: Graph
    partitions: dict[float, Partition]
    itself: float
    place: NDArray[np.float32]

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def members(self) -> NDArray[np.int32]:
        return next(iter(self.partitions.values())).members


def look(
    spec: ModelSpec,
    unit: NDArray[np.float32],
    asked: CompareAsked,
    patients: NDArray[np.int32],
    reference: NDArray[np.float32] | None,
    progress: Progress,
    once: Once,
) -> Space:
    """Graph, clusters and map of one model. unit: (N, D) float32, L2-normalised.  reference: (N, 2), the map that this
    one is turned onto."""
    stage, wide = f"graph of {spec.name}", min(2 * asked.k, len(unit) - 1)
    pool = once(stage, partial(graph.build, unit, wide, asked.seed, progress, stage))
    near, others = first(pool, asked.k), graph.of_others(pool, unit, asked.k, patients)
    edges = fuzzy.weights(near)
    partitions, itself = once(
        f"clusters of {spec.name}", lambda: _clusters(edges, asked, f"clusters of {spec.name}", progress)
    )
    place = once(
        f"map of {spec.name}",
        lambda: layout.project(edges, unit, asked.seed, lambda d, t: progress(f"map of {spec.name}", d, t)),
    )
    if reference is not None:
        place = onto(reference, place).place
    return Space(spec, unit, near, others, partitions, itself, place)


def _clusters(
    edges: sparse.csr_matrix, asked: CompareAsked, stage: str, progress: Progress
) -> tuple[dict[float, Partition], float]:
    """Of each resolution, and how like its own clusters of another seed the first ones are."""
    progress(stage, 0, len(asked.resolutions) + 1)
    partitions = {}
    for done, resolution in enumerate(asked.resolutions, 1):
        partitions[resolution] = leiden(edges, resolution, asked.seed)
        progress(stage, done, len(asked.resolutions) + 1)
    again = leiden(edges, asked.resolutions[0], asked.seed + 1)
    return partitions, clusters.rand(partitions[asked.resolutions[0]].members, again.members)


@dataclass(frozen=True)
class Pair:
    """jaccard: (N,) of each film's k neighbours of other patients.  depths: of the mean Jaccard from 1 to k.  chance:
    its expectation for neighbours drawn at random; shuffled: for neighbours of another film.  far: (N, 2) how far the
    first finds what the second holds near, and the second the first's."""

    one: Space
    other: Space
    jaccard: Values
    depths: list[Estimate]
    chance: list[float]
    shuffled: float
    all_films: Estimate
    far: Values
    cka: Estimate
    debiased: Estimate
    order: Order
    alike: Alike

    @property
    def name(self) -> str:
        return f"{self.one.name} – {self.other.name}"

    @property
    def mean(self) -> Estimate:
        return self.depths[-1]

    def as_json(self) -> dict[str, object]:
        """Every figure of all films."""
        return {
            "jaccard": self.mean.as_json(), "jaccard_by_chance": self.chance[-1], "jaccard_shuffled": self.shuffled,
            "jaccard_with_own_films": self.all_films.as_json(), "far": [float(v) for v in self.far.mean(axis=0)],
            "cka": self.cka.as_json(), "cka_debiased": self.debiased.as_json(),
            "spearman": self.order.spearman.as_json(), "kendall": self.order.kendall.as_json(),
            "p_order": self.order.p, "films_apart": self.order.films, "ari": self.alike.ari.as_json(),
            "nmi": self.alike.nmi.as_json(), "ami": self.alike.ami.as_json(),
        }  # fmt: skip


def compare(
    one: Space, other: Space, alignment: Alignment, apart: NDArray[np.int64], patients: NDArray[np.int32],
    asked: CompareAsked, progress: Progress, once: Once,
) -> Pair:  # fmt: skip
    """Every figure of two models. apart: rows of films, no two of one patient, whose distances are compared."""
    stage = f"{one.name} and {other.name}"
    return Pair(one, other, *once(stage, partial(_figures, one, other, alignment, apart, patients, asked, progress)))


def _figures(
    one: Space, other: Space, alignment: Alignment, apart: NDArray[np.int64], patients: NDArray[np.int32],
    asked: CompareAsked, progress: Progress,
) -> tuple[Any, ...]:  # fmt: skip
    """The fields of a `Pair` behind its models."""
    stage, seed, k = f"{one.name} and {other.name}", asked.seed, asked.k
    progress(stage, 0, 4)
    a, b = one.others.ids, other.others.ids
    by_depth = np.stack([overlap.jaccard(a, b, depth) for depth in range(1, k + 1)], axis=1)
    everybody = overlap.jaccard(one.near.ids, other.near.ids, k)
    far = np.stack([overlap.far(one.unit, b, seed), overlap.far(other.unit, a, seed)], axis=1)
    progress(stage, 1, 4)
    cka, debiased = alignment.between(one.name, one.unit, other.name, other.unit)
    progress(stage, 2, 4)
    order = distances.order(
        distances.matrix(one.unit[apart]), distances.matrix(other.unit[apart]), asked.shuffles, seed
    )
    progress(stage, 3, 4)
    alike = clusters.alike(one.members, other.members, patients, seed)
    found = (
        by_depth[:, -1], means(by_depth, patients, seed),
        [float(overlap.by_chance(patients, depth).mean()) for depth in range(1, k + 1)],
        overlap.shuffled(a, b, k, seed), means(everybody[:, None], patients, seed)[0], far, cka, debiased, order, alike,
    )  # fmt: skip
    progress(stage, 4, 4)
    return found
