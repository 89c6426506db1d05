"""Films and texts through the encoders, in batches that many callers share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.limits import MAX_TEXT_CHARS, MAX_UPLOAD_BYTES
from services.encoders.base import Encoder, Prepared
from services.encoders.slices import layout_of
from services.ingest.batching import Lane
from services.ingest.callers import Answer, Caller, Room, settled
from services.ingest.decode_pool import DecodePool
from services.ingest.encoding import encode, encode_words
from services.ingest.reasons import BadFilm, Reason
from services.ingest.text_cache import TextCache
from services.transport.edge import Call

Vector = NDArray[np.float32]
Vectors = list[Vector | HilumError]
PER_BATCH = 32
BATCH_SECONDS = 1.0  # what a newcomer may have to wait for the batch under way, where a single film is not slower yet
WAITING_CALLS = 32  # fewer than either server has threads, so that other questions are answered meanwhile
WAITING_ITEMS = 4_096
WAITING_BYTES = 1 * 2**30
_WINDOW = PER_BATCH  # films of one request that are decoded and wait for the encoder at a time
_PREPARED = 4 * 2**20  # bytes: the most that a network takes of a film


class EncodeLanes:
    """A lane that decodes, and one per model for films and for texts. Idle lanes have no thread and hold no encoder."""

    def __init__(
        self, pool: DecodePool, room: Room | None = None, cache: TextCache | None = None, per_batch: int = PER_BATCH
    ) -> None:
        self._pool, self._per_batch = pool, per_batch
        self._room = room or Room(WAITING_CALLS, WAITING_ITEMS, WAITING_BYTES)
        self._cache = TextCache() if cache is None else cache
        self._decode: Lane[tuple[Encoder, bytes], Prepared] = Lane("decode", self._prepare, 1, pool.workers + 1)
        self._lanes: dict[tuple[str, str], Lane[Any, Vector]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def admitted(self, call: Call, items: int, size: int) -> Iterator[Caller]:
        """A place for a request of so many films or texts and so many bytes. Raises RESOURCE_EXHAUSTED.

        What the caller has still waiting when he leaves is dropped.
        """
        with self._room.taken(items, size):
            caller = Caller(call)
            if why := caller.over():
                raise why
            try:
                yield caller
            finally:
                for lane in self._every():
                    lane.forget(caller)

    def films(self, caller: Caller, encoder: Encoder, files: Sequence[bytes]) -> Vectors:
        """Whole files to ``(D,) float32`` each, ``(T, D)`` with T tokens, or why there is none; in order."""
        prepared = caller.in_order(lambda data: self._decode.submit(caller, (encoder, data)), files, _WINDOW)
        return self.prepared(caller, encoder, prepared)

    def prepared(self, caller: Caller, encoder: Encoder, films: Iterable[Prepared | HilumError]) -> Vectors:
        """The same from films as the encoder takes them."""
        lane = self._lane(encoder, "images", _films)
        return list(caller.in_order(lambda film: lane.submit(caller, (encoder, film)), films, _WINDOW))

    def texts(self, caller: Caller, encoder: Encoder, texts: Sequence[str]) -> Vectors:
        """Texts to ``(D,) float32`` each, or why there is none; in order. Raises FAILED_PRECONDITION for a model
        without words."""
        spec = encoder.spec
        if spec.text_space is None:
            raise HilumError(ErrorCode.FAILED_PRECONDITION, f"model {spec.name} knows no words; choose one with text")
        lane = self._lane(encoder, "texts", _texts)

        def ask(text: str) -> Answer[Vector]:
            known = self._cache.get(spec.fingerprint, text)
            return lane.submit(caller, (encoder, text)) if known is None else settled(known)

        checked = {text: _text_error(text) or text for text in texts}
        answers = dict(zip(checked, caller.in_order(ask, checked.values(), len(checked)), strict=True))
        for text, answer in answers.items():
            if not isinstance(answer, HilumError):
                self._cache.put(spec.fingerprint, text, answer)
        return [answers[text] for text in texts]

    def close(self) -> None:
        """End the threads; callers that wait get CANCELLED."""
        for lane in self._every():
            lane.close()

    def _prepare(self, batch: list[tuple[Encoder, bytes]]) -> list[Prepared | HilumError]:
        return [self._prepared(encoder, data) for encoder, data in batch]

    def _prepared(self, encoder: Encoder, data: bytes) -> Prepared | HilumError:
        if len(data) > MAX_UPLOAD_BYTES:
            return HilumError(ErrorCode.PAYLOAD_TOO_LARGE, "a film file has at most 64 MiB")
        try:
            return encoder.preprocess(self._pool.decode(data, layout_of(encoder)).film)
        except BadFilm as error:
            return _unreadable(error.reason)
        except HilumError as error:
            return error

    def _lane(
        self, encoder: Encoder, kind: str, run: Callable[[list[Any]], list[Vector | HilumError]]
    ) -> Lane[Any, Vector]:
        with self._lock:
            key = (encoder.spec.fingerprint, kind)
            if key not in self._lanes:
                self._lanes[key] = Lane(kind, run, self._per_batch, seconds=BATCH_SECONDS)
            return self._lanes[key]

    def _every(self) -> list[Lane[Any, Any]]:
        with self._lock:
            return [self._decode, *self._lanes.values()]


def weight(files: Sequence[bytes]) -> int:
    """Bytes that a request of films may take: its files, and what is decoded of them at a time."""
    return sum(map(len, files)) + min(len(files), 2 * _WINDOW) * _PREPARED


def _films(batch: list[tuple[Encoder, Prepared]]) -> list[Vector | HilumError]:
    vectors = encode(batch[0][0], [film for _, film in batch])
    return [_unreadable(v) if isinstance(v, Reason) else v for v in vectors]


def _texts(batch: list[tuple[Encoder, str]]) -> list[Vector | HilumError]:
    """Each text once, however many callers ask for it."""
    texts = list(dict.fromkeys(text for _, text in batch))
    vectors = dict(zip(texts, encode_words(batch[0][0], texts), strict=True))
    return [vectors[text] for _, text in batch]


def _unreadable(reason: Reason) -> HilumError:
    return HilumError(ErrorCode.UNREADABLE_IMAGE, reason.message)


def _text_error(text: str) -> HilumError | None:
    if not text.strip():
        return invalid("a text is blank; say what the film should show")
    if len(text) > MAX_TEXT_CHARS:
        return HilumError(ErrorCode.PAYLOAD_TOO_LARGE, f"a text has at most {MAX_TEXT_CHARS} characters")
    return None
