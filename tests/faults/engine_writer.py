"""A writer to be watched while its engine dies: upserts batches and notes every id that was acknowledged.

`python -m tests.faults.engine_writer PORT COLLECTION DIM BATCH LEDGER FIRST` writes until it is killed. One line of
LEDGER per acknowledged batch: the first id. Point i carries {"n": i} and a vector that depends on i alone. A batch
the engine could not answer for is sent again, as an ingest would.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from qdrant_client import QdrantClient, models


def vector(i: int, dim: int) -> list[float]:
    """The vector of point i: (dim,), not zero."""
    return (np.random.default_rng(i).normal(size=dim) + 0.01).astype(np.float32).tolist()


def main() -> None:
    port, collection, dim, batch, ledger, first = sys.argv[1:]
    client = QdrantClient(
        host="127.0.0.1",
        grpc_port=int(port),
        prefer_grpc=True,
        check_compatibility=False,
        timeout=20,
        grpc_options={"grpc.initial_reconnect_backoff_ms": 50, "grpc.max_reconnect_backoff_ms": 200},
    )
    at = int(first)
    with Path(ledger).open("a") as out:
        while True:
            points = [
                models.PointStruct(id=i, vector=vector(i, int(dim)), payload={"n": i})
                for i in range(at, at + int(batch))
            ]
            try:
                client.upsert(collection, points, wait=True)
            except Exception:
                time.sleep(0.02)
                continue
            out.write(f"{at}\n")
            out.flush()
            at += int(batch)


if __name__ == "__main__":
    main()
