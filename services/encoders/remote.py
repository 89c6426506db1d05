"""What encoders behind endpoints share: films and texts in requests of bounded size, several under way at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.models import ModelSpec
from services.core.types import Film
from services.encoders.base import Prepared
from services.encoders.endpoint import Endpoint, nonsense
from services.encoders.vectors import unit

Vectors = NDArray[np.float32]
T = TypeVar("T", bytes, str)

REQUEST_BYTES = 1_400_000  # both services refuse more than 1.5 MB; some is taken up by what surrounds the films
_REQUEST_ROWS = 16
_AT_ONCE = 4


class RemoteEncoder:
    """See ``services.encoders.base.Encoder``. A service says how films and texts are asked and answers are read.

    `file`: a film as the service takes it.
    """

    spec: ModelSpec

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def file(self, film: Film) -> bytes:
        raise NotImplementedError

    def ask_images(self, files: Sequence[bytes]) -> Sequence[ArrayLike]:
        """One answer per file, of `spec.shape`, not yet checked nor normalised."""
        raise NotImplementedError

    def ask_texts(self, texts: Sequence[str]) -> Sequence[ArrayLike]:
        """One answer per text, of `spec.dim` numbers."""
        raise NotImplementedError

    def preprocess(self, film: Film) -> Prepared:
        """The picture that is sent: ``(bytes,) uint8``."""
        return np.frombuffer(self.file(film), np.uint8)

    def encode_images(self, batch: Sequence[Prepared]) -> Vectors:
        """N films → ``(N, *spec.shape) float32``, L2-normalised. Raises `RefusedError`, UNAVAILABLE,
        FAILED_PRECONDITION."""
        files = [film.tobytes() for film in batch]
        return unit(self._asked(self.ask_images, list(_requests(files)), self.spec.shape))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """N texts → ``(N, D) float32``, L2-normalised."""
        if isinstance(texts, str):
            raise invalid("texts is a list of texts, not one text")
        if self.spec.text_space is None:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION, f"{self.spec.name} reads no text; choose an image-text model"
            )
        return unit(self._asked(self.ask_texts, list(_requests(list(texts))), (self.spec.dim,)))

    def _asked(
        self, ask: Callable[[Sequence[T]], Sequence[ArrayLike]], requests: list[list[T]], shape: tuple[int, ...]
    ) -> Vectors:
        def one(request: list[T]) -> Vectors:
            try:
                found = [np.asarray(row, np.float32) for row in ask(request)]
                if len(found) == len(request) and all(row.size == np.prod(shape) for row in found):
                    return np.stack([row.reshape(shape) for row in found])
            except (KeyError, TypeError, ValueError, IndexError, AttributeError):
                pass
            raise nonsense(self.spec.name)

        if not requests:
            return np.empty((0, *shape), np.float32)
        with ThreadPoolExecutor(min(_AT_ONCE, len(requests))) as pool:
            return np.concatenate(list(pool.map(one, requests)))


def field(row: Any, name: str) -> Any:
    """What an answer holds under `name`. Raises KeyError, TypeError."""
    if not isinstance(row, dict):
        raise TypeError("an answer is no object")
    return row[name]


def _requests(things: Sequence[T]) -> Iterator[list[T]]:
    """In order, in parts that one request may hold; base64 makes four bytes of three."""
    request: list[T] = []
    size = 0
    for thing in things:
        more = len(thing) * 4 // 3 + 64
        if request and (size + more > REQUEST_BYTES or len(request) == _REQUEST_ROWS):
            yield request
            request, size = [], 0
        request.append(thing)
        size += more
    if request:
        yield request
