"""Loaded encoders within a bound."""

from __future__ import annotations

import gc
import random
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.core.errors import ErrorCode, HilumError
from services.encoders.base import Encoder
from services.encoders.memory import Memory, told
from tests.kit.encoders import TinyEncoder


def loader(name: str) -> Callable[[], Encoder]:
    return lambda: TinyEncoder(name)


def use(memory: Memory, name: str, size: int = 1) -> None:
    with memory.lease(name, size, loader(name)):
        pass


def test_the_one_used_longest_ago_leaves_first() -> None:
    memory = Memory(room=20)
    for name in ("a", "b", "a", "c"):
        use(memory, name, 10)
    assert memory.sizes() == {"a": 10, "c": 10}
    use(memory, "b", 20)
    assert memory.sizes() == {"b": 20}


def test_without_a_bound_nobody_leaves() -> None:
    memory = Memory()
    for name in ("a", "b", "c"):
        use(memory, name, 10**12)
    assert len(memory.sizes()) == 3


def test_what_leaves_is_gone_and_comes_back_by_loading() -> None:
    memory, loads = Memory(room=1), list[str]()

    def load() -> Encoder:
        loads.append("a")
        return TinyEncoder("a")

    with memory.lease("a", 1, load) as encoder:
        gone = weakref.ref(encoder)
    del encoder
    use(memory, "b")
    assert gone() is None
    with memory.lease("a", 1, load):
        assert loads == ["a", "a"]


def test_one_at_work_stays_and_the_next_waits_for_it() -> None:
    memory = Memory(room=1, patience=20)
    with ThreadPoolExecutor(1) as thread:
        with memory.lease("a", 1, loader("a")):
            waiting = thread.submit(use, memory, "b")
            time.sleep(0.2)
            assert memory.sizes() == {"a": 1} and not waiting.done()
        waiting.result(10)
    assert memory.sizes() == {"b": 1}


def test_who_waits_too_long_is_told_which_encoders_are_in_the_way() -> None:
    memory = Memory(room=1, patience=0.1)
    with memory.lease("a", 1, loader("a")), pytest.raises(HilumError) as refused:
        use(memory, "b")
    assert refused.value.code is ErrorCode.RESOURCE_EXHAUSTED
    assert "(a)" in refused.value.client_message and "HILUM_MODELS_MEMORY" in refused.value.client_message
    use(memory, "b")  # the refusal has left no promise behind


def test_what_never_fits_is_refused_at_once_and_costs_nobody_his_place() -> None:
    memory = Memory(room=10)
    use(memory, "a", 10)
    with pytest.raises(HilumError) as refused:
        use(memory, "b", 11)
    assert refused.value.code is ErrorCode.FAILED_PRECONDITION
    assert memory.sizes() == {"a": 10}


def test_what_somebody_holds_beyond_its_lease_counts_until_he_lets_go() -> None:
    memory = Memory(room=1, patience=0.1)
    with memory.lease("a", 1, loader("a")) as held:
        pass
    with pytest.raises(HilumError, match="no room"):
        use(memory, "b")
    assert memory.sizes() == {"a": 1}
    with memory.lease("a", 1, loader("a")) as again:
        assert again is held
    del held, again
    use(memory, "b")
    assert memory.sizes() == {"b": 1}


def test_a_failed_load_leaves_its_room_and_can_be_tried_again() -> None:
    memory = Memory(room=1)

    def fail() -> Encoder:
        raise HilumError(ErrorCode.FAILED_PRECONDITION, "it does not load")

    for _ in range(2):
        with pytest.raises(HilumError, match="does not load"), memory.lease("a", 1, fail):
            pass
    use(memory, "b")
    assert memory.sizes() == {"b": 1}


def test_loading_one_keeps_nobody_from_using_another_and_happens_once() -> None:
    memory, go, loads = Memory(), threading.Event(), list[str]()

    def slow() -> Encoder:
        loads.append("slow")
        assert go.wait(20)
        return TinyEncoder("slow")

    def ask() -> Encoder:
        with memory.lease("slow", 1, slow) as encoder:
            return encoder

    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(ask) for _ in range(4)]
        use(memory, "quick")
        assert not any(a.done() for a in asked)
        go.set()
        assert len({id(a.result(20)) for a in asked}) == 1
    assert loads == ["slow"]


def test_many_at_once_never_exceed_the_bound() -> None:
    alive, most, lock = 0, 0, threading.Lock()

    class Counted(TinyEncoder):
        def __init__(self, name: str) -> None:
            nonlocal alive, most
            super().__init__(name)
            with lock:
                alive += 1
                most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            with lock:
                alive -= 1

    memory = Memory(room=2, patience=30)

    def work(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(6):
            name = rng.choice("abcde")
            with memory.lease(name, 1, lambda n=name: Counted(n)) as encoder:
                assert encoder.spec.name == name
                time.sleep(rng.random() / 2000)
            del encoder

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(6)))
    gc.collect()
    assert most == 2 and alive <= 2 and sum(memory.sizes().values()) <= 2


@pytest.mark.parametrize(("size", "said"), [(0, "0 B"), (3_800_000, "4 MiB"), (7 * 2**30, "7.0 GiB")])
def test_bytes_are_told_for_people(size: int, said: str) -> None:
    assert told(size) == said
