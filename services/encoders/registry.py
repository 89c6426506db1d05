"""Which encoders this installation has, loaded when first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from services.core.errors import ErrorCode, HilumError
from services.core.logs import get_logger
from services.core.models import ModelSpec
from services.encoders.base import Encoder

log = get_logger("encoders")

Loader = Callable[[], Encoder]


class Registry:
    """Encoders by name. Loading is lazy, happens once, and is safe between threads.

    Nothing heavy is imported until an encoder is asked for, so commands that need none start fast.
    """

    def __init__(self, loaders: Mapping[str, Loader], threads: int = 0) -> None:
        """threads: of one forward pass, for the whole process; 0 leaves the library's own choice."""
        self._loaders = dict(loaders)
        self._threads = threads
        self._loaded: dict[str, Encoder] = {}
        self._lock = threading.Lock()

    @classmethod
    def bundled(cls, only: Iterable[str] = (), threads: int = 0) -> Registry:
        """The encoders that ship with Hilum, or those of them named in `only`. Raises UNKNOWN_MODEL."""
        from services.encoders.bundled import LOADERS

        registry = cls(LOADERS, threads)
        return cls({name: registry.loader(name) for name in only}, threads) if only else registry

    def names(self) -> list[str]:
        """The encoders at hand, in the order they were registered."""
        return list(self._loaders)

    def loader(self, name: str) -> Loader:
        """Raises UNKNOWN_MODEL naming the encoders there are."""
        if name not in self._loaders:
            there = ", ".join(self._loaders)
            raise HilumError(ErrorCode.UNKNOWN_MODEL, f"no such encoder in this installation; there are: {there}")
        return self._loaders[name]

    def get(self, name: str) -> Encoder:
        """The encoder, loaded. Raises UNKNOWN_MODEL."""
        loader = self.loader(name)
        with self._lock:
            if name not in self._loaded:
                if self._threads:
                    from services.encoders.runtime import set_threads

                    set_threads(self._threads)
                self._loaded[name] = loader()
            return self._loaded[name]

    def warm(self) -> threading.Event:
        """Load every encoder in the background, so that no first question waits for it; the event says when it is done.

        One that cannot be loaded is logged and keeps none of the others from answering.
        """
        done = threading.Event()

        def load() -> None:
            for name in self._loaders:
                try:
                    self.get(name)
                except Exception as error:
                    log.exception("encoder.failed", error, model=name)
            done.set()

        threading.Thread(target=load, name="warm-up", daemon=True).start()
        return done

    def specs(self) -> dict[str, ModelSpec]:
        """Name → specification of every encoder at hand."""
        return {name: self.get(name).spec for name in self._loaders}
