"""``hilum up``: the engine and the three services, until it is told to stop."""

from __future__ import annotations

import signal
import threading
from dataclasses import replace
from typing import Annotated

import typer

from services.app import local, output
from services.app.commands import Data


def up(
    data: Data = None,
    http: Annotated[str, typer.Option(help="Where HTTP and the UI listen.")] = "",
    grpc: Annotated[str, typer.Option(help="Where gRPC listens.")] = "",
    ingest_root: Annotated[list[str] | None, typer.Option(help="A folder that clients may ingest from.")] = None,
) -> None:
    """Serve similar cases, search by words, maps and the UI from one data folder."""
    from pathlib import Path

    from services.app.stack import Stack
    from services.core import logs

    logs.configure()
    with output.errors():
        settings = local.settings(data)
        settings = replace(
            settings,
            http_bind=http or settings.http_bind,
            grpc_bind=grpc or settings.grpc_bind,
            ingest_roots=tuple(Path(root).absolute() for root in ingest_root or ()) or settings.ingest_roots,
        )
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        with Stack(settings) as stack:
            output.err.print(f"Hilum is up: {stack.url}  (gRPC {stack.grpc})  Ctrl-C stops it. Research use only.")
            stop.wait()
