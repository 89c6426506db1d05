"""A comparison: of each model a graph, clusters and a map of the same films; of each two of them every figure."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import combinations
from typing import Any

import numpy as np

from services.analytics import manifest, thumbnails
from services.analytics.bench import Bench
from services.analytics.compare import distances, linked, pair, report
from services.analytics.compare.asked import CompareAsked
from services.analytics.compare.cka import Alignment
from services.analytics.compare.pair import Pair, Space
from services.analytics.structure import together


def run(bench: Bench[CompareAsked]) -> None:
    """Make the run in the bench's folder."""
    asked, films, progress = bench.asked, bench.films, bench.progress
    with ExitStack() as opened:
        spaces: list[Space] = []
        alignment = Alignment(films.patients, asked.seed)
        for spec in bench.specs:
            unit = opened.enter_context(bench.vectors(spec))
            reference = spaces[0].place if spaces else None
            spaces.append(pair.look(spec, unit, asked, films.patients, reference, progress, bench.once))
            alignment.own(spec.name, unit)
        apart = distances.apart(films.patients, asked.apart, asked.seed)
        pairs = [
            pair.compare(one, other, alignment, apart, films.patients, asked, progress, bench.once)
            for one, other in combinations(spaces, 2)
        ]
        pictures = bench.once("pictures", lambda: thumbnails.thumbnails(bench.facts, bench.blobs, films.ids, progress))
        drawn = bench.once(
            "maps drawn together",
            lambda: together.draw(
                spaces, films.patients, asked.seed, lambda d, t: progress("maps drawn together", d, t)
            ),
        )
        page = report.page(asked, films, bench.labels, spaces, pairs, pictures, drawn)
    linked.write(bench.part, bench.run_id, films, bench.labels, spaces, pairs, pictures, drawn)
    for space in spaces:
        manifest.write_graph(bench.part, space.name, space.near)
        manifest.write_map(bench.part, space.name, films.ids, space.place, space.partitions)
    bench.table("films", _films(bench, pairs))
    metrics: dict[str, Any] = {
        space.name: {
            "maps": {
                "alone": together.as_json(drawn.alone_keeps[n]),
                "together": together.as_json(drawn.together_keeps[n]),
            },
            "films": len(films),
            "k": asked.k,
            "graph": space.near.method,
            "recall": space.near.recall,
            "clusters": len(np.unique(space.members)),
            "ari_with_another_seed": space.itself,
            "against": {
                (found.other if found.one is space else found.one).name: found.as_json()
                for found in pairs
                if space in (found.one, found.other)
            },
        }
        for n, space in enumerate(spaces)
    }
    made = {
        space.name: {"graph_sha256": space.near.sha256, "map_sha256": manifest.sha256(space.place)} for space in spaces
    }
    bench.finish(metrics, page, made)


def _films(bench: Bench[CompareAsked], pairs: list[Pair]) -> dict[str, Any]:
    """One row for each film and pair of models."""
    ids = bench.films.ids
    return {
        "first": [found.one.name for found in pairs for _ in ids],
        "second": [found.other.name for found in pairs for _ in ids],
        "image_id": ids * len(pairs),
        "patient": np.tile(bench.films.patients, len(pairs)),
        "jaccard": np.concatenate([found.jaccard for found in pairs]),
        "far_in_first": np.concatenate([found.far[:, 0] for found in pairs]),
        "far_in_second": np.concatenate([found.far[:, 1] for found in pairs]),
    }
