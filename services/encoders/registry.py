"""Which encoders this installation has: known by their manifests, loaded when first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.logs import get_logger
from services.core.models import ModelSpec
from services.encoders import slices
from services.encoders.accelerate import accelerated
from services.encoders.base import Encoder
from services.encoders.bundled import CHECKPOINTS
from services.encoders.families import REMOTE
from services.encoders.installed import Installed, scan
from services.encoders.memory import Memory

log = get_logger("encoders")

Loader = Callable[[], Encoder]


@dataclass(frozen=True, slots=True)
class Offer:
    """One encoder that can be loaded. spec: what it will be, where that is known without loading.  size: bytes."""

    load: Loader
    spec: ModelSpec | None = None
    size: int = 0


class Registry:
    """Encoders by name. Loading is lazy, happens once, and is safe between threads; loading one keeps nobody from
    using another. Nothing heavy is imported until an encoder is asked for, so commands that need none start fast.
    """

    def __init__(
        self, loaders: Mapping[str, Loader | Offer], threads: int = 0, memory: int = 0, default: Sequence[str] = (),
        damaged: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """threads: of one forward pass, for the whole process; 0 leaves the library's own choice.

        memory: bytes of weights that may be loaded together; 0 sets no bound.  default: what is used when nobody names
        a model; all when empty.  damaged: name → why it cannot be used.
        """
        self._offers = {n: offer if isinstance(offer, Offer) else Offer(offer) for n, offer in loaders.items()}
        self._threads = threads
        self._memory = Memory(memory)
        self._default = list(default) or list(self._offers)
        self.damaged = dict(damaged or {})

    @classmethod
    def open(cls, settings: Settings) -> Registry:
        """Those that ship with Hilum and those installed in ``settings.models_home``; ``HILUM_MODELS`` narrows them.

        Used where nobody names a model: the ones of HILUM_MODELS; else the installed ones, as whoever installs an
        encoder wants its vectors, but none that sends films elsewhere; else the bundled ones. Raises UNKNOWN_MODEL when
        HILUM_MODELS names what is not here.
        """
        own, added = scan(CHECKPOINTS), scan(settings.models_home)
        models = own.models | {name: model for name, model in added.models.items() if name not in own.models}
        damaged = added.damaged | own.damaged
        for name in damaged:
            log.warning("encoder.damaged", model=name)
        everything = cls({name: _offer(model, settings) for name, model in models.items()}, damaged=damaged)
        wanted = [name for name in settings.models if name not in damaged]
        house = [n for n, m in added.models.items() if n not in own.models and m.manifest.family not in REMOTE]
        return cls(
            {name: everything.offer(name) for name in wanted} if settings.models else everything._offers,
            settings.threads, settings.models_memory,
            wanted if settings.models else house or list(own.models), damaged,
        )  # fmt: skip

    @classmethod
    def bundled(cls, threads: int = 0) -> Registry:
        """The encoders that ship with Hilum."""
        return cls({name: _offer(model) for name, model in scan(CHECKPOINTS).models.items()}, threads)

    def names(self) -> list[str]:
        """The encoders at hand, in the order they were registered."""
        return list(self._offers)

    def default_names(self) -> list[str]:
        """The encoders that are used when nobody names any."""
        return list(self._default)

    def offer(self, name: str) -> Offer:
        """Raises UNKNOWN_MODEL naming the encoders there are, and FAILED_PRECONDITION for a damaged one."""
        if name in self.damaged:
            raise HilumError(ErrorCode.FAILED_PRECONDITION, f"{name} cannot be used: {self.damaged[name]}")
        if name not in self._offers and (seen := slices.split(name)) and seen[0] in self._offers:
            return self._slices(*seen)
        if name not in self._offers:
            there = ", ".join(self._offers)
            raise HilumError(
                ErrorCode.UNKNOWN_MODEL, f"no such encoder in this installation; there are: {there}{_advice(name)}"
            )
        return self._offers[name]

    def _slices(self, model: str, window: str) -> Offer:
        """The same network, shared with its work on films, which its memory is counted for."""
        spec = self._offers[model].spec
        return Offer(
            lambda: slices.SliceEncoder(self.get(model), window), slices.seen_through(spec, window) if spec else None
        )

    @contextmanager
    def lease(self, name: str) -> Iterator[Encoder]:
        """The encoder, loaded, and kept in memory until the lease ends. Raises UNKNOWN_MODEL, and FAILED_PRECONDITION
        or RESOURCE_EXHAUSTED when it cannot be loaded."""
        offer = self.offer(name)
        with self._memory.lease(name, offer.size, lambda: self._load(offer)) as encoder:
            yield encoder

    def get(self, name: str) -> Encoder:
        """The encoder, loaded: `lease` for those who hold on to it themselves. Its memory counts until they let go."""
        with self.lease(name) as encoder:
            return encoder

    def loaded(self) -> dict[str, int]:
        """Name → bytes of weights, of the encoders that are in memory now."""
        return self._memory.sizes()

    def warm(self) -> threading.Event:
        """Load the default encoders in the background, so that no first question waits for them, as many as fit; the
        event says when it is done.

        One that cannot be loaded is logged and keeps none of the others from answering.
        """
        done = threading.Event()

        def load() -> None:
            room = self._memory.room
            for name in self._default:
                size = self._offers[name].size
                if self._memory.room and (room := room - size) < 0:
                    break
                try:
                    self.get(name)
                except Exception as error:
                    log.exception("encoder.failed", error, model=name)
            done.set()

        threading.Thread(target=load, name="warm-up", daemon=True).start()
        return done

    def specs(self) -> dict[str, ModelSpec]:
        """Name → specification of every encoder at hand; none is loaded whose manifest tells it."""
        return {name: offer.spec or self.get(name).spec for name, offer in self._offers.items()}

    def _load(self, offer: Offer) -> Encoder:
        if self._threads:
            from services.encoders.runtime import set_threads

            set_threads(self._threads)
        return offer.load()


def _offer(model: Installed, settings: Settings | None = None) -> Offer:
    load = partial(accelerated, model.load, settings.device, settings.tuned) if settings else model.load
    return Offer(load, model.manifest.spec, model.manifest.found.bytes)


def _advice(name: str) -> str:
    from services.encoders.known import known

    return f"; `hilum models pull {name}` fetches this one" if name in known() else ""
