"""``hilum up``: the engine and the three services, until it is told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from services.app import local, output
from services.app.commands import Data
from services.core.config import Settings


def up(
    data: Data = None,
    http: Annotated[str, typer.Option(help="Where HTTP and the UI listen.")] = "",
    grpc: Annotated[str, typer.Option(help="Where gRPC listens.")] = "",
    ingest_root: Annotated[list[str] | None, typer.Option(help="A folder that clients may ingest from.")] = None,
) -> None:
    """Serve similar cases, search by words, maps and the UI from one data folder."""
    from services.app.stack import Stack
    from services.core import logs

    logs.configure()
    stop = told_to_stop()
    with output.errors(), ExitStack() as held:
        with output.busy("starting"):
            stack = held.enter_context(Stack(configured(local.settings(data), http, grpc, ingest_root)))
        output.err.print(
            f"Hilum is up: {stack.url}  (gRPC {stack.grpc})  Ctrl-C stops it. Research use only.", soft_wrap=True
        )
        stop.wait()


def configured(settings: Settings, http: str, grpc: str, ingest_roots: Sequence[str] | None) -> Settings:
    """The environment's settings with what the command line says."""
    return replace(
        settings,
        http_bind=http or settings.http_bind,
        grpc_bind=grpc or settings.grpc_bind,
        ingest_roots=tuple(Path(root).absolute() for root in ingest_roots or ()) or settings.ingest_roots,
    )


def told_to_stop() -> threading.Event:
    """An event that SIGINT and SIGTERM set, from now on: also one that comes during the start ends in good order."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
