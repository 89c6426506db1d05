"""Everything that a study of structure found of one model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from services.analytics import fuzzy, graph, metrics
from services.analytics.bench import Once
from services.analytics.graph import Graph
from services.analytics.progress import Progress
from services.analytics.sample import Sample
from services.analytics.structure import classes as kinds
from services.analytics.structure import describe, distortion, enrichment, layouts, stability
from services.analytics.structure.asked import StructureAsked
from services.analytics.structure.classes import Between, Classes, Drawn
from services.analytics.structure.describe import Exemplars
from services.analytics.structure.distortion import Distortion
from services.analytics.structure.enrichment import Enriched, Sorted
from services.analytics.structure.layouts import Layout
from services.analytics.structure.stability import Level
from services.analytics.structure.terms import Term
from services.core.models import ModelSpec

T = TypeVar("T")
MOST = 60  # clusters of a resolution whose terms are asked about
SHOWN = 16  # clusters with sheets and pages of their own; the tables have all
EACH = 7  # films of a kind on a sheet: a row of the page
DRAWS = 200  # of the patients, for class structure
_MAP_FILMS = 4_000  # whose classes are measured on maps: every film with every other


@dataclass(frozen=True)
class ClassStructure:
    """space: figures of the vectors.  maps: layout column → name → of each seed.  overlap: (C, C).  mixed: pairs."""

    space: Drawn
    maps: Mapping[str, Mapping[str, list[float]]]
    overlap: NDArray[np.float64]
    mixed: list[Between]


@dataclass(frozen=True)
class View:
    """One model. chosen: the level recommended, for `reason`; lines, verdicts, exemplars: of its clusters.  everywhere,
    sortings: what the clusters of each level are rich in, and what they sort by; none of levels with more than MOST."""

    spec: ModelSpec
    near: Graph
    levels: list[Level]
    silhouettes: list[float | None]
    chosen: Level
    reason: str
    layouts: list[Layout]
    distortions: list[Distortion]
    everywhere: list[list[Enriched]]
    sortings: list[list[Sorted]]
    lines: list[str]
    verdicts: list[str]
    exemplars: Mapping[int, Exemplars]
    classes: ClassStructure | None

    @property
    def members(self) -> NDArray[np.int32]:
        return self.chosen.partition.members

    @property
    def enriched(self) -> list[Enriched]:
        return self.everywhere[self.levels.index(self.chosen)]

    @property
    def sorted_by(self) -> list[Sorted]:
        return self.sortings[self.levels.index(self.chosen)]

    def drawn(self, column: str) -> Layout:
        """The layout of this column with the first seed: what is shown."""
        return next(one for one in self.layouts if one.column == column)


def look(
    unit: NDArray[np.float32],
    spec: ModelSpec,
    asked: StructureAsked,
    films: Sample,
    terms: Sequence[Term],
    classes: Classes | None,
    progress: Progress,
    once: Once,
) -> View:
    """Study one space. unit: (N, D) float32, L2-normalised.  once: of the bench."""
    name, seeds = spec.name, range(asked.seed, asked.seed + asked.seeds)

    def stage(what: str) -> Callable[[int, int], None]:
        progress(f"{what} of {name}", 0, 1)
        return lambda done, total: progress(f"{what} of {name}", done, total)

    def kept(what: str, make: Callable[[Callable[[int, int], None]], T], *made_from: object) -> T:
        return once(f"{what} of {name}", lambda: make(stage(what)), *made_from)

    wide = layouts.neighbours(asked.k, asked.layouts, asked.perplexities, len(unit))
    pool = once(f"graph of {name}", partial(graph.build, unit, wide, asked.seed, progress, f"graph of {name}"))
    near = layouts.first(pool, asked.k)
    edges = fuzzy.weights(near)
    levels = kept(
        "clusters",
        partial(stability.levels, pool, edges, asked.k, films.patients, asked.resolutions, seeds, asked.draws),
    )
    chosen, reason = stability.recommend(levels)
    members = chosen.partition.members
    drawn = kept("layouts", partial(layouts.draw, pool, edges, unit, asked.layouts, asked.perplexities, seeds))
    rows = distortion.rows(len(unit), asked.seed)
    bent = kept("distortion", partial(distortion.measure, unit, [one.place for one in drawn], near, rows))
    asking = [level for level in levels if len(level.partition.sizes) <= MOST or level is chosen]
    asked_of = [level.partition.members for level in asking]
    told = kept("enrichment", partial(enrichment.enrich, asked_of, films.patients, terms), list(terms))
    everywhere = [told[asking.index(level)] if level in asking else [] for level in levels]
    enriched = everywhere[levels.index(chosen)]
    clusters = range(len(chosen.partition.sizes))
    classed = None
    if classes is not None:
        classed = kept("classes", partial(structure, unit, near, classes, films, drawn, asked), classes)
    silhouettes = once(
        f"silhouettes of {name}", lambda: [metrics.silhouette(unit, level.partition.members) for level in levels]
    )
    sortings = kept("sorting", partial(_sortings, levels, asking, films.patients, terms), list(terms))
    shown = partial(describe.exemplars, unit, near, edges, members, films.patients, SHOWN, EACH)
    return View(
        spec=spec,
        near=near,
        levels=levels,
        silhouettes=silhouettes,
        chosen=chosen,
        reason=reason,
        layouts=drawn,
        distortions=bent,
        everywhere=everywhere,
        sortings=sortings,
        lines=[describe.describe(number, enriched, films, members) for number in clusters],
        verdicts=[describe.verdict(number, enriched) for number in clusters],
        exemplars=once(f"prototypes of {name}", shown),
        classes=classed,
    )


def _sortings(
    levels: Sequence[Level],
    asking: Sequence[Level],
    patients: NDArray[np.int32],
    terms: Sequence[Term],
    progress: Callable[[int, int], None],
) -> list[list[Sorted]]:
    found = []
    for done, level in enumerate(levels, 1):
        found.append(enrichment.sorting(level.partition.members, patients, terms) if level in asking else [])
        progress(done, len(levels))
    return found


def structure(
    unit: NDArray[np.float32],
    near: Graph,
    classes: Classes,
    films: Sample,
    drawn: Sequence[Layout],
    asked: StructureAsked,
    progress: Callable[[int, int], None],
) -> ClassStructure:
    """Classes in the space, with intervals by patient, and on each map, over seeds."""
    matrix, pure = kinds.overlap(near, classes, films.patients)
    space = kinds.measure(unit, classes, films.patients, pure, DRAWS, asked.seed, progress)
    maps: dict[str, dict[str, list[float]]] = {}
    rows = np.flatnonzero(classes.of >= 0)
    if len(rows) > _MAP_FILMS:
        rows = np.sort(np.random.default_rng(asked.seed).choice(rows, _MAP_FILMS, replace=False))
    for one in drawn:
        found = maps.setdefault(one.column, {"silhouette": [], "davies_bouldin": []})
        for name, value in on_map(one.place[rows], classes.of[rows]).items():
            found[name].append(value)
    return ClassStructure(space, maps, matrix, kinds.mixtures(unit, classes, films.patients, asked.seed))


def on_map(place: NDArray[np.float32], of: NDArray[np.int32]) -> dict[str, float]:
    """Euclidean, as eyes see it. place: (M, 2); of: (M,) their classes."""
    from sklearn.metrics import davies_bouldin_score, silhouette_score

    flat = place.astype(np.float64)
    return {
        "silhouette": float(silhouette_score(flat, of)),
        "davies_bouldin": float(davies_bouldin_score(flat, of)),
    }
