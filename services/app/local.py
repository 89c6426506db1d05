"""A client for a command: of the Hilum that runs, or of one started for the command's own duration."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from hilum import Client, locate
from services.app import output
from services.core.config import Settings, from_environment
from services.core.errors import invalid


def settings(data: str | None) -> Settings:
    """Settings for a command with its ``--data``."""
    return from_environment(os.environ, data)


@contextmanager
def client(data: str | None, ray: str = "") -> Iterator[Client]:
    """Connect to HILUM_URL or the running Hilum of the data folder; without either, start one on free ports.

    ray: spread its ingests over Ray; for one of our own alone, as a client does not tell a service where to compute.
    """
    chosen = settings(data)
    if ray:
        if (os.environ.get("HILUM_URL") and not data) or locate.running(chosen.data_dir):
            raise invalid("a Hilum is running, and it decides where it computes: start it with HILUM_RAY set")
        chosen = replace(chosen, ray=ray)
    if os.environ.get("HILUM_URL") and not data:
        with Client(patience=3.0) as remote:  # a person waits for this one
            yield remote
        return
    found = locate.running(chosen.data_dir)
    if found:
        with Client(endpoint=found) as running:
            yield running
        return
    with ExitStack() as held:
        with output.busy("starting Hilum on the data folder; `hilum up` keeps one running"):
            from services.app.stack import Stack  # heavy: only when there is something to start

            stack = held.enter_context(Stack(replace(chosen, grpc_bind="127.0.0.1:0"), http=False))
        yield held.enter_context(Client(endpoint=locate.Endpoint(stack.grpc, token=stack.token)))
