"""Grouped queries, which Edge's Python API lacks.

Groups are ordered by their best hit, so the first `limit` groups are certain once that many have been seen: the
query is widened until they have, or until hits run out. Groups still short of hits are then filled by one query
each, limited to their key.
"""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge
from qdrant_client.grpc import points_pb2 as pb
from qdrant_client.grpc import qdrant_common_pb2 as common

from .convert.queries import DEFAULT_LIMIT, QueryContext, query_request
from .convert.values import fill_payload, scored_point, with_payload, with_vectors
from .convert.vectors import fill_vectors
from .errors import invalid
from .shard import Shard

DEFAULT_GROUP_SIZE = 3
WIDEN = 4
Key = int | str


def grouped(request: pb.QueryPointGroups, shard: Shard, ctx: QueryContext) -> pb.GroupsResult:
    """The best `limit` groups of a query by the payload field `group_by`, `group_size` hits each."""
    limit = request.limit if request.HasField("limit") else DEFAULT_LIMIT
    size = request.group_size if request.HasField("group_size") else DEFAULT_GROUP_SIZE
    if not request.group_by or not limit or not size:
        raise invalid("a grouped query needs group_by, and a limit and group_size of at least 1")
    with_key = _keyed(request)
    groups, exhausted = _widen(with_key, shard, ctx, limit, size)
    keys = list(groups)[:limit]
    short = [] if exhausted or _ranks_by_fusion(request) else [k for k in keys if len(groups[k]) < size]
    if short:
        asked = [query_request(_only(with_key, key), size, ctx) for key in short]
        with shard.reading() as live:
            for key, hits in zip(short, live.query_batch(edge.QueryBatchRequest(asked)), strict=True):
                groups[key] = hits
    ids = _answer_payload(request, [hit for key in keys for hit in groups[key][:size]], shard, ctx)
    answer = pb.GroupsResult()
    for key in keys:
        group = answer.groups.add(id=_group_id(key))
        group.hits.extend(ids[hit.id] for hit in groups[key][:size])
    return answer


def _widen(
    request: pb.QueryPointGroups, shard: Shard, ctx: QueryContext, limit: int, size: int
) -> tuple[dict[Key, list[Any]], bool]:
    """Hits by key, best group first, and whether there are no more hits."""
    most = max(shard.points(), 1)
    width = min(limit * size, most)
    while True:
        with shard.reading() as live:
            hits = live.query(query_request(request, width, ctx))
        groups: dict[Key, list[Any]] = {}
        for hit in hits:
            for key in _keys(hit.payload, request.group_by):
                groups.setdefault(key, []).append(hit)
        exhausted = len(hits) < width or width >= most
        if exhausted or len(groups) >= limit:
            return groups, exhausted
        width = min(width * WIDEN, most)


def _keyed(request: pb.QueryPointGroups) -> pb.QueryPointGroups:
    """The same query, over points that have a key, returning the key alone."""
    keyed = pb.QueryPointGroups()
    keyed.CopyFrom(request)
    keyed.filter.must_not.add().is_empty.key = request.group_by
    keyed.with_payload.CopyFrom(pb.WithPayloadSelector(include=pb.PayloadIncludeSelector(fields=[request.group_by])))
    keyed.with_vectors.CopyFrom(pb.WithVectorsSelector(enable=False))
    return keyed


def _only(request: pb.QueryPointGroups, key: Key) -> pb.QueryPointGroups:
    """The same query within one group."""
    narrowed = pb.QueryPointGroups()
    narrowed.CopyFrom(request)
    match = common.Match(integer=key) if isinstance(key, int) else common.Match(keyword=key)
    narrowed.filter.must.add().field.CopyFrom(common.FieldCondition(key=request.group_by, match=match))
    return narrowed


def _ranks_by_fusion(request: pb.QueryPointGroups) -> bool:
    """Fused scores depend on what else is in the list, so a query within one group would change them."""
    return bool(request.prefetch)


def _keys(payload: Any, path: str) -> list[Key]:
    """The values of `a.b` or `a[].b` in a payload that can be keys: text and whole numbers, each once."""
    found = [payload]
    for part in path.split("."):
        name = part.removesuffix("[]")
        found = [item[name] for item in found if isinstance(item, dict) and name in item]
        found = [entry for item in found for entry in (item if isinstance(item, list) else [item])]
    return list(dict.fromkeys(k for k in found if isinstance(k, (str, int)) and not isinstance(k, bool)))


def _answer_payload(
    request: pb.QueryPointGroups, hits: list[Any], shard: Shard, ctx: QueryContext
) -> dict[Any, pb.ScoredPoint]:
    """Each hit with the payload and vectors that were asked for."""
    wanted = with_payload(request.with_payload, False), with_vectors(request.with_vectors)
    answers = {}
    with shard.reading() as live:
        records = {r.id: r for r in live.retrieve(list({h.id for h in hits}), *wanted)}
    for hit in hits:
        message = scored_point(hit)
        message.ClearField("payload")
        if hit.id in records:
            fill_payload(message.payload, records[hit.id].payload)
            fill_vectors(message, records[hit.id].vector)
        answers[hit.id] = message
    return answers


def _group_id(key: Key) -> pb.GroupId:
    if isinstance(key, str):
        return pb.GroupId(string_value=key)
    return pb.GroupId(unsigned_value=key) if key >= 0 else pb.GroupId(integer_value=key)
