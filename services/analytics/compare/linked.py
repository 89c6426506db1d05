"""Maps of several models, linked by film: an atlas of each with the others' clusters, one table, one page to brush in.

``atlas/<model>``: this model's map, to be coloured by the cluster that a film has in another model.
``linked.parquet``: every film once, with its place and cluster in each model.
``linked.html``: the maps side by side, for a browser; what is marked on one is marked on all. It needs nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import jinja2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from markupsafe import Markup
from numpy.typing import NDArray

from services.analytics import snapshot
from services.analytics.atlas import NOTE, SCRIPTS
from services.analytics.compare.pair import Pair, Space
from services.analytics.picture import colour
from services.analytics.sample import Sample, words
from services.analytics.structure.together import Drawn

_GRID = 4096  # places on a page are whole numbers up to this


def write(
    part: Path,
    run_id: str,
    films: Sample,
    labels: Sequence[str],
    spaces: Sequence[Space],
    pairs: Sequence[Pair],
    pictures: Sequence[bytes | None],
    drawn: Drawn,
) -> None:
    """All three, in the run's folder."""
    names = {space.name: snapshot.cluster_names(next(iter(space.partitions.values()))) for space in spaces}
    table: dict[str, object] = {"image_id": films.ids, "patient": films.patients}
    for space, together in zip(spaces, drawn.together, strict=True):
        table |= {f"x {space.name}": space.place[:, 0], f"y {space.name}": space.place[:, 1]}
        table |= {f"x together {space.name}": together[:, 0], f"y together {space.name}": together[:, 1]}
        table[f"cluster {space.name}"] = names[space.name]
    pq.write_table(pa.table(table), part / "linked.parquet")
    for space in spaces:
        more: dict[str, object] = {}
        for found in pairs:
            if space not in (found.one, found.other):
                continue
            other = found.other if found.one is space else found.one
            more[f"cluster in {other.name}"] = names[other.name]
            more[f"agreement with {other.name}"] = found.jaccard.astype(np.float32)
            more |= {f"x in {other.name}": other.place[:, 0], f"y in {other.name}": other.place[:, 1]}
        snapshot.write(
            part / "atlas" / space.name, run_id, films, labels, space.near, space.partitions, space.place, pictures,
            more,
        )  # fmt: skip
    (part / "linked.html").write_text(_page(run_id, films, labels, spaces, names, drawn))


def _page(
    run_id: str, films: Sample, labels: Sequence[str], spaces: Sequence[Space], names: dict[str, list[str]],
    drawn: Drawn,
) -> str:  # fmt: skip
    colours: dict[str, list[str]] = {f"cluster in {name}": given for name, given in names.items()}
    colours |= {name.replace("_", " "): words(films.labels[name]) for name in labels if name in films.labels}
    colours |= {"view": [view or "unknown" for view in films.view], "dataset": films.dataset}
    alone, joint = _grids([space.place for space in spaces]), _grids(drawn.together)
    data = {
        "ids": films.ids,
        "about": f"Marked on the linked maps of run {run_id[:8]}",
        "maps": [
            {
                "name": space.name,
                "places": [
                    {"name": "each map drawn by itself, then turned", "xy": one},
                    {"name": "maps drawn together", "xy": other},
                ],
            }
            for space, one, other in zip(spaces, alone, joint, strict=True)
        ],
        "colours": [_coded(name, values) for name, values in colours.items()],
        "palette": [colour(number) for number in range(40)],
    }
    rooms = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    inside = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")  # no value can end the script
    selection = Markup(SCRIPTS["selection.js"].read_text())
    return rooms.get_template("linked.html").render(run=run_id[:8], note=NOTE, data=inside, selection=selection)


def _grids(places: Sequence[NDArray[np.float32]]) -> list[list[int]]:
    """All in one frame, so that a place is the same place on every map."""
    low = np.min([place.min(axis=0) for place in places], axis=0)
    high = np.max([place.max(axis=0) for place in places], axis=0)
    span = max(float((high - low).max()), 1e-9)
    return [np.rint((place - low) / span * _GRID).astype(int).ravel().tolist() for place in places]


def _coded(name: str, values: Sequence[str]) -> dict[str, object]:
    kinds, codes = np.unique(np.array(values, dtype=str), return_inverse=True)
    return {"name": name, "kinds": kinds.tolist(), "codes": codes.tolist()}
