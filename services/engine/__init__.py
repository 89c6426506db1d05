"""The embedded default engine: Qdrant's gRPC API over Qdrant Edge shards, in one loopback process.

`python -m services.engine --dir DIR --port 0` owns DIR and serves an unmodified `qdrant_client.QdrantClient`.
`services.engine.supervisor.EngineProcess` starts it, keeps it alive and stops it.
"""
