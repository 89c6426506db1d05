"""Analyses in few words: a map by its clusters, any other by the tables of its report."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hilum import Client
from hilum.v1 import analytics_pb2
from services.app.mcp.answers import plain

_LABEL = "label."
_CLUSTERS = 30  # told of a map, the largest first
_FINDINGS = 4  # told of a cluster, the most telling first
_ROWS = 50  # told of a table
_FIGURES = ("films", "dim", "k", "recall", "clusters", "modularity", "silhouette", "trustworthiness")


def summary(client: Client, run: analytics_pb2.Run) -> dict[str, Any]:
    """What came of a run. A run that is not finished is told as it stands."""
    told = plain(run)
    found: dict[str, Any] = {key: told.get(key) for key in ("run_id", "kind", "state", "created_at")}
    if run.state != "succeeded":
        return found
    if run.kind == "map":
        sample = _table(client, run, "sample.parquet")
        found["models"] = {
            model: {
                "figures": {name: f"{figures[name]:.4g}" for name in _FIGURES if name in figures},
                "clusters": _clusters(sample, _table(client, run, f"map-{model}.parquet")),
            }
            for model, figures in told.get("metrics", {}).items()
        }
    elif "tables.json" in run.files:
        tables = json.loads(client.run_file(run.run_id, "tables.json"))["tables"]
        found["tables"] = [
            {"title": table["title"], "columns": table["columns"], "rows": table["rows"][:_ROWS]} for table in tables
        ]
    return found


def _table(client: Client, run: analytics_pb2.Run, name: str) -> pa.Table:
    return pq.read_table(io.BytesIO(client.run_file(run.run_id, name)))


def _clusters(sample: pa.Table, map: pa.Table) -> list[dict[str, Any]]:
    """Of every cluster: its films, and the findings it has more of than the sample."""
    column = next((name for name in map.column_names if name.startswith("cluster@")), None)
    if column is None:
        return []
    row = {image_id: number for number, image_id in enumerate(sample["image_id"].to_pylist())}
    ids = map["image_id"].to_pylist()
    place = np.array([row[image_id] for image_id in ids])
    cluster = map[column].to_numpy()
    present = {
        name.removeprefix(_LABEL): np.array(sample[name].to_pylist())[place] == "present"
        for name in sample.column_names
        if name.startswith(_LABEL)
    }
    patient = sample["patient"].to_numpy()[place]
    told = []
    for number in sorted(set(cluster.tolist()), key=lambda one: -int((cluster == one).sum()))[:_CLUSTERS]:
        own = cluster == number
        shares = {name: (states[own].mean(), states.mean()) for name, states in present.items()}
        most = sorted(shares.items(), key=lambda item: item[1][1] - item[1][0])[:_FINDINGS]
        told.append({
            "cluster": int(number), "films": int(own.sum()), "patients": len(np.unique(patient[own])),
            "more_often": {
                name: f"{inside:.0%} of its films, {overall:.0%} of all"
                for name, (inside, overall) in most
                if inside > overall
            },
            "example": ids[int(np.flatnonzero(own)[0])],
        })  # fmt: skip
    return told
