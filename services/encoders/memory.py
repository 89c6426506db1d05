"""Loaded encoders within a bound: the one used longest ago leaves first, and none that is at work."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from services.core.errors import ErrorCode, HilumError
from services.encoders.base import Encoder

PATIENCE = 10.0  # seconds that a caller waits for encoders at work to leave room
_LOOK = 0.05


@dataclass(slots=True)
class _Slot:
    """One encoder's place. loading: held while it is made, by those who want this one and by nobody else.

    alive: what was let go is counted for as long as somebody still holds it.
    """

    loading: threading.Lock = field(default_factory=threading.Lock)
    encoder: Encoder | None = None
    alive: Callable[[], Encoder | None] = lambda: None
    users: int = 0
    used: float = 0.0
    size: int = 0
    promised: bool = False

    @property
    def taken(self) -> int:
        return self.size if self.promised or self.encoder is not None or self.alive() is not None else 0


class Memory:
    """Encoders by name, each loaded once. room: bytes of weights that may be loaded together; 0 sets no bound."""

    def __init__(self, room: int = 0, patience: float = PATIENCE) -> None:
        self.room = room
        self._patience = patience
        self._slots: dict[str, _Slot] = {}
        self._freed = threading.Condition()

    @contextmanager
    def lease(self, name: str, size: int, load: Callable[[], Encoder]) -> Iterator[Encoder]:
        """The encoder, which stays loaded until the lease ends.

        Raises what `load` raises; FAILED_PRECONDITION when it could never fit; RESOURCE_EXHAUSTED when those at work
        leave no room in time.
        """
        with self._freed:
            slot = self._slots.setdefault(name, _Slot())
            slot.users += 1
        try:
            with slot.loading:
                encoder = slot.encoder or slot.alive() or self._loaded(name, slot, size, load)
                slot.encoder = encoder
            yield encoder
        finally:
            with self._freed:
                slot.users -= 1
                slot.used = time.monotonic()
                self._freed.notify_all()

    def forget(self, name: str) -> None:
        """Another encoder has this name from now on; who is at work with the former keeps it for that."""
        with self._freed:
            self._slots.pop(name, None)

    def sizes(self) -> dict[str, int]:
        """Name → bytes of what is in memory now."""
        with self._freed:
            return {name: slot.taken for name, slot in self._slots.items() if slot.taken or slot.encoder is not None}

    def _loaded(self, name: str, slot: _Slot, size: int, load: Callable[[], Encoder]) -> Encoder:
        self._make_room(name, slot, size)
        try:
            encoder = load()
            slot.alive = _reference(encoder)
            slot.encoder = encoder
            return encoder
        finally:
            slot.promised = False

    def _make_room(self, name: str, slot: _Slot, size: int) -> None:
        """Promise the room, so that two who load at once cannot both take it."""
        if self.room and size > self.room:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                f"{name} needs {told(size)}, more than HILUM_MODELS_MEMORY allows ({told(self.room)}); raise it",
            )
        deadline = time.monotonic() + self._patience
        with self._freed:
            while self.room and self._taken() + size > self.room:
                if self._let_go():
                    continue
                if time.monotonic() > deadline:
                    busy = ", ".join(sorted(n for n, other in self._slots.items() if other.taken))
                    raise HilumError(
                        ErrorCode.RESOURCE_EXHAUSTED,
                        f"{name} finds no room beside the encoders at work ({busy}); try again shortly, name fewer "
                        "models, or raise HILUM_MODELS_MEMORY",
                    )
                self._freed.wait(_LOOK)
            slot.size, slot.promised = size, True

    def _taken(self) -> int:
        return sum(slot.taken for slot in self._slots.values())

    def _let_go(self) -> bool:
        """Drop the idle encoder used longest ago."""
        idle = [slot for slot in self._slots.values() if slot.encoder is not None and not slot.users]
        if not idle:
            return False
        min(idle, key=lambda slot: slot.used).encoder = None
        gc.collect()  # networks may hold themselves in circles
        return True


def told(size: int) -> str:
    """Bytes for people: ``346 MiB``."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024  # type: ignore[assignment]
    return f"{size:.1f} GiB"


def _reference(encoder: Encoder) -> Callable[[], Encoder | None]:
    try:
        return weakref.ref(encoder)
    except TypeError:  # a class with slots: it counts for as long as it is kept here
        return lambda: None
