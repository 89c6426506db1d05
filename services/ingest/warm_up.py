"""Everything that a first question would wait for, done before the service says that it is ready."""

from __future__ import annotations

import io
import threading

import numpy as np
from PIL import Image

from hilum.v1 import encode_pb2
from services.core.logs import get_logger
from services.encoders.registry import Registry
from services.ingest.encode_api import EncodeApi
from services.transport.edge import Call

log = get_logger("ingest")


def warm_up(registry: Registry, api: EncodeApi, decoders: int) -> threading.Event:
    """Load the default encoders, as many as fit, and send a film and a text through each, in the background: decoders
    start, and a network's first pass, which is slow, is done. The event says when.

    An encoder that fails is logged and keeps none of the others from answering.
    """
    loaded, done = registry.warm(), threading.Event()
    film, call = _film(), Call("warm-up")

    def run() -> None:
        loaded.wait()
        specs = registry.specs()
        for name in registry.loaded():
            try:
                api.encode_images(encode_pb2.EncodeImagesRequest(model=name, images=[film] * decoders), call)
                if specs[name].text_space is not None:
                    api.encode_texts(encode_pb2.EncodeTextsRequest(model=name, texts=["chest x-ray"]), call)
            except Exception as error:
                log.exception("encoder.failed", error, model=name)
        done.set()

    threading.Thread(target=run, name="warm-up", daemon=True).start()
    return done


def _film() -> bytes:
    """A small grey ramp as a PNG file."""
    out = io.BytesIO()
    Image.fromarray(np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()
