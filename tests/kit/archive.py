"""A small archive to ask: films drawn for the test, encoded for real, stored in the engine, the facts and the blobs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.core.blobs import Blobs
from services.core.facts import Facts, images, models
from services.core.facts.images import Stored
from services.core.models import ModelSpec
from services.core.store import VectorStore, payload
from services.core.types import Film, ImageRecord
from services.encoders.registry import Registry
from services.ingest.decode_pool import DecodePool
from services.ingest.encode_api import EncodeApi
from services.transport.encode_client import EncodeClient
from tests.kit.places import PlacesEncoder
from tests.kit.records import make_record


@dataclass
class Archive:
    """Everything a query needs. `add` films, then `settle`: they are written in one go, as engines like it."""

    facts: Facts
    store: VectorStore
    blobs: Blobs
    encoders: Sequence[PlacesEncoder]
    _pending: list[_Pending] = field(default_factory=list)
    _written: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.pool = DecodePool(1)
        self.registry = Registry({encoder.spec.name: partial(_same, encoder) for encoder in self.encoders})
        self.encode_api = EncodeApi(self.facts, self.registry, self.pool)
        self.encode = EncodeClient.local(self.encode_api)

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

    def close(self) -> None:
        """End the decoder's children."""
        self.pool.close()

    def spec(self, name: str) -> ModelSpec:
        return next(encoder.spec for encoder in self.encoders if encoder.spec.name == name)


@dataclass(frozen=True)
class _Pending:
    record: ImageRecord
    shown: NDArray[np.uint8]
    data: bytes
    used: list[PlacesEncoder]
    torn: frozenset[str]
    commit: bool

    def stored(self, blobs: Blobs) -> Stored:
        marks = tuple(encoder.spec.fingerprint for encoder in self.used if encoder.spec.name not in self.torn)
        return Stored(self.record, blobs.put(self.data), marks)


def spot(row: float, column: float, size: int = 128) -> NDArray[np.uint8]:
    """(size, size) uint8: black with one soft bright spot at `row`, `column` in 0..1."""
    y, x = np.mgrid[0:size, 0:size] / size
    return (255 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 0.05)).astype(np.uint8)


def _same(encoder: PlacesEncoder) -> PlacesEncoder:
    return encoder


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
