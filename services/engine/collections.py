"""Qdrant's Collections service: collections and aliases of the catalog."""

# ruff: noqa: N802 - the method names are the API's
from __future__ import annotations

from typing import Any

import grpc
from google.protobuf import json_format
from qdrant_client.grpc import collections_pb2 as pb
from qdrant_client.grpc import collections_service_pb2_grpc, points_pb2

from .catalog import Catalog
from .convert import schema
from .errors import EngineError, refuse_fields, rpc, unsupported
from .indexer import Indexer


class Collections(collections_service_pb2_grpc.CollectionsServicer):
    """Collections by name. Cluster methods are not defined and answer UNIMPLEMENTED."""

    def __init__(self, catalog: Catalog, indexer: Indexer) -> None:
        self._catalog = catalog
        self._indexer = indexer

    @rpc
    def Create(self, request: pb.CreateCollection, context: Any) -> pb.CollectionOperationResponse:
        self._catalog.create(request)
        return pb.CollectionOperationResponse(result=True)

    @rpc
    def Delete(self, request: pb.DeleteCollection, context: Any) -> pb.CollectionOperationResponse:
        return pb.CollectionOperationResponse(result=self._catalog.delete(request.collection_name))

    @rpc
    def List(self, request: pb.ListCollectionsRequest, context: Any) -> pb.ListCollectionsResponse:
        names = sorted(self._catalog.registry.collections)
        return pb.ListCollectionsResponse(collections=[pb.CollectionDescription(name=n) for n in names])

    @rpc
    def CollectionExists(self, request: pb.CollectionExistsRequest, context: Any) -> pb.CollectionExistsResponse:
        registry = self._catalog.registry
        name = registry.aliases.get(request.collection_name, request.collection_name)
        return pb.CollectionExistsResponse(result=pb.CollectionExists(exists=name in registry.collections))

    @rpc
    def Get(self, request: pb.GetCollectionInfoRequest, context: Any) -> pb.GetCollectionInfoResponse:
        name = self._catalog.resolve(request.collection_name)
        shard, entry = self._catalog.shard(name), self._catalog.entry(name)
        info = shard.info()
        busy = self._indexer.wants(shard) or self._indexer.running == name
        failure = self._indexer.failures.get(name, "")
        result = pb.CollectionInfo(
            status=pb.Yellow if busy else pb.Green,
            optimizer_status=pb.OptimizerStatus(ok=not failure, error=failure),
            segments_count=info.segments_count,
            points_count=info.points_count,
            indexed_vectors_count=info.indexed_vectors_count,
            config=_config(shard.config, info.points_count - shard.unindexed),
        )
        for field, saved in entry.indexes.items():
            built = info.payload_schema.get(field)
            message = json_format.ParseDict(saved, points_pb2.CreateFieldIndexCollection())
            _fill_index(result.payload_schema[field], message, built.points if built else 0)
        return pb.GetCollectionInfoResponse(result=result)

    @rpc
    def Update(self, request: pb.UpdateCollection, context: Any) -> pb.CollectionOperationResponse:
        """Of all settings only one: optimizers that tolerate no deleted point. It is carried out at once, and done when
        this returns: the collection is written anew, and nothing of what was deleted stays in a file."""
        refuse_fields(
            request,
            "params",
            "hnsw_config",
            "vectors_config",
            "quantization_config",
            "sparse_vectors_config",
            "strict_mode_config",
            "metadata",
        )
        name = self._catalog.resolve(request.collection_name)
        if request.HasField("optimizers_config"):
            asked = request.optimizers_config
            others = {field.name for field, _ in asked.ListFields()} - {"deleted_threshold", "vacuum_min_vector_number"}
            if others or not asked.HasField("deleted_threshold") or asked.deleted_threshold > 0:
                raise unsupported("UpdateCollection.optimizers_config other than deleted_threshold = 0")
            self._catalog.shard(name)
            if not self._indexer.purge(name):
                raise EngineError(
                    grpc.StatusCode.UNAVAILABLE, "the collection could not be written anew; try again shortly"
                )
        return pb.CollectionOperationResponse(result=True)

    @rpc
    def UpdateAliases(self, request: pb.ChangeAliases, context: Any) -> pb.CollectionOperationResponse:
        self._catalog.change_aliases(list(request.actions))
        return pb.CollectionOperationResponse(result=True)

    @rpc
    def ListAliases(self, request: pb.ListAliasesRequest, context: Any) -> pb.ListAliasesResponse:
        return self._aliases(None)

    @rpc
    def ListCollectionAliases(self, request: pb.ListCollectionAliasesRequest, context: Any) -> pb.ListAliasesResponse:
        return self._aliases(self._catalog.resolve(request.collection_name))

    def _aliases(self, of: str | None) -> pb.ListAliasesResponse:
        pairs = sorted(self._catalog.registry.aliases.items())
        found = [pb.AliasDescription(alias_name=a, collection_name=c) for a, c in pairs if of in (None, c)]
        return pb.ListAliasesResponse(aliases=found)


def _config(created: pb.CreateCollection, stored: int) -> pb.CollectionConfig:
    """The configuration as a server reports it: what was asked for, and the engine's values where nothing was."""
    config = pb.CollectionConfig(
        params=pb.CollectionParams(
            shard_number=1,
            on_disk_payload=True,
            replication_factor=1,
            write_consistency_factor=1,
            vectors_config=created.vectors_config if created.HasField("vectors_config") else None,
            sparse_vectors_config=created.sparse_vectors_config if created.HasField("sparse_vectors_config") else None,
        ),
        hnsw_config=pb.HnswConfigDiff(
            m=schema.HNSW_M,
            ef_construct=schema.HNSW_EF_CONSTRUCT,
            full_scan_threshold=schema.compared(created, stored),
            max_indexing_threads=0,
            on_disk=False,
        ),
        optimizer_config=pb.OptimizersConfigDiff(
            deleted_threshold=0.2,
            vacuum_min_vector_number=1000,
            default_segment_number=schema.SEGMENTS,
            max_segment_size=schema.MAX_SEGMENT_KB,
            indexing_threshold=schema.INDEXING_THRESHOLD_KB,
            flush_interval_sec=5,
        ),
        wal_config=pb.WalConfigDiff(wal_capacity_mb=32, wal_segments_ahead=0),
        metadata=created.metadata,
    )
    config.hnsw_config.MergeFrom(created.hnsw_config)
    config.optimizer_config.MergeFrom(created.optimizers_config)
    if created.HasField("quantization_config"):
        config.quantization_config.CopyFrom(created.quantization_config)
    else:
        config.quantization_config.scalar.CopyFrom(pb.ScalarQuantization(type=pb.Int8, quantile=0.99))
    return config


_TYPES = {
    points_pb2.FieldTypeKeyword: pb.Keyword,
    points_pb2.FieldTypeInteger: pb.Integer,
    points_pb2.FieldTypeFloat: pb.Float,
    points_pb2.FieldTypeGeo: pb.Geo,
    points_pb2.FieldTypeText: pb.Text,
    points_pb2.FieldTypeBool: pb.Bool,
    points_pb2.FieldTypeDatetime: pb.Datetime,
    points_pb2.FieldTypeUuid: pb.Uuid,
}


def _fill_index(out: pb.PayloadSchemaInfo, saved: points_pb2.CreateFieldIndexCollection, points: int) -> None:
    kind = saved.field_index_params.WhichOneof("index_params")
    if kind:
        out.data_type = pb.PayloadSchemaType.Value(kind.removesuffix("_index_params").capitalize())
        out.params.CopyFrom(saved.field_index_params)
    else:
        out.data_type = _TYPES[saved.field_type]
    out.points = points
