"""Queries: protobuf to Edge, with point ids replaced by their vectors as the server does.

`Lookup` fetches the vectors of ids: `(collection or "" for this one, vector name, ids) -> {id: vector}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import qdrant_edge as edge
from qdrant_client.grpc import points_pb2 as pb

from ..errors import invalid, not_found, refuse_fields, unsupported
from .filters import excluding, optional_filter
from .values import PointId, point_id, with_payload, with_vectors
from .vectors import VectorSpec, one_vector, spec_of

Lookup = Callable[[str, str, list[PointId]], dict[PointId, Any]]
DEFAULT_LIMIT = 10
RRF_K = 2
# int8 scores choose twice the candidates and the float vectors order them: recall .994 instead of .978 at 100k x 768.
OVERSAMPLING = 2.0
MAX_CANDIDATES = 16384


@dataclass(frozen=True)
class QueryContext:
    """What turning a query into Edge's needs to know of its collection.

    `is_self(name)`: whether a name, which may be an alias, means this collection.
    """

    is_self: Callable[[str], bool]
    specs: dict[str, VectorSpec]
    lookup: Lookup


def query_request(message: pb.QueryPoints | pb.QueryPointGroups, limit: int, ctx: QueryContext) -> edge.QueryRequest:
    """A whole query for Edge, asking for `limit` hits (groups ask for more than the message says)."""
    refuse_fields(message, "shard_key_selector", "with_lookup")
    _check_stage(message)
    offset = message.offset if isinstance(message, pb.QueryPoints) else 0
    if message.query.WhichOneof("variant") == "sample" and not message.prefetch:
        offset = 0  # as on the server: a sample has no order to skip in
    return edge.QueryRequest(
        limit=limit,
        offset=offset,
        query=_scoring(message, limit, ctx),
        prefetches=[_prefetch(p, ctx) for p in message.prefetch],
        filter=excluding(optional_filter(message), list(_referenced(message, ctx))),
        score_threshold=message.score_threshold if message.HasField("score_threshold") else None,
        params=search_params(message),
        with_payload=with_payload(message.with_payload, False),
        with_vector=with_vectors(message.with_vectors),
    )


def search_params(message: Any) -> edge.SearchParams:
    """Search parameters; quantised scores are rescored with oversampling unless the request says otherwise."""
    sent = message.params
    quantization = edge.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
    if sent.HasField("quantization"):
        asked = sent.quantization
        quantization = edge.QuantizationSearchParams(
            ignore=asked.ignore,
            rescore=asked.rescore if asked.HasField("rescore") else None,
            oversampling=asked.oversampling if asked.HasField("oversampling") else None,
        )
    acorn = None
    if sent.HasField("acorn"):
        ratio = sent.acorn.max_selectivity if sent.acorn.HasField("max_selectivity") else None
        acorn = edge.AcornSearchParams(sent.acorn.enable, ratio)
    idf = edge.IdfParams(optional_filter(sent.idf, "corpus")) if sent.HasField("idf") else None
    return edge.SearchParams(
        hnsw_ef=sent.hnsw_ef if sent.HasField("hnsw_ef") else None,
        exact=sent.exact,
        quantization=quantization,
        indexed_only=sent.indexed_only,
        acorn=acorn,
        idf=idf,
    )


def order_by(message: pb.OrderBy) -> edge.OrderBy:
    """Order by a payload field; the start is a number or an RFC 3339 time."""
    start: Any = None
    if message.HasField("start_from"):
        kind = message.start_from.WhichOneof("value")
        start = getattr(message.start_from, kind) if kind else None
        start = start.ToJsonString() if kind == "timestamp" else start
    direction = edge.Direction.Desc if message.direction == pb.Desc else edge.Direction.Asc
    return edge.OrderBy(message.key, direction, start)


def _check_stage(message: Any) -> None:
    kind = message.query.WhichOneof("variant")
    if message.prefetch and kind is None:
        raise invalid("A query is needed to merge the prefetches. Can't have prefetches without defining a query.")
    if message.HasField("score_threshold") and kind in (None, "order_by"):
        raise invalid("score_threshold needs a query that scores")
    if kind in ("fusion", "rrf"):
        if not message.prefetch:
            raise invalid("a fusion query needs at least one prefetch")
        if message.using:
            raise invalid("Fusion queries cannot be combined with the 'using' field.")


def _prefetch(message: pb.PrefetchQuery, ctx: QueryContext) -> edge.Prefetch:
    _check_stage(message)
    limit = message.limit if message.HasField("limit") else DEFAULT_LIMIT
    return edge.Prefetch(
        limit=limit,
        query=_scoring(message, limit, ctx),
        prefetches=[_prefetch(p, ctx) for p in message.prefetch],
        params=search_params(message),
        filter=optional_filter(message),
        score_threshold=message.score_threshold if message.HasField("score_threshold") else None,
    )


def _scoring(message: Any, limit: int, ctx: QueryContext) -> Any:
    kind = message.query.WhichOneof("variant")
    if kind is None:
        return None
    body = getattr(message.query, kind)
    if kind == "fusion":
        return edge.Fusion.Dbsf() if body == pb.DBSF else edge.Fusion.Rrf(RRF_K)
    if kind == "rrf":
        return edge.Fusion.Rrf(body.k if body.HasField("k") else RRF_K, list(body.weights) or None)
    if kind == "order_by":
        return order_by(body)
    if kind == "sample":
        return edge.Sample.Random
    if kind in _VECTOR_QUERIES:
        return _VECTOR_QUERIES[kind](body, _Resolver(message, ctx), limit)
    raise unsupported(f"Query.{kind}")


class _Resolver:
    """Turns the vector inputs of one query stage into checked vectors, fetching ids in one call."""

    def __init__(self, message: Any, ctx: QueryContext) -> None:
        self.using = message.using
        self.spec = spec_of(ctx.specs, message.using)
        elsewhere = message.HasField("lookup_from")
        refuse_fields(message.lookup_from, "shard_key_selector")
        collection = message.lookup_from.collection_name if elsewhere else ""
        named = elsewhere and message.lookup_from.HasField("vector_name")
        name = message.lookup_from.vector_name if named else message.using
        ids = [point_id(i.id) for i in _inputs(message.query) if i.WhichOneof("variant") == "id"]
        self.by_id = ctx.lookup(collection, name, ids) if ids else {}

    def __call__(self, item: pb.VectorInput) -> Any:
        if item.WhichOneof("variant") != "id":
            return one_vector(item, self.spec, stored=False)
        wanted = point_id(item.id)
        if wanted not in self.by_id:
            raise not_found(f"No point with id {wanted} found")
        vector = self.by_id[wanted]
        if isinstance(vector, edge.SparseVector):
            return vector
        array = np.asarray(vector, dtype=np.float32)
        if array.shape[-1] != self.spec.size:
            raise invalid(f"Vector dimension error: expected dim: {self.spec.size}, got {array.shape[-1]}")
        return array


def _nearest(body: pb.VectorInput, vector: _Resolver, limit: int) -> Any:
    return edge.Query.Nearest(vector(body), using=vector.using)


def _mmr(body: pb.NearestInputWithMmr, vector: _Resolver, limit: int) -> Any:
    diversity = body.mmr.diversity if body.mmr.HasField("diversity") else 0.5
    candidates = body.mmr.candidates_limit if body.mmr.HasField("candidates_limit") else limit
    if not 0.0 <= diversity <= 1.0 or candidates > MAX_CANDIDATES:
        raise invalid(f"mmr needs diversity within 0..1 and at most {MAX_CANDIDATES} candidates")
    return edge.Mmr(vector(body.nearest), 1.0 - diversity, max(candidates, 1), using=vector.using)


def _recommend(body: pb.RecommendInput, vector: _Resolver, limit: int) -> Any:
    positives, negatives = [vector(p) for p in body.positive], [vector(n) for n in body.negative]
    if not positives and not negatives:
        raise invalid("a recommend query needs at least one example")
    if body.strategy == pb.BestScore:
        return edge.Query.RecommendBestScore(edge.RecommendQuery(positives, negatives), using=vector.using)
    if body.strategy == pb.SumScores:
        return edge.Query.RecommendSumScores(edge.RecommendQuery(positives, negatives), using=vector.using)
    if vector.spec.kind != "dense":
        raise unsupported("RecommendInput.strategy AverageVector on multi or sparse vectors")
    if not positives:
        raise invalid("At least one positive vector ID required with this strategy")
    mean = np.mean(positives, axis=0)
    target = mean if not negatives else mean + mean - np.mean(negatives, axis=0)
    return edge.Query.Nearest(target.astype(np.float32), using=vector.using)


def _pairs(body: pb.ContextInput, vector: _Resolver) -> list[edge.ContextPair]:
    return [edge.ContextPair(vector(p.positive), vector(p.negative)) for p in body.pairs]


def _discover(body: pb.DiscoverInput, vector: _Resolver, limit: int) -> Any:
    query = edge.DiscoverQuery(vector(body.target), _pairs(body.context, vector))
    return edge.Query.Discover(query, using=vector.using)


def _context(body: pb.ContextInput, vector: _Resolver, limit: int) -> Any:
    return edge.Query.Context(edge.ContextQuery(_pairs(body, vector)), using=vector.using)


_VECTOR_QUERIES: dict[str, Callable[[Any, _Resolver, int], Any]] = {
    "nearest": _nearest,
    "nearest_with_mmr": _mmr,
    "recommend": _recommend,
    "discover": _discover,
    "context": _context,
}


def _inputs(query: pb.Query) -> Iterable[pb.VectorInput]:
    kind = query.WhichOneof("variant")
    if kind == "nearest":
        yield query.nearest
    elif kind == "nearest_with_mmr":
        yield query.nearest_with_mmr.nearest
    elif kind == "recommend":
        yield from query.recommend.positive
        yield from query.recommend.negative
    elif kind in ("discover", "context"):
        if kind == "discover":
            yield query.discover.target
        for pair in (query.discover.context if kind == "discover" else query.context).pairs:
            yield pair.positive
            yield pair.negative


def _referenced(message: Any, ctx: QueryContext) -> Iterable[PointId]:
    """Ids of this collection that the query or a prefetch names: the server leaves them out of the answer."""
    if not message.HasField("lookup_from") or ctx.is_self(message.lookup_from.collection_name):
        yield from (point_id(i.id) for i in _inputs(message.query) if i.WhichOneof("variant") == "id")
    for prefetch in message.prefetch:
        yield from _referenced(prefetch, ctx)
