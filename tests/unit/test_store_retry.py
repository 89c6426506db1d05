"""An engine that is away is waited for, for a bounded time, and what it says reaches clients only in our words."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable

import grpc
import pytest
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.store import VectorStore, payload
from services.core.store.retry import READ_PATIENCE, WRITE_PATIENCE, answered
from services.engine.supervisor import EngineProcess
from tests.kit.records import make_record, make_spec, unit_vectors

SPEC = make_spec()
CANARY = "Doe^Jane"


class Status(grpc.RpcError):
    """What grpc raises, as far as the store looks at it."""

    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__(CANARY)
        self.code: Callable[[], grpc.StatusCode] = lambda: code


def failing(times: int, error: Exception) -> Callable[[], int]:
    """A call that fails so many times, then says how often it was made."""
    calls = 0

    def call() -> int:
        nonlocal calls
        calls += 1
        if calls <= times:
            raise error
        return calls

    return call


def test_an_engine_that_comes_back_in_time_is_not_noticed() -> None:
    assert answered(failing(3, Status(grpc.StatusCode.UNAVAILABLE)), patience=5.0) == 4


def test_patience_ends() -> None:
    started = time.monotonic()
    with pytest.raises(HilumError) as refused:
        answered(failing(10**6, Status(grpc.StatusCode.UNAVAILABLE)), patience=0.4)
    assert refused.value.code is ErrorCode.UNAVAILABLE
    assert time.monotonic() - started < 1.0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Status(grpc.StatusCode.DEADLINE_EXCEEDED), ErrorCode.DEADLINE_EXCEEDED),
        (Status(grpc.StatusCode.NOT_FOUND), ErrorCode.NOT_FOUND),
        (Status(grpc.StatusCode.RESOURCE_EXHAUSTED), ErrorCode.RESOURCE_EXHAUSTED),
        (ResourceExhaustedResponse(CANARY, 3), ErrorCode.RESOURCE_EXHAUSTED),
        (Status(grpc.StatusCode.UNIMPLEMENTED), ErrorCode.UNIMPLEMENTED),
        (Status(grpc.StatusCode.PERMISSION_DENIED), ErrorCode.FAILED_PRECONDITION),
        (Status(grpc.StatusCode.DATA_LOSS), ErrorCode.INTERNAL),
        (invalid("ours"), ErrorCode.INVALID_ARGUMENT),
    ],
)
def test_a_question_is_told_of_other_failures_at_once_in_our_own_words(error: Exception, code: ErrorCode) -> None:
    call = failing(1, error)
    with pytest.raises(HilumError) as refused:
        answered(call, READ_PATIENCE)
    assert refused.value.code is code
    assert CANARY not in refused.value.client_message
    assert call() == 2


def test_a_write_outwaits_an_engine_that_is_slow_and_no_other_failure() -> None:
    assert answered(failing(2, Status(grpc.StatusCode.DEADLINE_EXCEEDED)), WRITE_PATIENCE) == 3
    refused_once = failing(1, Status(grpc.StatusCode.INVALID_ARGUMENT))
    with pytest.raises(HilumError):
        answered(refused_once, WRITE_PATIENCE)
    assert refused_once() == 2


def test_a_mistake_of_ours_is_not_hidden() -> None:
    with pytest.raises(KeyError):
        answered(failing(1, KeyError("x")), patience=60.0)


def test_where_nobody_listens_a_question_is_answered_within_its_patience() -> None:
    with socket.socket() as held:  # bound and never listening: nobody else can take the port meanwhile
        held.bind(("127.0.0.1", 0))
        store = VectorStore(f"127.0.0.1:{held.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(HilumError) as refused:
            store.count(SPEC)
        assert refused.value.code is ErrorCode.UNAVAILABLE
        assert time.monotonic() - started < READ_PATIENCE + 2.0
        assert not store.alive()
        store.close()


def test_a_write_outlasts_an_engine_that_is_killed_and_restarts(own_engine: EngineProcess) -> None:
    store = VectorStore(own_engine.url)
    store.ensure(SPEC)
    records = [make_record(f"film-{n}") for n in range(4)]
    vectors = unit_vectors(4)
    for n, record in enumerate(records):
        if n == 2:
            assert own_engine.pid is not None

            os.kill(own_engine.pid, signal.SIGKILL)
        store.upsert(SPEC, [record.image_id], vectors[n : n + 1], [payload(record)])
    assert store.held(SPEC, [r.image_id for r in records]).keys() == {r.image_id for r in records}
    assert own_engine.restarts == 1
    store.close()
