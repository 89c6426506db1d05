"""Qdrant's Points service: every method converts, calls the shard, converts back."""

# ruff: noqa: N802 - the method names are the API's
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qdrant_edge as edge
from qdrant_client.grpc import points_pb2 as pb
from qdrant_client.grpc import points_service_pb2_grpc

from .catalog import Catalog
from .convert import updates
from .convert.filters import optional_filter
from .convert.queries import DEFAULT_LIMIT, QueryContext, order_by, query_request
from .convert.updates import Update
from .convert.values import PointId, id_message, point_id, retrieved_point, scored_point, with_payload, with_vectors
from .errors import invalid, not_found, refuse_fields, rpc
from .groups import grouped


class Points(points_service_pb2_grpc.PointsServicer):
    """Reads and writes of points. Methods not defined here answer UNIMPLEMENTED."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def _write(self, kind: str, request: Any) -> pb.PointsOperationResponse:
        self._catalog.shard(request.collection_name).apply([Update(kind, request)], request.wait)
        return pb.PointsOperationResponse(result=_status(request.wait))

    @rpc
    def Upsert(self, request: pb.UpsertPoints, context: Any) -> pb.PointsOperationResponse:
        return self._write("upsert", request)

    @rpc
    def Delete(self, request: pb.DeletePoints, context: Any) -> pb.PointsOperationResponse:
        return self._write("delete", request)

    @rpc
    def UpdateVectors(self, request: pb.UpdatePointVectors, context: Any) -> pb.PointsOperationResponse:
        return self._write("update_vectors", request)

    @rpc
    def DeleteVectors(self, request: pb.DeletePointVectors, context: Any) -> pb.PointsOperationResponse:
        return self._write("delete_vectors", request)

    @rpc
    def SetPayload(self, request: pb.SetPayloadPoints, context: Any) -> pb.PointsOperationResponse:
        return self._write("set_payload", request)

    @rpc
    def OverwritePayload(self, request: pb.SetPayloadPoints, context: Any) -> pb.PointsOperationResponse:
        return self._write("overwrite_payload", request)

    @rpc
    def DeletePayload(self, request: pb.DeletePayloadPoints, context: Any) -> pb.PointsOperationResponse:
        return self._write("delete_payload", request)

    @rpc
    def ClearPayload(self, request: pb.ClearPayloadPoints, context: Any) -> pb.PointsOperationResponse:
        return self._write("clear_payload", request)

    @rpc
    def CreateFieldIndex(self, request: pb.CreateFieldIndexCollection, context: Any) -> pb.PointsOperationResponse:
        if self._catalog.has_index(request.collection_name, request):
            if request.wait:
                self._catalog.shard(request.collection_name).flush()
                self._catalog.settle()
            return pb.PointsOperationResponse(result=_status(True))
        answer = self._write("create_index", request)
        self._catalog.remember_index(request.collection_name, request, request.field_name, request.wait)
        return answer

    @rpc
    def DeleteFieldIndex(self, request: pb.DeleteFieldIndexCollection, context: Any) -> pb.PointsOperationResponse:
        answer = self._write("delete_index", request)
        self._catalog.remember_index(request.collection_name, None, request.field_name, request.wait)
        return answer

    @rpc
    def UpdateBatch(self, request: pb.UpdateBatchPoints, context: Any) -> pb.UpdateBatchResponse:
        parts = updates.batch(request.operations)
        self._catalog.shard(request.collection_name).apply(parts, request.wait)
        return pb.UpdateBatchResponse(result=[_status(request.wait) for _ in parts])

    @rpc
    def Get(self, request: pb.GetPoints, context: Any) -> pb.GetResponse:
        refuse_fields(request, "shard_key_selector")
        ids = [point_id(i) for i in request.ids]
        with self._catalog.shard(request.collection_name).reading() as shard:
            records = shard.retrieve(ids, with_payload(request.with_payload, True), with_vectors(request.with_vectors))
        return pb.GetResponse(result=[retrieved_point(r) for r in records])

    @rpc
    def Scroll(self, request: pb.ScrollPoints, context: Any) -> pb.ScrollResponse:
        refuse_fields(request, "shard_key_selector")
        if request.HasField("offset") and request.HasField("order_by"):
            raise invalid("Cannot use an `offset` when using `order_by`. Use `order_by.start_from` instead")
        limit = request.limit if request.HasField("limit") else DEFAULT_LIMIT
        if limit == 0:
            raise invalid("a scroll's limit is at least 1")
        asked = edge.ScrollRequest(
            offset=point_id(request.offset) if request.HasField("offset") else None,
            limit=limit,
            filter=optional_filter(request),
            with_payload=with_payload(request.with_payload, True),
            with_vector=with_vectors(request.with_vectors),
            order_by=order_by(request.order_by) if request.HasField("order_by") else None,
        )
        with self._catalog.shard(request.collection_name).reading() as shard:
            records, after = shard.scroll(asked)
        following = id_message(after) if after is not None else None
        return pb.ScrollResponse(result=[retrieved_point(r) for r in records], next_page_offset=following)

    @rpc
    def Count(self, request: pb.CountPoints, context: Any) -> pb.CountResponse:
        refuse_fields(request, "shard_key_selector")
        exact = request.exact if request.HasField("exact") else True
        with self._catalog.shard(request.collection_name).reading() as shard:
            found = shard.count(edge.CountRequest(exact=exact, filter=optional_filter(request)))
        return pb.CountResponse(result=pb.CountResult(count=found))

    @rpc
    def Facet(self, request: pb.FacetCounts, context: Any) -> pb.FacetResponse:
        refuse_fields(request, "shard_key_selector")
        limit = request.limit if request.HasField("limit") else DEFAULT_LIMIT
        asked = edge.FacetRequest(request.key, limit, request.exact, optional_filter(request))
        with self._catalog.shard(request.collection_name).reading() as shard:
            hits = shard.facet(asked).hits
        return pb.FacetResponse(hits=[pb.FacetHit(value=_facet_value(h.value), count=h.count) for h in hits])

    @rpc
    def Query(self, request: pb.QueryPoints, context: Any) -> pb.QueryResponse:
        return pb.QueryResponse(result=self._query(request.collection_name, [request])[0])

    @rpc
    def QueryBatch(self, request: pb.QueryBatchPoints, context: Any) -> pb.QueryBatchResponse:
        found = self._query(request.collection_name, request.query_points)
        return pb.QueryBatchResponse(result=[pb.BatchResult(result=hits) for hits in found])

    @rpc
    def QueryGroups(self, request: pb.QueryPointGroups, context: Any) -> pb.QueryGroupsResponse:
        shard = self._catalog.shard(request.collection_name)
        return pb.QueryGroupsResponse(result=grouped(request, shard, self._context(request.collection_name)))

    def _query(self, collection: str, requests: Sequence[pb.QueryPoints]) -> list[list[pb.ScoredPoint]]:
        shard = self._catalog.shard(collection)
        context = self._context(collection)
        asked = [query_request(r, r.limit if r.HasField("limit") else DEFAULT_LIMIT, context) for r in requests]
        with shard.reading() as live:
            answers = live.query_batch(edge.QueryBatchRequest(asked))
        return [[scored_point(hit) for hit in hits] for hits in answers]

    def _context(self, collection: str) -> QueryContext:
        def lookup(other: str, vector_name: str, ids: list[PointId]) -> dict[PointId, Any]:
            with self._catalog.shard(other or collection).reading() as live:
                records = live.retrieve(ids, False, [vector_name])
            return _vectors_by_id(records, vector_name)

        def is_self(other: str) -> bool:
            return self._catalog.resolve(other) == self._catalog.resolve(collection)

        return QueryContext(is_self, self._catalog.shard(collection).specs, lookup)


def _vectors_by_id(records: Sequence[Any], name: str) -> dict[PointId, Any]:
    found: dict[PointId, Any] = {}
    for record in records:
        vector = record.vector.get(name) if isinstance(record.vector, dict) else record.vector
        if vector is None:
            raise not_found(f"Vector with name `{name}` for point")
        found[record.id if isinstance(record.id, int) else str(record.id)] = vector
    return found


def _status(wait: bool) -> pb.UpdateResult:
    return pb.UpdateResult(operation_id=0, status=pb.Completed if wait else pb.Acknowledged)


def _facet_value(value: Any) -> pb.FacetValue:
    if isinstance(value, bool):
        return pb.FacetValue(bool_value=value)
    return pb.FacetValue(integer_value=value) if isinstance(value, int) else pb.FacetValue(string_value=str(value))
