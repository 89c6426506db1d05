"""An encoder as fast as this machine runs it, as long as its vectors stay what they are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from services.core.logs import get_logger
from services.encoders.base import Encoder

log = get_logger("encoders")

CHECKED_ON = 2  # films


def accelerated(load: Callable[[], Encoder], device: str = "auto", tuned: Path | None = None) -> Encoder:
    """The encoder on its device, on the path that `hilum models tune` has chosen there or, on an accelerator where
    nobody has, in half precision; in eager float32 where that path's vectors are others.

    load: gives the encoder anew each time.  tuned: where choices are kept.  Raises what `load` and
    ``services.encoders.device.choose`` raise.
    """
    encoder = load()
    if "services.encoders.network" not in sys.modules:  # it runs elsewhere, and torch is not even here
        return encoder

    from services.encoders import tuning
    from services.encoders.device import choose
    from services.encoders.network import TorchEncoder
    from services.encoders.paths import EAGER, defaults, probe, take

    if not isinstance(encoder, TorchEncoder):
        return encoder
    place = choose(device)
    encoder.move(place)
    name = encoder.spec.name
    chosen = tuning.kept(tuned, name, tuning.here(encoder.spec, place)) if tuned else None
    paths = [path for path in ([chosen] if chosen else defaults(place)) if path != EAGER]
    if not paths:
        return encoder
    films = [encoder.preprocess(film) for film in probe.probe_films(CHECKED_ON)]
    wanted = tuning.vectors(encoder, films)
    for path in paths:
        try:
            take(encoder, path)
            cosine = tuning.least_cosine(tuning.vectors(encoder, films), wanted)
        except Exception as error:
            log.exception("encoder.path_failed", error, model=name, kind=path)
        else:
            if cosine >= tuning.MIN_COSINE:
                log.info("encoder.path", model=name, kind=path)
                return encoder
            log.warning("encoder.path_refused", model=name, kind=path, reason=f"cosine {cosine:.4f}")
        del encoder  # what the path has changed goes with it
        encoder = load()
        assert isinstance(encoder, TorchEncoder)
        encoder.move(place)
    return encoder
