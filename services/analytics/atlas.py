"""Embedding Atlas snapshots: what its front end reads, live from a run's folder or as a folder of its own.

The front end is the static files inside the `embedding-atlas` package, found without importing it. It runs in ``wasm``
mode only: the browser holds the whole table and asks nobody; the package's server mode answers any SQL.

A snapshot ships every row to everybody who opens it. So it holds what `COLUMNS` lists and no more: no patient or study
id, no date, no free text.
"""

from __future__ import annotations

import html
import importlib.util
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from services.analytics import manifest
from services.analytics.progress import Progress
from services.analytics.sample import Sample, words
from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images

if TYPE_CHECKING:  # the router serves atlases without the libraries that make them
    from services.analytics.cluster import Partition
    from services.analytics.graph import Graph

# Beside these: one column for each measured finding, and one of clusters for each further resolution.
COLUMNS = ("row", "x", "y", "cluster", "caption", "findings", "dataset", "view", "sex", "age", "patient",
           "neighbour_of", "image", "image_id", "neighbors")  # fmt: skip
NOTE = "Research use only. Not a medical device; not for diagnosis."
_FEW, _MANY = 20_000, 200_000  # films: above the first pictures get small, above the second there are none
_HEAD, _APP = "<title>Embedding Atlas</title>", '<div id="app"'
_HIDDEN = ("row", "x", "y", "findings", "neighbors", "image_id")  # of the cards; the table shows them
_STYLE = """<style>
  #app { position: fixed; inset: 30px 0 0 0; transform: translateZ(0); }
  .hilum { position: fixed; inset: 0 0 auto 0; height: 30px; box-sizing: border-box; padding: 0 12px; display: flex;
    gap: 1em; align-items: center; font: 13px/1 system-ui, sans-serif; white-space: nowrap; overflow: hidden;
    background: #12303a; color: #e8f1f2; }
  .hilum b { font-weight: 600; } .hilum span { color: #f3c969; margin-left: auto; }
</style>"""


def thumbnails(facts: Facts, blobs: Blobs, ids: Sequence[str], progress: Progress) -> list[bytes | None]:
    """A small JPEG of each film, made anew so that nothing but pixels comes along; None where there is none."""
    if len(ids) > _MANY:
        return [None] * len(ids)
    edge, quality = (112, 80) if len(ids) <= _FEW else (64, 70)
    progress("pictures", 0, len(ids))
    digests = images.thumbnails(facts, ids)
    pictures: list[bytes | None] = []
    for done, image_id in enumerate(ids, 1):
        pictures.append(_small(blobs, digests.get(image_id, ""), edge, quality))
        progress("pictures", done, len(ids))
    return pictures


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

    more: further columns of N, to colour and to chart by; those named ``x …`` and ``y …``, places on other maps, are
    not charted.
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
    findings = _findings(films)
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
        "neighbour_of": np.bincount(graph.ids.ravel(), minlength=len(films)).astype(np.int32),
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
    }
    (folder / "metadata.json").write_text(json.dumps(metadata))


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


def frontend() -> Path:
    """The package's static files. Raises FAILED_PRECONDITION when it is not installed."""
    found = importlib.util.find_spec("embedding_atlas")
    for place in (found.submodule_search_locations or []) if found else []:
        static = Path(place) / "static"
        if (static / "index.html").is_file():
            return static.resolve()
    raise HilumError(
        ErrorCode.FAILED_PRECONDITION, "the atlas needs the package embedding-atlas: pip install 'hilum[analytics]'"
    )


def index_page(model: str, run_id: str) -> str:
    """The front end's page under Hilum's name, with the note that it is for research."""
    page = (frontend() / "index.html").read_text()
    what = f"{html.escape(model)} · run {html.escape(run_id[:8])}"
    bar = f'<div class="hilum"><b>Hilum atlas</b>{what}<span>{NOTE}</span></div>\n'
    icon = '<link rel="icon" href="data:,">'  # or the browser asks the server's root for one
    page = page.replace(_HEAD, f"<title>Hilum atlas · {what}</title>{icon}{_STYLE}", 1)
    return page.replace(_APP, bar + _APP, 1)


def export_static(runs: Path, run_id: str, out: Path) -> Path:
    """A folder that any static web server can serve, without a network: front end, DuckDB for the browser, data.

    `runs` is where finished runs lie. ``out/index.html`` leads to the atlas of each model and to the report.
    Raises NOT_FOUND, and ALREADY_EXISTS when `out` holds something.
    """
    run = manifest.folder(runs, run_id)
    if out.exists() and any(out.iterdir()):
        raise HilumError(ErrorCode.ALREADY_EXISTS, "the folder to export into is not empty; name a new one")
    shutil.copytree(frontend() / "assets", out / "assets", dirs_exist_ok=True)
    for model in models(run):
        shutil.copytree(run / "atlas" / model, out / model / "data")
        shutil.copytree(frontend() / "duckdb-wasm", out / model / "duckdb-wasm")  # looked for beside the page
        page = index_page(model, run.name).replace('"./assets/', '"../assets/')
        (out / model / "index.html").write_text(page)
    shutil.copy(run / "report.html", out / "report.html")
    (out / "index.html").write_text(contents_page(run.name, models(run), "report.html"))
    return out


def contents_page(run_id: str, names: Sequence[str], report: str) -> str:
    """Where a run's atlases are: one for each model."""
    rows = "".join(f'<li><a href="{html.escape(name)}/">{html.escape(name)}</a></li>' for name in names)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Hilum atlas</title>'
        '<link rel="icon" href="data:,">'
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem;color:#12303a}"
        "a{color:#0b6e75}small{color:#6b5a1e}</style></head><body>"
        f"<h1>Atlas of run {html.escape(run_id[:8])}</h1><p>The same films in each model's space:</p><ul>{rows}</ul>"
        f'<p><a href="{report}">Report of this run</a></p><small>{NOTE}</small></body></html>'
    )


def models(run: Path) -> list[str]:
    """The models a finished run has an atlas of."""
    return sorted(path.parent.name for path in run.glob("atlas/*/metadata.json"))


def atlas_of(run: Path, model: str) -> Path:
    """The snapshot of one model. Raises NOT_FOUND."""
    if model not in models(run):
        raise HilumError(ErrorCode.NOT_FOUND, "this run has no such model; its atlas page lists those it has")
    return run / "atlas" / model


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


def _small(blobs: Blobs, digest: str, edge: int, quality: int) -> bytes | None:
    try:
        picture = Image.open(io.BytesIO(blobs.get(digest))).convert("L")
    except (HilumError, UnidentifiedImageError, OSError):
        return None
    picture.thumbnail((edge, edge), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()
