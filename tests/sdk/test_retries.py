"""A client asks again while a service is away or busy, within its deadline, and never does a thing twice."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from hilum import AsyncClient, Client, HilumError
from hilum.locate import Endpoint
from hilum.retries import Tries
from tests.kit import flaky


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "attempts"


@pytest.fixture
def at(log: Path) -> Iterator[Endpoint]:
    """A service in this process."""
    server = flaky.serve(0, log)
    yield Endpoint(f"127.0.0.1:{server.port}")
    server.stop(0)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_service_is_killed_and_comes_back(log: Path) -> None:
    port = free_port()
    first = flaky.start(port, log)
    with Client(endpoint=Endpoint(f"127.0.0.1:{port}"), timeout=60, patience=60) as client:
        assert client.search(text="x").provenance["time"] == str(first.pid)  # asked while it was still starting
        first.send_signal(signal.SIGKILL)
        first.wait()
        back = []
        later = threading.Timer(1.0, lambda: back.append(flaky.start(port, log)))
        later.start()
        try:
            began = time.monotonic()
            answer = client.search(text="x")
            assert time.monotonic() - began > 1.0
            assert answer.provenance["time"] == str(back[0].pid)
            assert flaky.lines(log) == ["Search", "Search"]
        finally:
            later.join()
            for process in back:
                process.kill()
                process.wait()


@pytest.mark.parametrize("text", ["busy 3", "away 3"])
def test_busy_and_away_pass(at: Endpoint, log: Path, text: str) -> None:
    with Client(endpoint=at) as client:
        client.within(8).search(text=text)
    assert flaky.lines(log) == ["Search"] * 4
    first, *_, last = flaky.waits(log)
    assert last <= first + 0.05 and first <= 8.1  # one deadline over all attempts; gRPC rounds it up


def test_patience_ends_and_a_deadline_is_never_passed(at: Endpoint, log: Path) -> None:
    began = time.monotonic()
    with Client(endpoint=at, patience=0.5) as client, pytest.raises(HilumError, match="the engine is away"):
        client.search(text="away 1000")
    assert time.monotonic() - began < 1.5 and len(flaky.lines(log)) > 2
    began = time.monotonic()
    with Client(endpoint=at, patience=60) as client, pytest.raises(HilumError, match="the engine is away"):
        client.within(0.5).search(text="away 1000")
    assert time.monotonic() - began < 1.5


def test_the_service_hears_of_the_deadline(at: Endpoint, log: Path) -> None:
    began = time.monotonic()
    with Client(endpoint=at) as client, pytest.raises(HilumError, match="DEADLINE_EXCEEDED"):
        client.within(0.6).search(text="slow")
    assert time.monotonic() - began < 1.5
    [told] = flaky.waits(log)
    assert 0.2 < told <= 0.6


def test_what_is_too_large_is_not_sent_again(at: Endpoint, log: Path) -> None:
    with Client(endpoint=at) as client:
        with pytest.raises(HilumError, match="PAYLOAD_TOO_LARGE"):
            client.search(text="large")
        assert flaky.lines(log) == ["Search"]
        began = time.monotonic()
        with pytest.raises(HilumError, match="RESOURCE_EXHAUSTED"):
            client.search(image=bytes(66 * 2**20))  # more than a message holds: it never leaves
        assert time.monotonic() - began < 5 and flaky.lines(log) == ["Search"]


def test_nothing_is_begun_twice_unless_the_service_can_tell(at: Endpoint, log: Path) -> None:
    with Client(endpoint=at) as client:
        with pytest.raises(HilumError, match="the facts are away"):
            client.analyze()
        assert flaky.lines(log) == ["CreateRun"]
        log.unlink()
        assert client.analyze(request_id="mine").job_id == "mine"
        assert flaky.lines(log) == ["CreateRun", "CreateRun"]


def test_a_stream_begins_again_only_while_nothing_of_it_was_seen(at: Endpoint, log: Path) -> None:
    seen = []
    with Client(endpoint=at) as client, pytest.raises(HilumError, match="the engine is away"):
        seen.extend(client.search_stream(text="breaks"))  # at its first message, then at its second
    assert flaky.lines(log) == ["SearchStream", "SearchStream"]


def test_watching_goes_on(at: Endpoint) -> None:
    with Client(endpoint=at) as client:
        assert [job.state for job in client.watch("j")] == ["running", "running", "succeeded"]


def test_the_async_client_alike(at: Endpoint, log: Path) -> None:
    async def ask() -> None:
        async with AsyncClient(endpoint=at, patience=5) as client:
            await client.search(text="away 2")
            assert flaky.lines(log) == ["Search"] * 3
            with pytest.raises(HilumError, match="the facts are away"):
                await client.analyze()
            assert [job.state async for job in client.watch("j")] == ["running", "running", "succeeded"]
            began = time.monotonic()
            with pytest.raises(HilumError, match="DEADLINE_EXCEEDED"):
                await client.within(0.5).search(text="slow")
            assert time.monotonic() - began < 1.5

    asyncio.run(ask())


class Away(grpc.RpcError):
    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def trailing_metadata(self) -> tuple[()]:
        return ()

    def details(self) -> str:
        return ""


def test_pauses_grow_and_are_drawn_at_random() -> None:
    many = [Tries("Search", None, None, 1000.0) for _ in range(200)]
    rounds = [[tries.pause(Away()) or 0.0 for tries in many] for _ in range(8)]
    for number, pauses in enumerate(rounds):
        top = min(2.0, 0.1 * 2**number)
        assert max(pauses) <= top and len(set(pauses)) > 190
        assert 0.35 * top < sum(pauses) / len(pauses) < 0.65 * top
    assert Tries("CreateRun", None, None, 1000.0).pause(Away()) is None
