"""Which encoders this installation has: known by their manifests, loaded when first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from services.core.aligned import derived
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.logs import get_logger
from services.core.models import ModelSpec
from services.core.spelling import meant
from services.encoders import slices
from services.encoders.accelerate import accelerated
from services.encoders.base import Encoder
from services.encoders.bundled import CHECKPOINTS
from services.encoders.families import DERIVED, REMOTE
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
        damaged: Mapping[str, str] | None = None, look: Look | None = None,
    ) -> None:  # fmt: skip
        """threads: of one forward pass, for the whole process; 0 leaves the library's own choice.

        memory: bytes of weights that may be loaded together; 0 sets no bound.  default: what is used when nobody names
        a model; all when empty.  damaged: name → why it cannot be used.  look: for what is installed later.
        """
        self._offers = {n: offer if isinstance(offer, Offer) else Offer(offer) for n, offer in loaders.items()}
        self._threads = threads
        self._memory = Memory(memory)
        self._default = list(default) or list(self._offers)
        self.damaged = dict(damaged or {})
        self._look, self._looking = look, threading.Lock()

    @classmethod
    def open(cls, settings: Settings) -> Registry:
        """Those that ship with Hilum and those installed in ``settings.models_home``; ``HILUM_MODELS`` narrows them.

        Used where nobody names a model: the ones of HILUM_MODELS; else the installed ones, as whoever installs an
        encoder wants its vectors, but none that sends films elsewhere or follows from another; else the bundled ones.
        One that is installed later is found when it is asked for. Raises UNKNOWN_MODEL when HILUM_MODELS names what is
        not here.
        """
        own, added = scan(CHECKPOINTS), scan(settings.models_home)
        models = own.models | {name: model for name, model in added.models.items() if name not in own.models}
        damaged = added.damaged | own.damaged
        for name in damaged:
            log.warning("encoder.damaged", model=name)
        look = Look(settings)
        everything = cls({name: look.offer(model) for name, model in models.items()}, damaged=damaged)
        wanted = [name for name in settings.models if name not in damaged]
        apart = REMOTE | DERIVED
        house = [n for n, m in added.models.items() if n not in own.models and m.manifest.family not in apart]
        registry = cls(
            {name: everything.offer(name) for name in wanted} if settings.models else everything._offers,
            settings.threads, settings.models_memory,
            wanted if settings.models else house or list(own.models), damaged, look,
        )  # fmt: skip
        look.lend = registry.get
        return registry

    @classmethod
    def bundled(cls, threads: int = 0) -> Registry:
        """The encoders that ship with Hilum."""
        return cls({name: _offer(model) for name, model in scan(CHECKPOINTS).models.items()}, threads)

    def names(self) -> list[str]:
        """The encoders at hand, in the order they were registered."""
        self.refresh()
        return list(self._offers)

    def refresh(self) -> None:
        """Take up what was installed since the last look, by any process; costs no more than a look at the folder."""
        if self._look is None:
            return
        with self._looking:
            for name, offer in self._look.news().items():
                known = self._offers.get(name)
                if known is None or known.spec != offer.spec:
                    self._memory.forget(name)
                    self._offers = {**self._offers, name: offer}
                    self.damaged.pop(name, None)
                    log.info("encoder.found", model=name)

    def derived(self, spec: ModelSpec) -> list[str]:
        """Names of the encoders at hand whose vectors follow from those of `spec`."""
        self.refresh()
        return [n for n, offer in self._offers.items() if offer.spec and offer.spec.pooling.startswith(derived(spec))]

    def default_names(self) -> list[str]:
        """The encoders that are used when nobody names any."""
        return list(self._default)

    def offer(self, name: str) -> Offer:
        """Raises UNKNOWN_MODEL naming the encoders there are, and FAILED_PRECONDITION for a damaged one."""
        self.refresh()
        if name in self.damaged:
            raise HilumError(ErrorCode.FAILED_PRECONDITION, f"{name} cannot be used: {self.damaged[name]}")
        if name not in self._offers and (seen := slices.split(name)) and seen[0] in self._offers:
            return self._slices(*seen)
        if name not in self._offers:
            there = f"{meant(name, self._offers) or ';'} there are: {', '.join(self._offers)}{_advice(name)}"
            raise HilumError(ErrorCode.UNKNOWN_MODEL, f"no such encoder in this installation{there}")
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
        self.refresh()
        return {name: offer.spec or self.get(name).spec for name, offer in self._offers.items()}

    def _load(self, offer: Offer) -> Encoder:
        if self._threads:
            from services.encoders.runtime import set_threads

            set_threads(self._threads)
        return offer.load()


class Look:
    """At the folder of installed encoders, as settings say which of them may be used.

    lend: gives encoders to those that build on others, so that none is in memory twice.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._date = self._dated()
        self.lend: Callable[[str], Encoder] | None = None

    def offer(self, model: Installed) -> Offer:
        settings, load = self._settings, lambda: model.load(self.lend)
        return Offer(
            partial(accelerated, load, settings.device, settings.tuned), model.manifest.spec, model.manifest.found.bytes
        )

    def news(self) -> dict[str, Offer]:
        """What the folder holds, when anything in it was added or removed since the last look."""
        if (date := self._dated()) == self._date:
            return {}
        self._date = date
        found, own, wanted = scan(self._settings.models_home).models, scan(CHECKPOINTS).models, self._settings.models
        return {n: self.offer(model) for n, model in found.items() if n not in own and (not wanted or n in wanted)}

    def _dated(self) -> int:
        try:
            return self._settings.models_home.stat().st_mtime_ns
        except OSError:
            return 0


def _offer(model: Installed) -> Offer:
    return Offer(model.load, model.manifest.spec, model.manifest.found.bytes)


def _advice(name: str) -> str:
    from services.encoders.known import known

    return f"; `hilum models pull {name}` fetches this one" if name in known() else ""
