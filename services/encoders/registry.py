"""Which encoders this installation has, loaded when first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from services.core.errors import ErrorCode, HilumError
from services.core.models import ModelSpec
from services.encoders.base import Encoder

Loader = Callable[[], Encoder]


class Registry:
    """Encoders by name. Loading is lazy, happens once, and is safe between threads.

    Nothing heavy is imported until an encoder is asked for, so commands that need none start fast.
    """

    def __init__(self, loaders: Mapping[str, Loader]) -> None:
        self._loaders = dict(loaders)
        self._loaded: dict[str, Encoder] = {}
        self._lock = threading.Lock()

    @classmethod
    def bundled(cls, only: Iterable[str] = ()) -> Registry:
        """The encoders that ship with Hilum, or those of them named in `only`. Raises UNKNOWN_MODEL."""
        from services.encoders.bundled import LOADERS

        registry = cls(LOADERS)
        return cls({name: registry.loader(name) for name in only}) if only else registry

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
                self._loaded[name] = loader()
            return self._loaded[name]

    def specs(self) -> dict[str, ModelSpec]:
        """Name → specification of every encoder at hand."""
        return {name: self.get(name).spec for name in self._loaders}
