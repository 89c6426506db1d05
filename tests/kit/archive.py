"""A small archive to ask: films drawn for the test, encoded for real, stored in the engine, the facts and the blobs."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from hilum.v1 import encode_pb2
from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, models
from services.core.facts.images import Stored
from services.core.models import ModelSpec
from services.core.store import VectorStore, payload
from services.core.types import Film, ImageRecord
from services.transport import errors
from services.transport.edge import Call
from services.transport.encode_client import EncodeClient
from tests.kit.encoders import TinyEncoder
from tests.kit.records import make_record


@dataclass
class Archive:
    """Everything a query needs. `add` films, then `settle`: they are written in one go, as engines like it."""

    facts: Facts
    store: VectorStore
    blobs: Blobs
    encoders: Sequence[TinyEncoder]
    _pending: list[_Pending] = field(default_factory=list)
    _written: set[str] = field(default_factory=set)

    @property
    def encode(self) -> EncodeClient:
        """The encoders by the messages of the Encode RPC."""
        return EncodeClient.local(EncodeApi(self.encoders))

    def open(self) -> None:
        """Make the encoders' collections, where they are missing, and let the facts know them."""
        there = set(self.store.collections())
        for encoder in self.encoders:
            if encoder.spec.collection not in there:
                self.store.ensure(encoder.spec)
            models.register(self.facts, encoder.spec)

    def add(
        self,
        key: str,
        picture: NDArray[np.uint8] | None = None,
        only: Sequence[str] = (),
        torn: Sequence[str] = (),
        commit: bool = True,
        **fields: Any,
    ) -> ImageRecord:
        """A film for `settle` to store. `only` names the models that hold it (default: all). `torn` names those that
        have its vector but whose ledger does not say so, and without `commit` no fact is written at all: what an
        ingest leaves that was killed in between."""
        shown = picture if picture is not None else spot(*_place(key))
        data = png(shown)
        record = make_record(key, **{"bytes_sha256": sha256(data).hexdigest(), **fields})
        used = [encoder for encoder in self.encoders if not only or encoder.spec.name in {*only, *torn}]
        self._pending.append(_Pending(record, shown, data, used, frozenset(torn), commit))
        return record

    def settle(self) -> None:
        """Store what was added as ingest does: vectors first, facts after."""
        for encoder in self.encoders:
            films = [item for item in self._pending if encoder in item.used]
            if films:
                vectors = encoder.encode_images(np.stack([encoder.preprocess(film(item.shown)) for item in films]))
                ids = [item.record.image_id for item in films]
                self.store.upsert(encoder.spec, ids, vectors, [payload(item.record) for item in films])
                self._written.update(ids)
        images.commit(self.facts, [item.stored(self.blobs) for item in self._pending if item.commit])
        self._pending.clear()

    def clear(self) -> None:
        """Take the vectors out of the engine again; collections stay, for they are slow to make."""
        for encoder in self.encoders:
            if self._written:
                self.store.delete(encoder.spec, sorted(self._written))

    def spec(self, name: str) -> ModelSpec:
        return next(encoder.spec for encoder in self.encoders if encoder.spec.name == name)


@dataclass(frozen=True)
class _Pending:
    record: ImageRecord
    shown: NDArray[np.uint8]
    data: bytes
    used: list[TinyEncoder]
    torn: frozenset[str]
    commit: bool

    def stored(self, blobs: Blobs) -> Stored:
        marks = tuple(encoder.spec.fingerprint for encoder in self.used if encoder.spec.name not in self.torn)
        return Stored(self.record, blobs.put(self.data), marks)


def spot(row: float, column: float, size: int = 64) -> NDArray[np.uint8]:
    """(size, size) uint8: black with one soft bright spot at `row`, `column` in 0..1."""
    y, x = np.mgrid[0:size, 0:size] / size
    return (255 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 0.05)).astype(np.uint8)


def film(display: NDArray[np.uint8]) -> Film:
    """A decoded film of these pixels."""
    return Film(display, display.astype(np.uint16) * 257)


def png(picture: NDArray[np.uint8]) -> bytes:
    """The picture as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def _place(key: str) -> tuple[float, float]:
    row, column = np.random.default_rng(int(sha256(key.encode()).hexdigest()[:8], 16)).random(2)
    return float(row), float(column)


class EncodeApi:
    """hilum.v1.EncodeService over tiny encoders, for PNG files."""

    def __init__(self, encoders: Sequence[TinyEncoder]) -> None:
        self._encoders: Mapping[str, TinyEncoder] = {encoder.spec.name: encoder for encoder in encoders}

    def encode_texts(self, request: encode_pb2.EncodeTextsRequest, call: Call) -> encode_pb2.EncodeResponse:
        encoder = self._encoder(request.model)
        return self._answer(encoder, [_result(vector) for vector in encoder.encode_texts(request.texts)])

    def encode_images(self, request: encode_pb2.EncodeImagesRequest, call: Call) -> encode_pb2.EncodeResponse:
        encoder = self._encoder(request.model)
        return self._answer(encoder, [self._image(encoder, data) for data in request.images])

    def list_models(self, request: encode_pb2.ListModelsRequest, call: Call) -> encode_pb2.ListModelsResponse:
        return encode_pb2.ListModelsResponse(models=[_model(encoder.spec) for encoder in self._encoders.values()])

    def _encoder(self, name: str) -> TinyEncoder:
        if name not in self._encoders:
            raise HilumError(ErrorCode.UNKNOWN_MODEL, "no such encoder here")
        return self._encoders[name]

    def _image(self, encoder: TinyEncoder, data: bytes) -> encode_pb2.EncodeResult:
        try:
            picture = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
        except UnidentifiedImageError:
            error = HilumError(ErrorCode.UNREADABLE_IMAGE, "this file is no picture that can be read")
            return encode_pb2.EncodeResult(error=errors.message(error))
        return _result(encoder.encode_images(encoder.preprocess(film(picture))[None])[0])

    def _answer(self, encoder: TinyEncoder, results: list[encode_pb2.EncodeResult]) -> encode_pb2.EncodeResponse:
        return encode_pb2.EncodeResponse(model=_model(encoder.spec), results=results)


def _model(spec: ModelSpec) -> encode_pb2.Model:
    return encode_pb2.Model(
        name=spec.name, fingerprint=spec.fingerprint, collection=spec.collection, dim=spec.dim,
        text=spec.text_space is not None, available=True,
    )  # fmt: skip


def _result(vector: NDArray[np.float32]) -> encode_pb2.EncodeResult:
    return encode_pb2.EncodeResult(vector=encode_pb2.Vector(values=vector.tolist()))
