"""Maps of several models that can be laid over one another, and what that costs each of them.

Every model's map is drawn by itself and then turned onto the first (Procrustes), which changes no distance on it; or
all are drawn at once, each film held near where the other maps have it. The first shows what each model makes of the
films, the second where models part: a film that stands apart even then has other neighbours. What the second bends is
measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.analytics import fuzzy, layout
from services.analytics.estimate import Estimate
from services.analytics.graph import Graph
from services.analytics.page import Page
from services.analytics.resample import means
from services.analytics.structure import distortion
from services.analytics.structure.distortion import Distortion
from services.analytics.structure.layouts import onto

PULL = 0.1  # of the way to where the other maps have a film, in a round
Place = NDArray[np.float32]


class Mapped(Protocol):
    """A space with a map. unit: (N, D) float32, L2-normalised.  near: its graph.  place: (N, 2)."""

    @property
    def unit(self) -> NDArray[np.float32]: ...
    @property
    def near(self) -> Graph: ...
    @property
    def place(self) -> Place: ...


@dataclass(frozen=True)
class Space:
    """The plainest `Mapped`."""

    unit: NDArray[np.float32]
    near: Graph
    place: Place


@dataclass(frozen=True)
class Kept:
    """Of one map: what it keeps of its space, and how far it is from the first model's."""

    trustworthiness: Estimate
    continuity: Estimate
    kept: Estimate
    disparity: float
    moved: float  # mean distance of a film's places on this map and the first, in radii of the first


@dataclass(frozen=True)
class Drawn:
    """By model: places (N, 2) of the maps drawn together; what maps keep by themselves and so.  films: measured."""

    together: list[Place]
    alone_keeps: list[Kept]
    together_keeps: list[Kept]
    films: int


def draw(
    spaces: Sequence[Mapped], patients: NDArray[np.int32], seed: int, progress: Callable[[int, int], None]
) -> Drawn:
    """Of spaces whose maps are turned onto the first."""
    alone = [space.place for space in spaces]
    graphs = [fuzzy.weights(space.near) for space in spaces]
    found = layout.together(graphs, [scaled(place, alone[0]) for place in alone], PULL, seed, progress)
    rows = distortion.rows(len(patients), seed)
    bent = [
        distortion.measure(space.unit, [one, other], space.near, rows)
        for space, one, other in zip(spaces, alone, found, strict=True)
    ]
    return Drawn(
        found,
        [_kept(one, place, alone[0], patients) for (one, _), place in zip(bent, alone, strict=True)],
        [_kept(other, place, found[0], patients) for (_, other), place in zip(bent, found, strict=True)],
        len(rows),
    )


def scaled(place: Place, like: Place) -> Place:
    """As wide as `like`: turning one map onto another makes it the smaller the less they agree."""
    centred = place - place.mean(axis=0)
    wide = float(np.linalg.norm(like - like.mean(axis=0)))
    return np.asarray(centred * (wide / max(float(np.linalg.norm(centred)), 1e-12)), dtype=np.float32)


def _kept(bent: Distortion, place: Place, first: Place, patients: NDArray[np.int32]) -> Kept:
    values = np.stack([bent.trustworthiness, bent.continuity, bent.kept], axis=1)
    three = means(values, patients[bent.rows], 0)
    radius = float(np.sqrt(((first - first.mean(axis=0)) ** 2).sum(axis=1).mean()))
    moved = float(np.linalg.norm(scaled(place, first) - (first - first.mean(axis=0)), axis=1).mean())
    return Kept(*three, onto(first, place).disparity, moved / max(radius, 1e-12))


def shifts(first: Place, place: Place, groups: Mapping[str, NDArray[np.bool_]]) -> dict[str, tuple[int, float, float]]:
    """Group → its films; how far its middle is from where it was on the first map, and its films on average, both in
    radii of the first map. Of maps drawn together: others have no places in common."""
    here, there = first - first.mean(axis=0), scaled(place, first)
    radius = max(float(np.sqrt((here**2).sum(axis=1).mean())), 1e-12)
    gone = there - here
    return {
        name: (
            int(inside.sum()),
            float(np.linalg.norm(gone[inside].mean(axis=0))) / radius,
            float(np.linalg.norm(gone[inside], axis=1).mean()) / radius,
        )
        for name, inside in groups.items()
        if inside.any()
    }


def table(page: Page, names: Sequence[str], drawn: Drawn) -> None:
    """What each map keeps of its space, by itself and drawn together. names: of the models."""
    first = names[0]
    page.table(
        ("map", "films", "trustworthiness", "continuity", "kept", f"disparity to {first}", "films apart, in radii"),
        [
            (f"{name}, {how}", drawn.films, one.trustworthiness, one.continuity, one.kept,
             *((None, None) if name is first else (one.disparity, one.moved)))
            for how, keeps in (("by itself, turned", drawn.alone_keeps), ("together", drawn.together_keeps))
            for name, one in zip(names, keeps, strict=True)
        ],
        "What each map keeps of its space",
    )  # fmt: skip


def as_json(kept: Kept) -> dict[str, object]:
    """Every figure of a map."""
    three = {name: getattr(kept, name).as_json() for name in ("trustworthiness", "continuity", "kept")}
    return {**three, "disparity": kept.disparity, "moved": kept.moved}
