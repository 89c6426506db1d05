"""Work of many callers in shared batches: fair, bounded, and dropped as soon as nobody waits for it.

A `Lane` runs one function. While it is at one batch, what comes in meanwhile gathers for the next, callers taking turns
item by item, so that a request of hundreds cannot keep a single one waiting for longer than the batch under way. An
idle lane starts at once with what there is.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from services.core.errors import ErrorCode, HilumError
from services.core.logs import get_logger
from services.ingest.callers import Answer, Caller
from services.transport import errors, metrics

log = get_logger("ingest")

LINGER = 0.003  # seconds that a busy lane waits for callers just answered to ask again
_IDLE = 10.0  # seconds until a thread without work ends

T = TypeVar("T")
R = TypeVar("R")


class Lane(Generic[T, R]):
    """`run` on batches of at most `most` items, on up to `workers` threads that exist only while there is work.

    run: a batch → one answer per item, in order.  seconds: what a batch may last; its length is adapted to the items'
    measured pace.  A batch whose `run` fails answers its callers with INTERNAL, and the lane goes on.
    """

    def __init__(
        self, name: str, run: Callable[[list[T]], Sequence[R | HilumError]], most: int, workers: int = 1,
        seconds: float = float("inf"),
    ) -> None:  # fmt: skip
        self._name, self._run, self._most, self._workers, self._seconds = name, run, most, workers, seconds
        self._waiting: OrderedDict[Caller, deque[tuple[T, Answer[R]]]] = OrderedDict()
        self._count = self._threads = self._idle = 0
        self._pace = 0.0  # seconds per item
        self._closed = False
        self._change = threading.Condition()

    def submit(self, caller: Caller, thing: T) -> Answer[R]:
        """Queue one item of a caller's. It is dropped, with the caller's reason, if he leaves before its turn."""
        answer: Answer[R] = Future()
        with self._change:
            if self._closed:
                raise _stopping()
            self._waiting.setdefault(caller, deque()).append((thing, answer))
            self._count += 1
            if self._count > self._idle and self._threads < self._workers:
                self._threads += 1
                threading.Thread(target=self._work, name=f"encode-{self._name}", daemon=True).start()
            self._change.notify()
        return answer

    def forget(self, caller: Caller) -> None:
        """Drop what a caller still has waiting."""
        with self._change:
            self._drop(self._waiting.pop(caller, deque()), HilumError(ErrorCode.CANCELLED, "the client left"))

    def close(self) -> None:
        """End the threads; what waits gets CANCELLED."""
        with self._change:
            self._closed = True
            for items in self._waiting.values():
                self._drop(items, _stopping())
            self._waiting.clear()
            self._change.notify_all()

    def _work(self) -> None:
        size = 0
        while (size := self._turn(size)) is not None:
            pass

    def _turn(self, last: int) -> int | None:
        """One batch after one of `last` items; its size, or None when this thread is not needed any more.

        Nothing of a batch outlives its turn: an idle lane must hold on to no encoder.
        """
        with self._change:
            if last > 1:
                self._change.wait_for(lambda: self._count >= min(last, self._length()) or self._closed, LINGER)
            self._idle += 1
            there = self._change.wait_for(lambda: self._count > 0 or self._closed, _IDLE)
            self._idle -= 1
            if not there or self._closed:
                self._threads -= 1
                return None
            batch = self._take()
        if batch:
            self._do(batch)
        return len(batch)

    def _take(self) -> list[tuple[T, Answer[R]]]:
        """The next batch, one item of each caller in turn. Callers that wait no longer lose theirs."""
        batch: list[tuple[T, Answer[R]]] = []
        length = self._length()
        while self._waiting and len(batch) < length:
            caller, items = self._waiting.popitem(last=False)
            if why := caller.over():
                self._drop(items, why)
                continue
            batch.append(items.popleft())
            self._count -= 1
            if items:
                self._waiting[caller] = items
        return batch

    def _length(self) -> int:
        return max(1, int(min(self._most, self._seconds / self._pace))) if self._pace else self._most

    def _do(self, batch: list[tuple[T, Answer[R]]]) -> None:
        started = time.perf_counter()
        try:
            results = self._run([thing for thing, _ in batch])
            if len(results) != len(batch):
                raise ValueError("a batch has another number of answers than of items")
        except HilumError as error:
            results = [error] * len(batch)
        except BaseException as error:
            log.exception("encode.failed", error, kind=self._name, count=len(batch))
            results = [errors.unexpected()] * len(batch)
        pace = (time.perf_counter() - started) / len(batch)
        self._pace = (self._pace + pace) / 2 if self._pace else pace
        metrics.ENCODE_BATCH.labels(self._name).observe(len(batch))
        for (_, answer), result in zip(batch, results, strict=True):
            answer.set_result(result)

    def _drop(self, items: deque[tuple[T, Answer[R]]], why: HilumError) -> None:
        self._count -= len(items)
        metrics.ENCODE_DROPPED.inc(len(items))
        for _, answer in items:
            answer.set_exception(why)


def _stopping() -> HilumError:
    return HilumError(ErrorCode.CANCELLED, "the service is stopping; try again")
