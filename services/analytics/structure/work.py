"""Structure: of each model one graph; layouts, clusters, what they are rich in, and classes, models side by side."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from services.analytics import manifest, snapshot, thumbnails
from services.analytics.bench import Bench
from services.analytics.page import Page
from services.analytics.structure import (
    classes,
    layouts,
    report_classes,
    report_clusters,
    report_layouts,
    terms,
    together,
)
from services.analytics.structure.asked import StructureAsked
from services.analytics.structure.classes import Classes
from services.analytics.structure.together import Drawn
from services.analytics.structure.view import View, look

ABOUT = (
    "What structure a space has, and which of it is there again when patients, seeds, resolutions or layouts change. "
    "Clusters are found without labels; what they are rich in is told afterwards. Published (hilum sets create), they "
    "are sets to filter by."
)


def run(bench: Bench[StructureAsked]) -> None:
    """Make the run in the bench's folder."""
    films, labels, progress = bench.films, bench.labels, bench.progress
    progress("facts", 0, 1)
    known = terms.collect(bench.facts, films)
    kinds = classes.sort(films, classes.studied(labels, bench.asked.labels))
    pictures = bench.once("pictures", lambda: thumbnails.thumbnails(bench.facts, bench.blobs, films.ids, progress))
    views: list[View] = []
    for spec in bench.specs:
        with bench.vectors(spec) as unit:
            view = look(unit, spec, bench.asked, films, known, kinds, progress, bench.once)
        views.append(view)
        levels = sorted(view.levels, key=lambda level: level is not view.chosen)  # colours are of the first
        partitions = {level.resolution: level.partition for level in view.levels}
        snapshot.write(
            bench.part / "atlas" / spec.name, bench.run_id, films, labels, view.near,
            {level.resolution: level.partition for level in levels}, view.layouts[0].place, pictures,
        )  # fmt: skip
        manifest.write_graph(bench.part, spec.name, view.near)
        manifest.write_map(bench.part, spec.name, films.ids, view.layouts[0].place, partitions)
        columns = {"image_id": films.ids, **report_layouts.columns(view)}
        pq.write_table(pa.table(columns), bench.part / f"layouts-{spec.name}.parquet")
    drawn = _together(bench, views)
    page = Page("Structure", ABOUT)
    report_clusters.put(page, views, films, _pictures(bench, views))
    progress("report", 0, 1)
    told = report_layouts.put(page, views, films, labels)
    moves = report_layouts.together(page, views, films, labels, drawn) if drawn else []
    report_classes.put(page, views, kinds, films.patients)
    enriched, clusters = report_clusters.columns(views)
    bench.table("enrichment", enriched)
    bench.table("clusters", clusters)
    metrics = {view.spec.name: {**_figures(view, kinds), "layouts": told[view.spec.name]} for view in views}
    for view in views if kinds is not None else []:
        if view.classes is not None:
            purity, alone, ami = report_classes.clusters(view, kinds, films.patients)
            own = {**purity.as_json(), "one_cluster": alone, "ami": ami}
            metrics[view.spec.name]["classes"]["cluster_purity"] = own
    for view, found in zip(views, moves, strict=False):
        metrics[view.spec.name]["drawn_together"] = found
    if drawn:
        bench.table("together", report_layouts.places(views, films, drawn))
    made = {view.spec.name: _made(view) for view in views}
    progress("report", 1, 1)
    bench.finish(metrics, page, made)


def _together(bench: Bench[StructureAsked], views: list[View]) -> Drawn | None:
    """UMAP of all models at once; None of one model, or without UMAP."""
    if len(views) < 2 or layouts.UMAP not in bench.asked.layouts:
        return None
    stage, films = "maps drawn together", bench.films
    with ExitStack() as opened:
        places = [view.drawn(layouts.UMAP).place for view in views]
        spaces = [
            together.Space(
                opened.enter_context(bench.vectors(view.spec)), view.near, layouts.onto(places[0], place).place
            )
            for view, place in zip(views, places, strict=True)
        ]
        tell = partial(bench.progress, stage)
        draw = partial(together.draw, spaces, films.patients, bench.asked.seed, tell)
        return bench.once(stage, draw, places)


def _pictures(bench: Bench[StructureAsked], views: list[View]) -> dict[int, bytes]:
    """Row → JPEG of the films on any sheet."""
    rows = sorted({
        row for view in views for shown in view.exemplars.values()
        for row in (*shown.prototypes, *shown.borders, *shown.outliers)
    })  # fmt: skip
    found = thumbnails.thumbnails(bench.facts, bench.blobs, [bench.films.ids[row] for row in rows], bench.progress)
    return {row: picture for row, picture in zip(rows, found, strict=True) if picture}


def _figures(view: View, kinds: Classes | None) -> dict[str, Any]:
    chosen = view.chosen
    return {
        "films": len(view.members),
        "dim": view.spec.dim,
        "k": view.near.k,
        "graph": view.near.method,
        "recall": view.near.recall,
        "recommended": {"resolution": chosen.resolution, "reason": view.reason},
        "resolutions": [
            {
                "resolution": level.resolution, "clusters": len(level.partition.sizes), "sizes": level.partition.sizes,
                "films_in_stable": level.films_in_stable, "mean_jaccard": _plain(level.mean),
                "rand_over_seeds": level.agreement, "modularity": level.partition.modularity, "silhouette": silhouette,
            }
            for level, silhouette in zip(view.levels, view.silhouettes, strict=True)
        ],
        "clusters": [
            {
                "cluster": number, "films": size, "jaccard": _plain(float(chosen.jaccard[number])),
                "persistence": int(chosen.persistence[number]), "in_words": view.lines[number],
                "looks_like": view.verdicts[number],
            }
            for number, size in enumerate(chosen.partition.sizes)
        ],
        "sorted_by": [
            {"field": s.field, "about": s.about, "patients": s.patients, "v": s.v, "q": s.q} for s in view.sorted_by
        ],
        "classes": None if kinds is None or view.classes is None else report_classes.figures(view.classes, kinds),
    }  # fmt: skip


def _made(view: View) -> dict[str, Any]:
    return {
        "graph_sha256": view.near.sha256,
        "graph_method": view.near.method,
        "recall": view.near.recall,
        "clusters_sha256": {f"{one.resolution:g}": manifest.sha256(one.partition.members) for one in view.levels},
        "layouts_sha256": {f"{one.column}@{one.seed}": manifest.sha256(one.place) for one in view.layouts},
    }


def _plain(number: float) -> float | None:
    return number if number == number else None  # noqa: PLR0124  NaN is no JSON
