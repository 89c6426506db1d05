"""Where in a film a model sees what is asked for: the Encode service's Explain.

``services.encoders.saliency`` says how. Nothing of it is stored.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hilum.v1 import common_pb2, encode_pb2, saliency_pb2
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import now
from services.encoders.base import Encoder, Frame, Prepared, SeesPatches
from services.encoders.saliency import CELLS, Grid, Vector, apart, by_hiding, by_patches, place, similarity, strength
from services.encoders.slices import layout_of
from services.ingest.callers import Caller
from services.ingest.decode_pool import DecodePool
from services.ingest.encode_lanes import EncodeLanes
from services.ingest.overlay import layer, over, png
from services.ingest.reasons import BadFilm
from services.transport.edge import Call
from services.transport.vectors import from_message

ASKED_PER_MAP = CELLS**2 + 1  # films that an encoder sees for a map by hiding
_LARGE = 256  # pixels: networks that take more are too slow on a processor to be asked 65 times


class Method(StrEnum):
    HIDING = "hiding"
    GRADIENT = "gradient"
    PATCHES = "patches"


UNITS = {
    Method.HIDING: "cosine that is lost when the place is covered",
    Method.GRADIENT: "cosine that the place adds to that of a flat grey film",
    Method.PATCHES: "cosine of the place's own vector with what was asked",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A film as the model takes it, its picture to draw on, what the network sees of it, and its vector."""

    film: Prepared
    picture: NDArray[np.uint8]
    area: Frame  # in fractions of the film
    vector: Vector


class Explainer:
    """Makes maps. Safe to share between threads; one gradient is computed at a time, for it is large in memory."""

    def __init__(self, pool: DecodePool, lanes: EncodeLanes) -> None:
        self._pool, self._lanes = pool, lanes
        self._one = threading.Lock()

    def __call__(
        self, encoder: Encoder, request: encode_pb2.ExplainRequest, caller: Caller, call: Call
    ) -> saliency_pb2.Explanation:
        """One map of the film, or one of either film. Raises INVALID_ARGUMENT, UNREADABLE_IMAGE and
        FAILED_PRECONDITION for what the model cannot do."""
        started, stamp = time.perf_counter(), now()
        seen = [self._seen(encoder, caller, request.image)]
        if request.WhichOneof("with") == "other_image":
            seen.append(self._seen(encoder, caller, request.other_image))
        targets = self._targets(encoder, caller, request, seen)
        less = _fitting(encoder, from_message(request.less)) if request.HasField("less") else 0.0
        method = _method(encoder, request, seen[0].film)
        if method is Method.PATCHES:
            grids = _by_patches(encoder, seen, targets)
        else:
            make = self._hiding(encoder, caller) if method is Method.HIDING else self._gradient(encoder, call)
            grids = [make(film.film, target - less) for film, target in zip(seen, targets, strict=True)]
        return saliency_pb2.Explanation(
            maps=[_map(grid, film) for grid, film in zip(grids, seen, strict=True)],
            method=method,
            unit=UNITS[method],
            similarity=float(similarity(seen[0].vector[None], targets[0])[0]),
            provenance=common_pb2.Provenance(
                models=[_used(encoder)], versions={"hilum": version("hilum"), "numpy": np.__version__}, time=stamp,
                elapsed_ms=(time.perf_counter() - started) * 1000, notes=_notes(grids),
            ),
        )  # fmt: skip

    def _seen(self, encoder: Encoder, caller: Caller, data: bytes) -> Seen:
        if not data:
            raise invalid("the film is empty; send the bytes of a DICOM, PNG or JPEG file")
        try:
            decoded = self._pool.decode(data, layout_of(encoder))
        except BadFilm as error:
            raise HilumError(ErrorCode.UNREADABLE_IMAGE, error.reason.message) from None
        film = encoder.preprocess(decoded.film)
        picture = np.asarray(Image.open(BytesIO(decoded.thumbnail)).convert("L"))
        height, width = decoded.film.display.shape
        frame = encoder.frame(height, width) if isinstance(encoder, SeesPatches) else Frame(0, 0, height, width)
        area = Frame(frame.top / height, frame.left / width, frame.height / height, frame.width / width)
        return Seen(film, picture, area, _sole(self._lanes.prepared(caller, encoder, [film])))

    def _targets(
        self, encoder: Encoder, caller: Caller, request: encode_pb2.ExplainRequest, seen: Sequence[Seen]
    ) -> list[Vector]:
        """For each film, the vector that it is held against."""
        match request.WhichOneof("with"):
            case "text":
                return [_sole(self._lanes.texts(caller, encoder, [request.text]))]
            case "other_image":
                return [seen[1].vector, seen[0].vector]
            case "vector":
                return [_fitting(encoder, from_message(request.vector))]
            case _:
                raise invalid("say what to look for in the film: one of text, other_image or vector")

    def _hiding(self, encoder: Encoder, caller: Caller) -> Callable[[Prepared, Vector], Grid]:
        def encode(films: Sequence[Prepared]) -> Vector:
            return np.stack([_sole([one]) for one in self._lanes.prepared(caller, encoder, films)])

        return lambda film, target: by_hiding(encode, film, target)

    def _gradient(self, encoder: Encoder, call: Call) -> Callable[[Prepared, Vector], Grid]:
        from services.encoders.gradient import by_gradient

        def make(film: Prepared, target: Vector) -> Grid:
            if not self._one.acquire(timeout=call.time_left()):
                raise HilumError(ErrorCode.RESOURCE_EXHAUSTED, "other maps are being made; try again shortly")
            try:
                return by_gradient(encoder, film, target)
            finally:
                self._one.release()

        return make


def _method(encoder: Encoder, request: encode_pb2.ExplainRequest, film: Prepared) -> Method:
    if request.method:
        if request.method not in set(Method):
            raise invalid(f"method is one of {', '.join(Method)}")
        return Method(request.method)
    return Method.GRADIENT if film.shape[-1] > _LARGE and _differentiable(encoder) else Method.HIDING


def _differentiable(encoder: Encoder) -> bool:
    from services.encoders.network import TorchEncoder

    return isinstance(encoder, TorchEncoder)


def _by_patches(encoder: Encoder, seen: Sequence[Seen], targets: Sequence[Vector]) -> list[Grid]:
    """Two films' places against each other's, or one film's against a vector that lies in their space."""
    if not isinstance(encoder, SeesPatches):
        raise HilumError(ErrorCode.FAILED_PRECONDITION, f"{encoder.spec.name} has no local vectors; use another method")
    patches = encoder.encode_patches([film.film for film in seen])
    if len(seen) == 2:
        one, other = apart(*patches.grid)
        return [by_patches(one, other.reshape(-1, one.shape[-1])), by_patches(other, one.reshape(-1, one.shape[-1]))]
    if not patches.reads_text:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION, f"{encoder.spec.name}'s local vectors read no words; use another method"
        )
    return [by_patches(patches.grid[0], np.atleast_2d(targets[0]))]


def _map(grid: Grid, seen: Seen) -> saliency_pb2.SaliencyMap:
    values, (height, width), area = strength(grid), seen.picture.shape, seen.area
    on_picture = Frame(area.top * height, area.left * width, area.height * height, area.width * width)
    coloured = layer(place(values, on_picture, height, width))
    return saliency_pb2.SaliencyMap(
        height=grid.shape[0], width=grid.shape[1], values=values.ravel(), low=float(grid.min()), high=float(grid.max()),
        area=saliency_pb2.Area(top=area.top, left=area.left, height=area.height, width=area.width),
        overlay=common_pb2.Blob(content_type="image/png", data=png(over(seen.picture, coloured))),
        layer=common_pb2.Blob(content_type="image/png", data=png(coloured)),
    )  # fmt: skip


def _notes(grids: Sequence[Grid]) -> list[str]:
    notes = ["a map shows what changes this model's similarity; it is no explanation of a disease, and no measurement"]
    if any(grid.max() <= 0 for grid in grids):
        notes.append("no place of the film speaks for what was asked")
    return notes


def _fitting(encoder: Encoder, vector: Vector) -> Vector:
    spec = encoder.spec
    if vector.shape[-1:] != (spec.dim,) or not np.isfinite(vector).all() or not vector.any():
        raise invalid(f"{spec.name} has vectors of {spec.dim} finite numbers, not all of them zero; send one of those")
    return vector


def _sole(vectors: Sequence[Vector | HilumError]) -> Vector:
    [vector] = vectors
    if isinstance(vector, HilumError):
        raise vector
    return vector


def _used(encoder: Encoder) -> common_pb2.ModelUse:
    spec = encoder.spec
    return common_pb2.ModelUse(name=spec.name, fingerprint=spec.fingerprint, collection=spec.collection)
