"""Running stages beside each other, with bounded queues between them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_Waiting = queue.Queue[tuple[object, BaseException | None]]  # an item, or the error that came instead of it
_END = object()


def prefetch(items: Iterable[T], depth: int = 1) -> Iterator[T]:
    """Draw `items` in a thread of its own, at most `depth` ahead. Errors arrive in their place; closing ends it."""
    for ready in gathered(items, depth):
        yield from ready


def gathered(items: Iterable[T], depth: int) -> Iterator[list[T]]:
    """The same, but each time all that is ready: a stage whose cost is by the call catches up by larger calls."""
    waiting: _Waiting = queue.Queue(depth)
    closed = threading.Event()
    thread = threading.Thread(target=_draw, args=(items, waiting, closed), name="ingest-stage", daemon=True)
    thread.start()
    try:
        while True:
            ready = [waiting.get()]
            while not waiting.empty():
                ready.append(waiting.get())
            good = [item for item, error in ready if item is not _END and error is None]
            if good:
                yield good  # type: ignore[misc]
            last, error = ready[-1]
            if error is not None:
                raise error
            if last is _END:
                return
    finally:
        closed.set()
        thread.join()


def _draw(items: Iterable[T], waiting: _Waiting, closed: threading.Event) -> None:
    def put(item: object, error: BaseException | None = None) -> None:
        while not closed.is_set():
            try:
                waiting.put((item, error), timeout=0.1)
                return
            except queue.Full:
                continue

    iterator = iter(items)
    try:
        for item in iterator:
            put(item)
            if closed.is_set():
                return
        put(_END)
    except BaseException as error:  # it belongs to whoever takes the items
        put(_END, error)
    finally:
        if hasattr(iterator, "close"):
            iterator.close()
