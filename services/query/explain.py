"""Where in a stored film a model sees what was asked: the Encode service's answer for the pictures that are kept.

explain = Explain(facts, store, encode, images)
explanation = explain("5f0c…", Words("large left pleural effusion"))
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import select

from hilum.v1 import encode_pb2, saliency_pb2
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts
from services.core.facts import models as known
from services.core.facts.schema import images as table
from services.core.models import ModelSpec
from services.core.store import VectorStore
from services.query import models
from services.query.asked import By, RawVector, SearchQuery, StoredFilm, UploadedFilm, Words
from services.query.images import NO_PICTURE, Images
from services.transport.encode_client import EncodeClient
from services.transport.vectors import to_message

_SAMPLE = 256  # films whose mean stands for what any film of the archive has
_FEWEST = 16  # with fewer, the mean would be the two films themselves
_KEPT_SECONDS = 600.0  # a mean of so many films hardly changes


@dataclass(frozen=True, slots=True)
class _Mean:
    vector: NDArray[np.float32]
    films: int
    until: float


class Explain:
    """Safe to share between threads."""

    def __init__(self, facts: Facts, store: VectorStore, encode: EncodeClient, images: Images) -> None:
        self._facts, self._store, self._encode, self._images = facts, store, encode, images
        self._means: dict[str, _Mean] = {}
        self._lock = threading.Lock()

    def __call__(self, image_id: str, by: By, model: str = "", method: str = "") -> saliency_pb2.Explanation:
        """A map of the film, and one of the film it is compared with. Raises NOT_FOUND and what a search raises.

        Two films share most of what they show, so the mean of the archive's vectors is subtracted from both first.
        """
        record = self._images.get(image_id).record
        query = SearchQuery(by=by, models=(model,) if model else ())
        spec = models.choose(known.active(self._facts), self._facts, self._encode, query)[0]
        film = self._kept(image_id)
        request = encode_pb2.ExplainRequest(model=spec.name, image=_png(film), method=method)
        mean = None
        match by:
            case Words(text):
                request.text = text
            case RawVector(values):
                request.vector.CopyFrom(to_message(values))
            case StoredFilm(other):
                request.other_image, mean = _png(self._kept(other)), self._mean(spec)
            case UploadedFilm(data):
                request.other_image, mean = data, self._mean(spec)
        if mean:
            request.less.CopyFrom(to_message(mean.vector))
        answer = self._encode.explain(request, spec.fingerprint)
        if mean:
            answer.provenance.notes.append(f"the mean vector of {mean.films} films of this archive was subtracted")
        answer.provenance.notes.append(
            f"made from the kept picture of {film.width} × {film.height} pixels; the film has "
            f"{record.columns} × {record.rows}"
        )
        return answer

    def _kept(self, image_id: str) -> Image.Image:
        picture = self._images.picture(image_id)
        if picture is NO_PICTURE:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION, "no picture of this film is kept: its vectors came ready made"
            )
        return Image.open(BytesIO(picture.data)).convert("L")

    def _mean(self, spec: ModelSpec) -> _Mean | None:
        """Of films that the model holds; None where those are too few. Ids are hashes, so the first are any."""
        with self._lock:
            kept = self._means.get(spec.fingerprint)
        if kept is None or kept.until < time.monotonic():
            with self._facts.read() as db:
                ids = list(db.scalars(select(table.c.image_id).order_by(table.c.image_id).limit(_SAMPLE)))
            _, vectors = self._store.vectors(spec, ids=ids)
            if len(vectors) < _FEWEST:
                return None
            kept = _Mean(vectors.mean(0), len(vectors), time.monotonic() + _KEPT_SECONDS)
            with self._lock:
                self._means[spec.fingerprint] = kept
        return kept


def _png(picture: Image.Image) -> bytes:
    """What decoders of films take; kept pictures are in another format."""
    out = BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
