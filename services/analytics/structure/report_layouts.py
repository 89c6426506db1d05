"""The layouts of a study of structure on its page: the same films side by side, and what each picture distorts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analytics import picture
from services.analytics.estimate import Estimate
from services.analytics.page import Page
from services.analytics.resample import means
from services.analytics.sample import Sample
from services.analytics.structure.distortion import Distortion
from services.analytics.structure.layouts import Layout, onto
from services.analytics.structure.terms import whole
from services.analytics.structure.together import Drawn, as_json, shifts, table
from services.analytics.structure.view import View

_SIZE = 330
_WORST = 3
_MIN_ROWS = 15  # films measured, of a group whose distortion is told


def put(page: Page, views: Sequence[View], films: Sample, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Pictures and tables; returns the figures of each layout by model."""
    page.heading(
        "Layouts",
        f"The same films in every picture, coloured by the clusters of {views[0].spec.name}; each turned, mirrored and"
        " scaled onto the first model's (Procrustes). Trustworthiness: who stands beside a film belongs there."
        " Continuity: who belongs beside it stands there. Kept: share of a film's nearest in the space that are so on"
        " the map."
        " Distances between far groups mean little on UMAP and t-SNE, and the size of a group means nothing.",
    )
    found: dict[str, dict[str, Any]] = {view.spec.name: {} for view in views}
    rows: list[tuple[Any, ...]] = []
    for column in dict.fromkeys(one.column for view in views for one in view.layouts):
        sheet = []
        holders = [view for view in views if any(one.column == column for one in view.layouts)]
        reference = holders[0].drawn(column)
        for view in holders:
            shown = view.drawn(column)
            seeds = [one for one in view.layouts if one.column == column]
            bent = view.distortions[view.layouts.index(shown)]
            three = quality(bent, films.patients)
            turned = onto(reference.place, shown.place)
            apart = [onto(shown.place, one.place).disparity for one in seeds if one is not shown]
            worst = _worst(bent, groups(view, films, labels))
            sheet.append((_picture(turned.place, views[0]), _caption(view, shown, three, worst)))
            own = view is holders[0]
            rows.append((
                f"{shown.name}, {view.spec.name}", len(bent.rows), *three.values(),
                f"{min(apart):.3f} to {max(apart):.3f}" if apart else None, None if own else turned.disparity,
            ))  # fmt: skip
            found[view.spec.name][column] = {
                "films": len(bent.rows), "k": bent.k, **{name: one.as_json() for name, one in three.items()},
                "disparity_over_seeds": apart, "disparity_to_first_model": None if own else turned.disparity,
                "worst": [{"group": name, "kept": kept, "films": count} for name, kept, count in worst],
            }  # fmt: skip
        page.pictures(sheet, _SIZE)
    page.table(
        ("layout", "films", "trustworthiness", "continuity", "kept", "disparity between seeds",
         f"disparity to {views[0].spec.name}"),
        rows, "What each layout keeps",
    )  # fmt: skip
    page.text(
        "Disparity is what Procrustes cannot take away, 0 the same picture, 1 unrelated. t-SNE's first seed starts from"
        " PCA, the others at random: their disparity is how arbitrary the arrangement is."
    )
    _groups(page, views, films, labels)
    return found


def together(
    page: Page, views: Sequence[View], films: Sample, labels: Sequence[str], drawn: Drawn
) -> list[dict[str, Any]]:
    """UMAP of all models at once, and how far clusters and findings go from one map to another; returns the figures of
    each model."""
    names = [view.spec.name for view in views]
    page.heading(
        "The same maps, drawn together",
        "Turning a map changes nothing on it, and two maps of one space may still lie apart. These were drawn at once, "
        "each film held near where the other maps have it, so that a place is the same place on all of them: what "
        "stands apart even so has other neighbours. What that bends, the table tells.",
    )
    page.pictures(
        [
            (_picture(place, views[0]), f"{name}, drawn together: trustworthiness {one.trustworthiness.value:.3f}, "
             f"continuity {one.continuity.value:.3f}, kept {one.kept.value:.3f}")
            for name, place, one in zip(names, drawn.together, drawn.together_keeps, strict=True)
        ],
        _SIZE,
    )  # fmt: skip
    table(page, names, drawn)
    named = groups(views[0], films, labels)
    moves = [shifts(drawn.together[0], place, named) for place in drawn.together]
    page.table(
        ("group", "films", *(f"{name}: {what}" for name in names[1:] for what in ("its middle", "its films"))),
        [
            (group, moves[0][group][0], *(step for move in moves[1:] for step in move[group][1:]))
            for group in moves[0]
        ],
        f"How far groups go from the map of {names[0]} to the others', in radii of the map",
    )  # fmt: skip
    return [
        {
            "alone": as_json(alone), "together": as_json(joint),
            "shifts": {name: dict(zip(("films", "middle", "films_apart"), of, strict=True)) for name, of in by.items()},
        }
        for alone, joint, by in zip(drawn.alone_keeps, drawn.together_keeps, moves, strict=True)
    ]  # fmt: skip


def places(views: Sequence[View], films: Sample, drawn: Drawn) -> dict[str, Any]:
    """together.parquet: x and y of every film on the maps drawn together."""
    found: dict[str, Any] = {"image_id": films.ids}
    for view, place in zip(views, drawn.together, strict=True):
        found[f"{view.spec.name}.x"], found[f"{view.spec.name}.y"] = place[:, 0], place[:, 1]
    return found


def quality(bent: Distortion, patients: NDArray[np.int32]) -> dict[str, Estimate]:
    """Means over films, with intervals by patient."""
    values = np.stack([bent.trustworthiness, bent.continuity, bent.kept], axis=1)
    return dict(zip(("trustworthiness", "continuity", "kept"), means(values, patients[bent.rows], 0), strict=True))


def groups(view: View, films: Sample, labels: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """What distortion is summarised by: clusters and findings."""
    found = {f"C{number + 1:02d}": view.members == number for number in range(len(view.chosen.partition.sizes))}
    return found | {name.replace("_", " "): films.labels[name] == 1 for name in whole(labels) if name in films.labels}


def by_group(bent: Distortion, named: Mapping[str, NDArray[np.bool_]]) -> dict[str, tuple[NDArray[np.float64], int]]:
    """Group → its mean trustworthiness, continuity and kept, and of how many films."""
    values = np.stack([bent.trustworthiness, bent.continuity, bent.kept])
    inside = {name: mask[bent.rows] for name, mask in named.items()}
    return {name: (values[:, mask].mean(axis=1), int(mask.sum())) for name, mask in inside.items() if mask.any()}


def columns(view: View) -> dict[str, Any]:
    """layouts-<model>.parquet: x and y of every layout and seed."""
    found: dict[str, Any] = {}
    for one in view.layouts:
        name = one.column if one.method == "pca" else f"{one.column}@{one.seed}"
        found[f"{name}.x"], found[f"{name}.y"] = one.place[:, 0], one.place[:, 1]
    return found


def _worst(bent: Distortion, named: Mapping[str, NDArray[np.bool_]]) -> list[tuple[str, float, int]]:
    each = [(name, float(values[2]), count) for name, (values, count) in by_group(bent, named).items()]
    return sorted((one for one in each if one[2] >= _MIN_ROWS), key=lambda one: one[1])[:_WORST]


def _picture(place: NDArray[np.float32], first: View) -> str:
    names = [f"C{number + 1:02d}" for number in range(len(first.chosen.partition.sizes))]
    return picture.by_cluster(place, first.members, names, _SIZE)


def _caption(view: View, shown: Layout, three: Mapping[str, Estimate], worst: Sequence[tuple[str, float, int]]) -> str:
    told = f"{view.spec.name}, {shown.name}: " + ", ".join(f"{name} {one.value:.3f}" for name, one in three.items())
    if worst:
        told += ". Distorts most: " + ", ".join(f"{name} (keeps {kept:.0%})" for name, kept, _ in worst)
    return told


def _groups(page: Page, views: Sequence[View], films: Sample, labels: Sequence[str]) -> None:
    for view in views:
        named = groups(view, films, labels)
        rows: dict[str, list[Any]] = {}
        shown = [view.drawn(column) for column in dict.fromkeys(one.column for one in view.layouts)]
        for one in shown:
            for name, (values, count) in by_group(view.distortions[view.layouts.index(one)], named).items():
                rows.setdefault(name, [name, count]).extend(float(value) for value in values)
        head = [f"{one.column} {what}" for one in shown for what in ("trust", "continuity", "kept")]
        page.table(["group", "films", *head], rows.values(), f"{view.spec.name}: what layouts distort, by group")
