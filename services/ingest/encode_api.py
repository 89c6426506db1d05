"""hilum.v1.EncodeService: films and words to vectors, for whoever has no encoder of his own."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from hilum.v1 import common_pb2, encode_pb2
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, images, models
from services.core.limits import MAX_BATCH, MAX_TEXT_CHARS, MAX_UPLOAD_BYTES
from services.core.models import ModelSpec
from services.encoders.base import Encoder
from services.encoders.registry import Registry
from services.ingest.decode_pool import DecodePool
from services.ingest.encoding import encode
from services.ingest.reasons import BadFilm, Reason
from services.transport.edge import Call, Route

Vector = NDArray[np.float32]
_AT_ONCE = 16  # requests under way; more are told to come again rather than made to wait
_FILMS_PER_PASS = 16
_TEXTS_KEPT = 2_000


class EncodeApi:
    """One answer per input, in order. A bad film or text costs the others nothing."""

    service = encode_pb2.DESCRIPTOR.services_by_name["EncodeService"]
    routes = (
        Route("POST", "/v1/images:encode", "EncodeImages"),
        Route("POST", "/v1/texts:encode", "EncodeTexts"),
        Route("GET", "/v1/models", "ListModels"),
    )

    def __init__(self, facts: Facts, registry: Registry, pool: DecodePool) -> None:
        self._facts, self._registry, self._pool = facts, registry, pool
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        self._threads = ThreadPoolExecutor(pool.workers + 1, thread_name_prefix="encode-film")
        self._texts = _Recent(_TEXTS_KEPT)

    def encode_images(self, request: encode_pb2.EncodeImagesRequest, call: Call) -> encode_pb2.EncodeResponse:
        if not 1 <= len(request.images) <= MAX_BATCH:
            raise invalid(f"send between 1 and {MAX_BATCH} images")
        with self._admitted():
            encoder = self._registry.get(request.model)
            results: list[Vector | HilumError] = []
            for start in range(0, len(request.images), _FILMS_PER_PASS):
                if call.cancelled():
                    raise HilumError(ErrorCode.CANCELLED, "the client left")
                results += self._films(encoder, request.images[start : start + _FILMS_PER_PASS])
            return _response(encoder.spec, results)

    def encode_texts(self, request: encode_pb2.EncodeTextsRequest, call: Call) -> encode_pb2.EncodeResponse:
        if not 1 <= len(request.texts) <= MAX_BATCH:
            raise invalid(f"send between 1 and {MAX_BATCH} texts")
        with self._admitted():
            encoder = self._registry.get(request.model)
            if encoder.spec.text_space is None:
                raise HilumError(
                    ErrorCode.FAILED_PRECONDITION, f"model {encoder.spec.name} knows no words; choose one with text"
                )
            return _response(encoder.spec, self._words(encoder, request.texts))

    def list_models(self, request: encode_pb2.ListModelsRequest, call: Call) -> encode_pb2.ListModelsResponse:
        """Encoders at hand, then those that only the archive knows."""
        counts = images.count_by_model(self._facts)
        here = self._registry.specs()
        fingerprints = {spec.fingerprint for spec in here.values()}
        stored = [spec for spec in models.active(self._facts).values() if spec.fingerprint not in fingerprints]
        listed = [(spec, True) for spec in here.values()] + [(spec, False) for spec in stored]
        return encode_pb2.ListModelsResponse(
            models=[_model(spec, available, counts.get(spec.fingerprint, 0)) for spec, available in listed]
        )

    def _films(self, encoder: Encoder, files: Sequence[bytes]) -> list[Vector | HilumError]:
        prepared = list(self._threads.map(lambda data: self._prepare(encoder, data), files))
        good = [p for p in prepared if not isinstance(p, HilumError)]
        vectors = iter(encode(encoder, good))
        return [p if isinstance(p, HilumError) else _or_error(next(vectors)) for p in prepared]

    def _prepare(self, encoder: Encoder, data: bytes) -> Vector | HilumError:
        if len(data) > MAX_UPLOAD_BYTES:
            return HilumError(ErrorCode.PAYLOAD_TOO_LARGE, "a film file has at most 64 MiB")
        try:
            return encoder.preprocess(self._pool.decode(data).film)
        except BadFilm as error:
            return _or_error(error.reason)  # type: ignore[return-value]
        except HilumError as error:
            return error

    def _words(self, encoder: Encoder, texts: Sequence[str]) -> list[Vector | HilumError]:
        results: list[Vector | HilumError | None] = [_text_error(text) for text in texts]
        ask = list(dict.fromkeys(t for t, r in zip(texts, results, strict=True) if r is None))
        known = self._texts.get_all(encoder.spec.fingerprint, ask, encoder.encode_texts)
        return [known[t] if r is None else r for t, r in zip(texts, results, strict=True)]

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        if not self._room.acquire(blocking=False):
            raise HilumError(ErrorCode.RESOURCE_EXHAUSTED, "too many films and texts are waiting; try again shortly")
        try:
            yield
        finally:
            self._room.release()


class _Recent:
    """The vectors of texts asked for lately: people refine a search word by word, models answer it one by one."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[tuple[str, str], Vector] = OrderedDict()
        self._lock = threading.Lock()

    def get_all(
        self, fingerprint: str, texts: Sequence[str], compute: Callable[[Sequence[str]], Vector]
    ) -> dict[str, Vector]:
        with self._lock:
            found = {t: self._kept[fingerprint, t] for t in texts if (fingerprint, t) in self._kept}
        if missing := [text for text in texts if text not in found]:
            found.update(zip(missing, np.asarray(compute(missing), dtype=np.float32), strict=True))
        with self._lock:
            for text, vector in found.items():
                self._kept[fingerprint, text] = vector
                self._kept.move_to_end((fingerprint, text))
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return found


def _text_error(text: str) -> HilumError | None:
    if not text.strip():
        return invalid("a text is blank; say what the film should show")
    if len(text) > MAX_TEXT_CHARS:
        return HilumError(ErrorCode.PAYLOAD_TOO_LARGE, f"a text has at most {MAX_TEXT_CHARS} characters")
    return None


def _or_error(result: Vector | Reason) -> Vector | HilumError:
    return HilumError(ErrorCode.UNREADABLE_IMAGE, result.message) if isinstance(result, Reason) else result


def _response(spec: ModelSpec, results: Sequence[Vector | HilumError]) -> encode_pb2.EncodeResponse:
    return encode_pb2.EncodeResponse(model=_model(spec, True, 0), results=[_result(result) for result in results])


def _result(result: Vector | HilumError) -> encode_pb2.EncodeResult:
    if isinstance(result, HilumError):
        code = common_pb2.ErrorCode.Value(result.code.value)
        return encode_pb2.EncodeResult(error=common_pb2.Error(code=code, message=result.client_message))
    return encode_pb2.EncodeResult(vector=encode_pb2.Vector(values=result))


def _model(spec: ModelSpec, available: bool, count: int) -> encode_pb2.Model:
    return encode_pb2.Model(
        name=spec.name, fingerprint=spec.fingerprint, collection=spec.collection, dim=spec.dim,
        text=spec.text_space is not None, revision=spec.revision, preprocessing=spec.preprocessing,
        pooling=spec.pooling, dtype=spec.dtype, available=available, images=count,
    )  # fmt: skip
