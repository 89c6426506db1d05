"""Lanes: few batches for many callers, turns among them, bounds, and no work for those who left."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from services.core.errors import ErrorCode, HilumError
from services.ingest import batching
from services.ingest.batching import Lane
from services.ingest.callers import Answer, Caller, Room
from services.transport.edge import Call


class Doubling:
    """Doubles numbers; holds its batches back while `gate` is shut, and remembers them."""

    def __init__(self, open: bool = True) -> None:
        self.batches: list[list[int]] = []
        self.gate, self.entered = threading.Event(), threading.Event()
        if open:
            self.gate.set()

    def __call__(self, batch: list[int]) -> Sequence[int | HilumError]:
        self.batches.append(list(batch))
        self.entered.set()
        assert self.gate.wait(10)
        return [2 * number for number in batch]


def caller(**call: object) -> Caller:
    return Caller(Call("test", **call))  # type: ignore[arg-type]


@pytest.fixture
def busy() -> Iterator[tuple[Lane[int, int], Doubling]]:
    """A lane that is at a batch until `gate` opens: what is submitted meanwhile waits."""
    work = Doubling(open=False)
    lane: Lane[int, int] = Lane("test", work, 8)
    lane.submit(caller(), -1)
    assert work.entered.wait(10)
    yield lane, work
    work.gate.set()
    lane.close()


def test_many_callers_share_few_batches_and_each_gets_his_own() -> None:
    work = Doubling()

    def slowly(batch: list[int]) -> Sequence[int | HilumError]:
        time.sleep(0.01)
        return work(batch)

    lane: Lane[int, int] = Lane("test", slowly, 16)

    def ask(number: int) -> list[int | HilumError]:
        me = caller()
        return [me.result(lane.submit(me, 100 * number + i)) for i in range(10)]

    with ThreadPoolExecutor(16) as threads:
        for number, answers in enumerate(threads.map(ask, range(16))):
            assert answers == [2 * (100 * number + i) for i in range(10)]
    assert len(work.batches) <= 40, "160 items of 16 callers at a time need ten batches, were they all in step"
    assert max(map(len, work.batches)) <= 16
    lane.close()


def test_an_idle_lane_starts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "LINGER", 60.0)
    lane: Lane[int, int] = Lane("test", Doubling(), 16)
    for number in range(3):
        me, started = caller(), time.monotonic()
        assert me.result(lane.submit(me, number)) == 2 * number
        assert time.monotonic() - started < 5
    lane.close()


def test_callers_take_turns(busy: tuple[Lane[int, int], Doubling]) -> None:
    lane, work = busy
    glutton, *modest = (caller() for _ in range(4))
    many = [lane.submit(glutton, number) for number in range(100)]
    single = [lane.submit(one, 1000 + i) for i, one in enumerate(modest)]
    work.gate.set()
    assert [one.result(answer) for one, answer in zip(modest, single, strict=True)] == [2000, 2002, 2004]
    assert {1000, 1001, 1002} <= set(work.batches[1]), "one batch after the one under way, though 100 came before"
    assert [glutton.result(answer) for answer in many] == [2 * number for number in range(100)]


def test_who_leaves_costs_nothing_more(busy: tuple[Lane[int, int], Doubling]) -> None:
    lane, work = busy
    left = threading.Event()
    leaving, late, staying = caller(is_cancelled=left.is_set), caller(deadline=time.monotonic() + 0.05), caller()
    answers = {one: [lane.submit(one, 7), lane.submit(one, 8)] for one in (leaving, late, staying)}
    left.set()
    for one, code in ((leaving, ErrorCode.CANCELLED), (late, ErrorCode.DEADLINE_EXCEEDED)):
        started = time.monotonic()
        with pytest.raises(HilumError) as refused:
            one.result(answers[one][0])
        assert refused.value.code is code
        assert time.monotonic() - started < 2, "nobody waits for the batch under way"
    work.gate.set()
    assert [staying.result(answer) for answer in answers[staying]] == [14, 16]
    assert work.batches[1:] == [[7, 8]], "only what somebody waits for is worked on"
    for one, code in ((leaving, ErrorCode.CANCELLED), (late, ErrorCode.DEADLINE_EXCEEDED)):
        assert all(answer.exception().code is code for answer in answers[one])  # type: ignore[union-attr]


def test_what_is_forgotten_is_not_worked_on(busy: tuple[Lane[int, int], Doubling]) -> None:
    lane, work = busy
    gone, staying = caller(), caller()
    lane.submit(gone, 1)
    kept = lane.submit(staying, 2)
    lane.forget(gone)
    work.gate.set()
    assert staying.result(kept) == 4
    assert work.batches[1:] == [[2]]


@pytest.mark.parametrize("failure", [RuntimeError("boom"), SystemExit(3), MemoryError()])
def test_a_batch_that_crashes_answers_its_callers_and_the_lane_goes_on(failure: BaseException) -> None:
    calls: list[int] = []

    def fails_once(batch: list[int]) -> Sequence[int | HilumError]:
        calls.append(len(batch))
        if len(calls) == 1:
            raise failure
        return batch

    lane: Lane[int, int] = Lane("test", fails_once, 4)
    me = caller()
    failed = me.result(lane.submit(me, 1))
    assert isinstance(failed, HilumError) and failed.code is ErrorCode.INTERNAL
    assert "boom" not in failed.client_message
    assert me.result(lane.submit(me, 2)) == 2
    lane.close()


def test_a_batch_that_answers_too_little_is_a_crash() -> None:
    lane: Lane[int, int] = Lane("test", lambda batch: [], 4)
    me = caller()
    assert isinstance(me.result(lane.submit(me, 1)), HilumError)
    lane.close()


def test_slow_items_make_short_batches() -> None:
    sizes: list[int] = []

    def slow(batch: list[int]) -> Sequence[int | HilumError]:
        sizes.append(len(batch))
        time.sleep(0.02 * len(batch))
        return batch

    lane: Lane[int, int] = Lane("test", slow, 64, seconds=0.1)
    me = caller()
    me.result(lane.submit(me, 0))
    for answer in [lane.submit(me, number) for number in range(30)]:
        me.result(answer)
    assert 2 <= max(sizes[1:]) <= 5, "a tenth of a second for 20 ms each"
    lane.close()


def test_in_order_and_no_more_than_the_window_under_way() -> None:
    lane: Lane[int, int] = Lane("test", Doubling(), 4, workers=3)
    me, under_way, most = caller(), 0, 0

    def submit(number: int) -> Answer[int]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        return lane.submit(me, number)

    error = HilumError(ErrorCode.UNREADABLE_IMAGE, "bad")
    things: list[int | HilumError] = [*range(20), error, *range(20, 30)]
    answers: list[int | HilumError] = []
    for answer in me.in_order(submit, things, 5):
        under_way -= not isinstance(answer, HilumError)
        answers.append(answer)
    assert answers == [*range(0, 40, 2), error, *range(40, 60, 2)]
    assert most <= 5
    lane.close()


def test_several_workers_work_at_a_time() -> None:
    together = threading.Barrier(3)

    def meet(batch: list[int]) -> Sequence[int | HilumError]:
        together.wait(10)
        return batch

    lane: Lane[int, int] = Lane("test", meet, 1, workers=3)
    me = caller()
    assert [me.result(answer) for answer in [lane.submit(me, i) for i in range(6)]] == list(range(6))
    lane.close()


def test_an_idle_lane_holds_on_to_nothing_and_ends_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "_IDLE", 0.2)

    class Heavy:
        pass

    lane: Lane[Heavy, str] = Lane("quiet", lambda batch: ["done"] * len(batch), 4)
    me, heavy = caller(), Heavy()
    seen = weakref.ref(heavy)
    assert me.result(lane.submit(me, heavy)) == "done"
    del heavy
    until = time.monotonic() + 5
    while seen() is not None and time.monotonic() < until:
        gc.collect()
        time.sleep(0.01)
    assert seen() is None
    while any(t.name == "encode-quiet" for t in threading.enumerate()) and time.monotonic() < until:
        time.sleep(0.02)
    assert not any(t.name == "encode-quiet" for t in threading.enumerate())
    assert me.result(lane.submit(me, Heavy())) == "done", "and a new one comes when there is work"
    lane.close()


def test_closing_answers_who_waits(busy: tuple[Lane[int, int], Doubling]) -> None:
    lane, _ = busy
    me = caller()
    waiting = lane.submit(me, 1)
    lane.close()
    with pytest.raises(HilumError) as refused:
        me.result(waiting)
    assert refused.value.code is ErrorCode.CANCELLED
    with pytest.raises(HilumError):
        lane.submit(me, 2)


@pytest.mark.parametrize(("calls", "items", "size"), [(1, 3, 10), (1, 1, 101), (3, 0, 0)])
def test_room_is_bounded_in_calls_items_and_bytes(calls: int, items: int, size: int) -> None:
    room = Room(calls=3, items=4, size=110)
    with room.taken(2, 10), ExitStack() as more, pytest.raises(HilumError) as refused:
        for _ in range(calls):
            more.enter_context(room.taken(items, size))
    assert refused.value.code is ErrorCode.RESOURCE_EXHAUSTED
    with room.taken(4, 110):
        pass
