"""Who asks, whether anybody still waits, and how much may wait at a time."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import TypeVar

from services.core.errors import ErrorCode, HilumError
from services.transport import metrics
from services.transport.edge import Call

_LOOK = 0.25  # seconds between looks whether the caller is still there

T = TypeVar("T")
R = TypeVar("R")
Answer = Future[R | HilumError]


class Caller:
    """One request, as lanes see it: whose turn it is, and whether anybody still waits."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._until = None if call.deadline is None else time.monotonic() + call.time_left()

    def over(self) -> HilumError | None:
        """Why no more should be done for it, or None."""
        if self._call.cancelled():
            return HilumError(ErrorCode.CANCELLED, "the client left")
        if self._until is not None and time.monotonic() >= self._until:
            return HilumError(
                ErrorCode.DEADLINE_EXCEEDED, "there was not enough time; send less at once, or allow the call longer"
            )
        return None

    def result(self, answer: Answer[R]) -> R | HilumError:
        """The answer, once it is there. Raises CANCELLED or DEADLINE_EXCEEDED when the caller waits no longer."""
        while not answer.done():
            left = _LOOK if self._until is None else min(_LOOK, max(self._until - time.monotonic(), 0))
            wait([answer], left)
            if not answer.done() and (why := self.over()):
                raise why
        return answer.result()

    def in_order(
        self, submit: Callable[[T], Answer[R]], things: Iterable[T | HilumError], window: int
    ) -> Iterator[R | HilumError]:
        """The answers to `things`, at most `window` of them under way at a time; errors among them pass through."""
        under_way: deque[Answer[R]] = deque()
        for thing in things:
            if len(under_way) == window:
                yield self.result(under_way.popleft())
            under_way.append(settled(thing) if isinstance(thing, HilumError) else submit(thing))
        while under_way:
            yield self.result(under_way.popleft())


class Room:
    """How much may wait at a time, over all lanes. What exceeds it is refused at once, never queued."""

    def __init__(self, calls: int, items: int, size: int) -> None:
        """calls: requests, each of which keeps a thread of a server.  size: bytes."""
        self._left = (calls, items, size)
        self._lock = threading.Lock()

    @contextmanager
    def taken(self, items: int, size: int) -> Iterator[None]:
        """A place for one request of so many items and bytes. Raises RESOURCE_EXHAUSTED."""
        self._take(1, items, size)
        try:
            yield
        finally:
            self._take(-1, -items, -size)

    def _take(self, *wanted: int) -> None:
        with self._lock:
            left = tuple(there - needed for there, needed in zip(self._left, wanted, strict=True))
            if wanted[0] > 0 and min(left) < 0:
                raise HilumError(
                    ErrorCode.RESOURCE_EXHAUSTED, "too many films and texts are waiting; try again shortly"
                )
            self._left = left
        metrics.ENCODE_WAITING.inc(wanted[1])


def settled(result: R | HilumError) -> Answer[R]:
    """An answer that is there already."""
    answer: Answer[R] = Future()
    answer.set_result(result)
    return answer
