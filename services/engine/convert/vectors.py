"""Vectors, both ways, and every check that must pass before a write touches the shard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import qdrant_edge as edge
from qdrant_client.grpc import collections_pb2, points_pb2

from ..errors import invalid, unsupported

FLOAT16_MAX = 65504.0


@dataclass(frozen=True)
class VectorSpec:
    """What a collection says of one named vector. `size` is the dimension, 0 for sparse."""

    name: str
    kind: Literal["dense", "multi", "sparse"]
    size: int
    cosine: bool
    half: bool


def specs(config: collections_pb2.CreateCollection) -> dict[str, VectorSpec]:
    """Every vector of a collection by name; the unnamed one has the name ''."""
    found: dict[str, VectorSpec] = {}
    for name, params in dense_params(config).items():
        kind: Literal["dense", "multi"] = "multi" if params.HasField("multivector_config") else "dense"
        cosine = params.distance == collections_pb2.Cosine
        found[name] = VectorSpec(name, kind, params.size, cosine, params.datatype == collections_pb2.Float16)
    for name in config.sparse_vectors_config.map:
        found[name] = VectorSpec(name, "sparse", 0, False, False)
    return found


def dense_params(config: collections_pb2.CreateCollection) -> dict[str, collections_pb2.VectorParams]:
    """The dense and multi vectors of a collection by name."""
    kind = config.vectors_config.WhichOneof("config")
    if kind == "params":
        return {"": config.vectors_config.params}
    return dict(config.vectors_config.params_map.map)


def spec_of(known: Mapping[str, VectorSpec], name: str) -> VectorSpec:
    """The spec of a vector name, or INVALID_ARGUMENT as the server says it."""
    if name not in known:
        raise invalid(f"Not existing vector name error: {name}")
    return known[name]


def stored_vectors(vectors: points_pb2.Vectors, known: Mapping[str, VectorSpec]) -> dict[str, Any]:
    """The vectors of one point to store, checked: name, shape (D,) or (M, D), finite, not zero under cosine."""
    kind = vectors.WhichOneof("vectors_options")
    if kind is None:
        return {}
    named = {"": vectors.vector} if kind == "vector" else vectors.vectors.vectors
    return {name: one_vector(vector, spec_of(known, name), stored=True) for name, vector in named.items()}


def one_vector(
    message: points_pb2.Vector | points_pb2.VectorInput | points_pb2.VectorOutput, spec: VectorSpec, stored: bool
) -> Any:
    """One vector as Edge takes it: (D,) float32, (M, D) float32 or SparseVector.

    `stored` demands the kind of the spec; a query may also send one (D,) vector to a multivector.
    """
    kind = message.WhichOneof("variant" if isinstance(message, points_pb2.VectorInput) else "vector")
    if kind in ("document", "image", "object"):
        raise unsupported(f"{message.DESCRIPTOR.name}.{kind} (server-side inference)")
    if kind is None:
        return _old_style(message, spec, stored)
    if kind == "sparse":
        return _sparse(message.sparse.indices, message.sparse.values, spec)
    if kind == "multi_dense":
        return _matrix([np.array(row.data, dtype=np.float32) for row in message.multi_dense.vectors], spec)
    return _dense(np.array(message.dense.data, dtype=np.float32), spec, stored)


def _old_style(message: Any, spec: VectorSpec, stored: bool) -> Any:
    """Vectors of clients before 1.15: `data`, with `indices` if sparse and `vectors_count` if multi."""
    if not hasattr(message, "data"):
        raise invalid("a vector is empty")
    if message.HasField("indices"):
        return _sparse(message.indices.data, message.data, spec)
    flat = np.array(message.data, dtype=np.float32)
    if message.HasField("vectors_count"):
        if not message.vectors_count or flat.size % message.vectors_count:
            raise invalid("Vector dimension error: the multivector's rows differ in length")
        return _matrix(list(flat.reshape(message.vectors_count, -1)), spec)
    return _dense(flat, spec, stored)


def _dense(vector: np.ndarray, spec: VectorSpec, stored: bool) -> np.ndarray:
    if spec.kind == "multi" and stored:
        return _matrix([vector], spec)
    if spec.kind == "sparse":
        raise invalid(f"vector `{spec.name}` is sparse, a dense one was sent")
    _check_row(vector, spec)
    return vector


def _matrix(rows: list[np.ndarray], spec: VectorSpec) -> np.ndarray:
    if spec.kind != "multi":
        raise invalid(f"vector `{spec.name}` is not a multivector")
    if not rows:
        raise invalid(f"multivector `{spec.name}` has no rows")
    for row in rows:
        _check_row(row, spec)
    return np.stack(rows)


def _check_row(row: np.ndarray, spec: VectorSpec) -> None:
    if row.size != spec.size:
        raise invalid(f"Vector dimension error: expected dim: {spec.size}, got {row.size}")
    square = float(np.dot(row, row))
    if not np.isfinite(square) and not np.isfinite(row).all():
        raise invalid(f"vector `{spec.name}` holds NaN or infinity")
    if spec.cosine and square == 0.0:
        raise invalid(f"vector `{spec.name}` has no length, which cosine distance cannot take")
    if spec.half and float(np.abs(row).max()) > FLOAT16_MAX:
        raise invalid(f"vector `{spec.name}` does not fit its float16 storage")


def _sparse(indices: Any, values: Any, spec: VectorSpec) -> edge.SparseVector:
    if spec.kind != "sparse":
        raise invalid(f"vector `{spec.name}` is not sparse")
    places, weights = list(indices), list(values)
    if len(places) != len(weights) or len(set(places)) != len(places):
        raise invalid(f"sparse vector `{spec.name}` needs one value for each of its distinct indices")
    if not np.isfinite(weights).all():
        raise invalid(f"vector `{spec.name}` holds NaN or infinity")
    return edge.SparseVector(places, weights)


def fill_vectors(out: points_pb2.ScoredPoint | points_pb2.RetrievedPoint, vector: Any) -> None:
    """Write the vectors of an Edge record into the answer."""
    if vector is None:
        return
    if isinstance(vector, dict) and set(vector) != {""}:
        out.vectors.vectors.SetInParent()
        for name, value in vector.items():
            _fill_one(out.vectors.vectors.vectors[name], value)
    else:
        _fill_one(out.vectors.vector, vector[""] if isinstance(vector, dict) else vector)


def _fill_one(out: points_pb2.VectorOutput, value: Any) -> None:
    if isinstance(value, edge.SparseVector):
        out.sparse.indices.extend(value.indices)
        out.sparse.values.extend(value.values)
    elif len(value) and isinstance(value[0], list):
        for row in value:
            out.multi_dense.vectors.add().data.extend(row)
    else:
        out.dense.data.extend(value)
