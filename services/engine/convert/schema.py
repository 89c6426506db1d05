"""Collections and payload indexes: protobuf to Edge, with the index settings measured for this engine."""

from __future__ import annotations

import os
from typing import Any

import qdrant_edge as edge
from qdrant_client.grpc import collections_pb2 as pb
from qdrant_client.grpc import points_pb2

from ..errors import invalid, refuse_fields, unsupported
from . import scan
from .vectors import dense_params

HNSW_M, HNSW_EF_CONSTRUCT = 16, 100
# When the indexer runs Edge's optimizer is for `indexer.py` to say; then anything but a trifle is to be indexed.
INDEXING_THRESHOLD_KB = 1_000
MAX_SEGMENT_KB = 8_000_000
SEGMENTS = 2

_DISTANCE = {
    pb.Cosine: edge.Distance.Cosine,
    pb.Euclid: edge.Distance.Euclid,
    pb.Dot: edge.Distance.Dot,
    pb.Manhattan: edge.Distance.Manhattan,
}
_DATATYPE = {
    pb.Default: None,
    pb.Float32: edge.VectorStorageDatatype.Float32,
    pb.Float16: edge.VectorStorageDatatype.Float16,
    pb.Uint8: edge.VectorStorageDatatype.Uint8,
}
_MEMORY = {pb.Cold: edge.Memory.Cold, pb.Cached: edge.Memory.Cached, pb.Pinned: edge.Memory.Pinned}
_WIDTH = {pb.Float16: 2, pb.Uint8: 1}  # bytes of a number; 4 of any other
_COMPRESSION = {
    pb.x4: edge.CompressionRatio.X4,
    pb.x8: edge.CompressionRatio.X8,
    pb.x16: edge.CompressionRatio.X16,
    pb.x32: edge.CompressionRatio.X32,
    pb.x64: edge.CompressionRatio.X64,
}


def check_create(message: pb.CreateCollection) -> None:
    """Refuse what the engine cannot hold. Shard and replica counts are taken and mean nothing on one machine."""
    if not message.collection_name or len(message.collection_name) > 255:
        raise invalid("a collection name has 1 to 255 characters")
    if any(c in '<>:"/\\|?*\0' or ord(c) < 32 for c in message.collection_name):
        raise invalid('a collection name cannot hold any of <>:"/\\|?* or control characters')
    if message.sharding_method == pb.Custom:
        raise unsupported("CreateCollection.sharding_method = Custom")
    if message.strict_mode_config.enabled:
        raise unsupported("CreateCollection.strict_mode_config")
    edge_config(message)


def edge_config(message: pb.CreateCollection, stored: int = 0, search_threads: int = 1) -> edge.EdgeConfig:
    """The configuration of a shard whose graph covers `stored` points. WAL is always on: it is also Edge's directory
    lock."""
    vectors = {name: _vector(params, message, stored) for name, params in dense_params(message).items()}
    sparse = {name: _sparse(params) for name, params in message.sparse_vectors_config.map.items()}
    if not vectors and not sparse:
        raise invalid("a collection needs at least one vector")
    return edge.EdgeConfig(
        vectors=vectors,
        sparse_vectors=sparse or None,
        hnsw_config=_hnsw(compared(message, stored), message.hnsw_config),
        optimizers=_optimizers(message.optimizers_config),
        max_search_threads=search_threads,
        wal_enabled=True,
    )


def compared(message: pb.CreateCollection, stored: int) -> int:
    """KB of its first vectors below which a filtered search of a collection compares them all, see `scan`."""
    first = next(iter(dense_params(message).values()), pb.VectorParams(size=1))
    return _compared(first, stored)


def _compared(params: pb.VectorParams, stored: int) -> int:
    return scan.kilobytes(stored, params.size, _WIDTH.get(params.datatype, 4))


def _vector(params: pb.VectorParams, message: pb.CreateCollection, stored: int) -> edge.EdgeVectorParams:
    if not 1 <= params.size <= 65536:
        raise invalid("a vector has 1 to 65536 dimensions")
    if params.distance not in _DISTANCE:
        raise invalid("a vector needs a distance: Cosine, Dot, Euclid or Manhattan")
    if params.datatype not in _DATATYPE:
        raise unsupported("VectorParams.datatype Turbo")
    multi = params.HasField("multivector_config")
    most = _compared(params, stored)
    hnsw = _hnsw(most, params.hnsw_config, message.hnsw_config)
    if multi and not params.HasField("hnsw_config"):
        # A graph over multivectors costs more to build than MaxSim over a prefetch saves.
        hnsw = edge.HnswIndexConfig(m=0, ef_construct=HNSW_EF_CONSTRUCT, full_scan_threshold=most)
    return edge.EdgeVectorParams(
        size=params.size,
        distance=_DISTANCE[params.distance],
        multivector_config=edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim) if multi else None,
        datatype=_DATATYPE[params.datatype],
        quantization_config=_quantization(params, message, multi),
        hnsw_config=hnsw,
        memory=_MEMORY.get(params.memory, edge.Memory.Cold if params.on_disk else None),
    )


def _quantization(params: pb.VectorParams, message: pb.CreateCollection, multi: bool) -> Any:
    """What was asked for; else int8 for single float vectors, whose scores the search then recomputes."""
    for holder in (params, message):
        if holder.HasField("quantization_config"):
            return _asked_quantization(holder.quantization_config)
    if multi or params.datatype not in (pb.Default, pb.Float32, pb.Float16):
        return None
    return edge.ScalarQuantizationConfig(edge.ScalarType.Int8, quantile=0.99, memory=edge.Memory.Cached)


def _asked_quantization(message: pb.QuantizationConfig) -> Any:
    kind = message.WhichOneof("quantization")
    if kind is None:
        return None
    body = getattr(message, kind)
    memory = _MEMORY.get(body.memory, edge.Memory.Pinned if body.always_ram else None)
    if kind == "scalar":
        quantile = body.quantile if body.HasField("quantile") else None
        return edge.ScalarQuantizationConfig(edge.ScalarType.Int8, quantile=quantile, memory=memory)
    if kind == "product":
        return edge.ProductQuantizationConfig(_COMPRESSION[body.compression], memory=memory)
    if kind == "binary" and not body.HasField("encoding") and not body.HasField("query_encoding"):
        return edge.BinaryQuantizationConfig(memory=memory)
    raise unsupported(f"QuantizationConfig.{kind}")


def _sparse(params: pb.SparseVectorParams) -> edge.EdgeSparseVectorParams:
    return edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf if params.modifier == pb.Idf else None)


def _hnsw(most: int, *sources: pb.HnswConfigDiff) -> edge.HnswIndexConfig:
    """The first source that sets a value wins; then the engine's own. most: KB of vectors, see `scan`."""

    def pick(field: str, default: Any) -> Any:
        return next((getattr(s, field) for s in sources if s.HasField(field)), default)

    return edge.HnswIndexConfig(
        m=pick("m", HNSW_M),
        ef_construct=pick("ef_construct", HNSW_EF_CONSTRUCT),
        full_scan_threshold=pick("full_scan_threshold", most),
        max_indexing_threads=pick("max_indexing_threads", 0) or max(1, (os.cpu_count() or 2) - 1),
        payload_m=pick("payload_m", None),
    )


def _optimizers(message: pb.OptimizersConfigDiff) -> edge.EdgeOptimizersConfig:
    threshold = message.indexing_threshold if message.HasField("indexing_threshold") else INDEXING_THRESHOLD_KB
    return edge.EdgeOptimizersConfig(
        default_segment_number=message.default_segment_number or SEGMENTS,
        max_segment_size=message.max_segment_size or MAX_SEGMENT_KB,
        indexing_threshold=threshold,
    )


_INDEXES: dict[int, tuple[str, Any, tuple[str, ...]]] = {
    points_pb2.FieldTypeKeyword: ("keyword", edge.KeywordIndexParams, ("is_tenant",)),
    points_pb2.FieldTypeInteger: ("integer", edge.IntegerIndexParams, ("lookup", "range", "is_principal")),
    points_pb2.FieldTypeFloat: ("float", edge.FloatIndexParams, ("is_principal",)),
    points_pb2.FieldTypeGeo: ("geo", edge.GeoIndexParams, ()),
    points_pb2.FieldTypeBool: ("bool", edge.BoolIndexParams, ()),
    points_pb2.FieldTypeDatetime: ("datetime", edge.DatetimeIndexParams, ("is_principal",)),
    points_pb2.FieldTypeUuid: ("uuid", edge.UuidIndexParams, ("is_tenant",)),
}
_TOKENIZERS = {
    pb.Prefix: edge.TokenizerType.Prefix,
    pb.Whitespace: edge.TokenizerType.Whitespace,
    pb.Word: edge.TokenizerType.Word,
    pb.Multilingual: edge.TokenizerType.Multilingual,
}


def index_params(message: points_pb2.CreateFieldIndexCollection) -> Any:
    """Edge's parameters of a payload index."""
    params = message.field_index_params
    kind = params.WhichOneof("index_params")
    if message.field_type == points_pb2.FieldTypeText or kind == "text_index_params":
        return _text_index(params.text_index_params)
    if not message.HasField("field_type") and kind is None:
        raise invalid("a payload index needs a field type")
    for name, factory, extra in _INDEXES.values():
        if kind == f"{name}_index_params" or (kind is None and _INDEXES[message.field_type][0] == name):
            return factory(**_index_options(getattr(params, f"{name}_index_params"), extra))
    raise unsupported(f"PayloadIndexParams.{kind}")


def _index_options(body: Any, extra: tuple[str, ...]) -> dict[str, Any]:
    refuse_fields(body, "prefix", "nested")
    options = {n: getattr(body, n) for n in (*extra, "on_disk", "enable_hnsw") if body.HasField(n)}
    if body.HasField("memory") and body.memory in _MEMORY:
        options["memory"] = _MEMORY[body.memory]
    return options


def _text_index(body: pb.TextIndexParams) -> edge.TextIndexParams:
    refuse_fields(body, "stopwords", "stemmer", "scoring", "nested")
    plain = ("min_token_len", "max_token_len", "lowercase", "ascii_folding", "phrase_matching")
    options = {n: getattr(body, n) for n in plain if body.HasField(n)}
    return edge.TextIndexParams(
        tokenizer=_TOKENIZERS.get(body.tokenizer, edge.TokenizerType.Word), **options, **_index_options(body, ())
    )
