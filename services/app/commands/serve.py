"""``hilum serve``: one service in a process of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from services.app import local, output
from services.app.commands import Data
from services.app.commands.up import configured, told_to_stop


def serve(
    name: Annotated[str, typer.Argument(help="ingest, query or analytics.")],
    data: Data = None,
    http: Annotated[str, typer.Option(help="Where HTTP listens.")] = "",
    grpc: Annotated[str, typer.Option(help="Where gRPC listens.")] = "",
    ingest_root: Annotated[list[str] | None, typer.Option(help="A folder that clients may ingest from.")] = None,
    encode: Annotated[str, typer.Option(help="For query, and analyses of words: HOST:PORT of ingest's gRPC.")] = "",
) -> None:
    """Serve one service beside a Qdrant server (HILUM_ENGINE_URL) and shared facts (HILUM_FACTS_URL or --data)."""
    from services.app.service import Service
    from services.core import logs

    logs.configure()
    stop = told_to_stop()
    with output.errors():
        settings = configured(local.settings(data), http, grpc, ingest_root)
        with Service(settings, name, encode) as process:
            output.err.print(f"{name} is up: {process.url}  (gRPC {process.grpc})  Ctrl-C stops it. Research use only.")
            stop.wait()
