"""A snapshot of one model's map: the table and the settings that Embedding Atlas' front end reads.

A snapshot ships every row to everybody who opens it. So it holds what `COLUMNS` lists and no more: no patient or study
id, no date, no free text.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from services.analytics.sample import Sample, words

if TYPE_CHECKING:
    from services.analytics.cluster import Partition
    from services.analytics.graph import Graph

# Beside these: one column for each measured finding, and one of clusters for each further resolution.
COLUMNS = ("row", "x", "y", "cluster", "caption", "findings", "dataset", "view", "sex", "age", "patient",
           "neighbour_of", "hub_score", "neighbours_agree", "image", "image_id", "neighbors")  # fmt: skip
_HIDDEN = ("row", "x", "y", "findings", "neighbors", "image_id")  # of the cards; the table shows them


def write(
    folder: Path,
    run_id: str,
    films: Sample,
    labels: Sequence[str],
    graph: Graph,
    partitions: Mapping[float, Partition],
    place: NDArray[np.float32],
    pictures: Sequence[bytes | None],
    more: Mapping[str, object] | None = None,
) -> None:
    """dataset.parquet and metadata.json of one model. Row numbers are positions: `neighbors` speaks of them.

    hub_score: how many films have it for a neighbour, in standard deviations above the mean.  neighbours_agree: see
    `neighbours_agree`.  more: further columns of N, to colour and to chart by; those named ``x …`` and ``y …``, places
    on other maps, are not charted.
    """
    folder.mkdir(parents=True)
    first = next(iter(partitions.values()))
    columns: dict[str, object] = {
        "row": np.arange(len(films), dtype=np.int32),
        "x": place[:, 0],
        "y": place[:, 1],
        "cluster": cluster_names(first),
    }
    for resolution, partition in list(partitions.items())[1:]:
        columns[f"cluster@{resolution:g}"] = cluster_names(partition)
    findings, found = _findings(films), np.bincount(graph.ids.ravel(), minlength=len(films))
    columns |= {
        "caption": _captions(films, findings),
        "findings": pa.array(findings, pa.list_(pa.string())),
        **{name: words(films.labels[name]) for name in labels if name in films.labels and name not in columns},
        **(more or {}),
        "dataset": films.dataset,
        "view": [view or "unknown" for view in films.view],
        "sex": [sex or "unknown" for sex in films.sex],
        "age": pa.array(films.age, from_pandas=True),
        "patient": films.patients,
        "neighbour_of": found.astype(np.int32),
        "hub_score": ((found - found.mean()) / max(float(found.std()), 1e-9)).astype(np.float32),
        "neighbours_agree": pa.array(neighbours_agree(graph, films, labels), from_pandas=True),
        "image": pa.array(
            [None if p is None else {"bytes": p, "path": "film.jpg"} for p in pictures],
            pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        ),
        "image_id": films.ids,
        "neighbors": _neighbours(graph),
    }
    pq.write_table(pa.table(columns), folder / "dataset.parquet", compression="zstd", row_group_size=20_000)
    hidden = {"row", "x", "y", "caption", "image", "image_id", "neighbors", "patient"}
    charts = [name for name in columns if name not in hidden and name.split()[0] not in ("x", "y")]
    metadata = {
        "props": _props(charts, label_points(films, labels, first, place), place),
        "isStatic": True,
        "database": {"type": "wasm", "load": True},
        "hilum": {"films": len(films), "pictures": sum(map(bool, pictures)), "pixels": _pixels(pictures)},
    }
    (folder / "metadata.json").write_text(json.dumps(metadata))


def neighbours_agree(graph: Graph, films: Sample, labels: Sequence[str]) -> NDArray[np.float32]:
    """(N,): of all pairs of one of `labels` and a neighbour of another patient which both have stated, present or
    absent, the share on which they agree; NaN where there is no such pair."""
    same, all_of = np.zeros(len(films)), np.zeros(len(films))
    others = films.patients[graph.ids] != films.patients[:, None]
    for name in labels:
        codes = films.labels.get(name)
        if codes is None:
            continue
        known = (codes == 0) | (codes == 1)
        usable = others & known[graph.ids] & known[:, None]
        all_of += usable.sum(axis=1)
        same += (usable & (codes[graph.ids] == codes[:, None])).sum(axis=1)
    return np.divide(same, all_of, out=np.full(len(films), np.nan), where=all_of > 0).astype(np.float32)


def label_points(
    films: Sample, labels: Sequence[str], partition: Partition, place: NDArray[np.float32]
) -> list[dict[str, object]]:
    """A label at the middle of each cluster: its name and the finding it is richest in, if it is rich in one."""
    points: list[dict[str, object]] = []
    for number, (name, size) in enumerate(zip(_names(partition), partition.sizes, strict=True)):
        inside = partition.members == number
        middle = np.median(place[inside], axis=0)
        rich = _richest(films, labels, inside)
        text = f"{name} · {rich[0].replace('_', ' ')} {rich[1]:.0%}" if rich else name
        place_x, place_y = map(float, middle)
        points.append({"x": place_x, "y": place_y, "content": text, "level": 0, "priority": size})
    return points


def cluster_names(partition: Partition) -> list[str]:
    """C01 is the largest."""
    names = _names(partition)
    return [names[int(member)] for member in partition.members]


def _props(charts: list[str], points: list[dict[str, object]], place: NDArray[np.float32]) -> dict[str, object]:
    """What the front end of embedding-atlas 0.22 reads: columns, first view, charts, and cards under the map."""
    projection = {"x": "x", "y": "y"}
    data = {"text": "caption", "image": "image", "importance": "neighbour_of", "neighbors": "neighbors"}
    low, high = place.min(axis=0), place.max(axis=0)
    wide, tall = (float(v) for v in (high - low) / 2)
    scale = 1 / max(1.1 * wide, 2.4 * tall, 1e-6)  # in the front end's terms; its window is about twice as wide as high
    middle = {"x": float(low[0] + high[0]) / 2, "y": float(low[1] + high[1]) / 2, "scale": scale}
    return {
        "data": {"id": "row", "projection": projection, **data},
        "embeddingViewLabels": points,
        "defaultChartsConfig": {
            "embedding": {"title": "Map", "data": {**projection, **data, "category": "cluster"}},
            "table": {"viewMode": "cards", "columns": ["image", "caption", "cluster", "dataset"]},
            "include": charts,
        },
        "initialState": {
            "chartStates": {"1": {"viewport": middle}},
            "columnStyles": {"image": {"display": "full"}, **{name: {"display": "hidden"} for name in _HIDDEN}},
        },
    }


def _pixels(pictures: Sequence[bytes | None]) -> int:
    """The longer side of the largest of a few."""
    largest = 0
    for picture in [one for one in pictures if one][:20]:
        with contextlib.suppress(UnidentifiedImageError):
            largest = max(largest, *Image.open(io.BytesIO(picture)).size)
    return largest


def _names(partition: Partition) -> list[str]:
    width = max(2, len(str(len(partition.sizes))))
    return [f"C{number:0{width}d}" for number in range(1, len(partition.sizes) + 1)]


def _findings(films: Sample) -> list[list[str]]:
    present = {name: codes == 1 for name, codes in films.labels.items()}
    return [[name for name, has in present.items() if has[row]] for row in range(len(films))]


def _captions(films: Sample, findings: list[list[str]]) -> list[str]:
    captions = []
    for row, found in enumerate(findings):
        age = "" if np.isnan(films.age[row]) else f"{films.age[row]:.0f} y"
        known = [part for part in (films.view[row], films.sex[row], age) if part]
        stated = ", ".join(found).replace("_", " ") or "no finding stated present"
        captions.append(" · ".join([*known, stated]))
    return captions


def _richest(films: Sample, labels: Sequence[str], inside: NDArray[np.bool_]) -> tuple[str, float] | None:
    """The finding whose share among stated films of the cluster is most above its share everywhere, by 10 points."""
    best, lift = None, 0.10
    for name in labels:
        codes = films.labels.get(name)
        if codes is None:
            continue
        stated = (codes == 0) | (codes == 1)
        here = stated & inside
        if here.sum() < 10:
            continue
        share = float((codes[here] == 1).mean())
        over = share - float((codes[stated] == 1).mean())
        if over > lift:
            best, lift = (name, share), over
    return best


def _neighbours(graph: Graph) -> pa.StructArray:
    offsets = np.arange(0, graph.ids.size + 1, graph.k, dtype=np.int32)
    ids = pa.ListArray.from_arrays(offsets, graph.ids.ravel())
    distances = pa.ListArray.from_arrays(offsets, graph.distances.ravel())
    return pa.StructArray.from_arrays([ids, distances], ["ids", "distances"])
