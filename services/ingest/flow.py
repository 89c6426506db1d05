"""Running stages beside each other, with bounded queues between them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_END = object()


def prefetch(items: Iterable[T], depth: int = 1) -> Iterator[T]:
    """Draw `items` in a thread of its own, at most `depth` ahead. Errors arrive in their place; closing stops the thread."""
    ready: queue.Queue[tuple[object, BaseException | None]] = queue.Queue(depth)
    closed = threading.Event()

    def put(item: object, error: BaseException | None = None) -> None:
        while not closed.is_set():
            try:
                ready.put((item, error), timeout=0.1)
                return
            except queue.Full:
                continue

    def draw() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                put(item)
                if closed.is_set():
                    return
            put(_END)
        except BaseException as error:
            put(_END, error)
        finally:
            if hasattr(iterator, "close"):
                iterator.close()

    thread = threading.Thread(target=draw, name="ingest-stage", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item  # type: ignore[misc]
    finally:
        closed.set()
        thread.join()
