"""Does a film that is brought look like the films there are? Encoders do not tell: they put any picture somewhere.

Of the bundled encoder for words, nine of 256 directions hold nine tenths of what films differ in, so white noise is as
near to some film as films are to each other. Pictures tell: 32 × 32 pixels, without brightness and contrast, are held
against those of some of the archive's films. Whatever the encoder, and without a label.
"""

from __future__ import annotations

import io
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import select

from services.core.errors import HilumError
from services.core.facts import Facts
from services.core.facts.schema import images as table
from services.core.filters import Expr, describe, to_sql
from services.query.by import By, FilmRegion, UploadedFilm, parts
from services.query.images import Images
from services.transport.encode_client import EncodeClient

EDGE = 32
_FILMS = 256
_FEWEST = 32  # patients; with fewer, nobody knows what is ordinary here
_TAIL = 0.5  # per cent of these that are less like any other patient's film than what is let pass
_ASKED_MOST = 0.9  # however alike an archive's films are: another window or a border is no other picture
_KEPT_SECONDS = 600.0  # what is ordinary hardly changes; a film that was forgotten is soon forgotten here, too
_MOST_KEPT = 16  # as many kinds of callers
_WAYS = {
    "inverted": (0, -1), "turned by a quarter": (1, 1), "turned by three quarters": (3, 1), "upside down": (2, 1),
    "inverted and turned by a quarter": (1, -1), "inverted and turned by three quarters": (3, -1),
    "inverted and upside down": (2, -1),
}  # fmt: skip

Shape = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Usual:
    """shapes: (N, EDGE²) of ordinary films.  least: how alike the nearest of them is to nearly every film."""

    shapes: Shape
    least: float

    @classmethod
    def of(cls, shapes: Shape, whose: NDArray[np.int64]) -> Usual | None:
        """whose: (N,) patients; their own other films do not count. None where films are too few."""
        alike = np.where(whose[:, None] == whose[None, :], -1.0, shapes @ shapes.T)
        if len(np.unique(whose)) < _FEWEST:
            return None
        return cls(shapes, min(float(np.percentile(alike.max(axis=1), _TAIL)), _ASKED_MOST))

    def unlike(self, picture: NDArray[np.float32]) -> str:
        """What is to be said of a grey picture (EDGE, EDGE) that looks like none of them; nothing of one that does."""
        if self._fits(picture):
            return ""
        other = [way for way, (turns, sign) in _WAYS.items() if self._fits(sign * np.rot90(picture, turns))]
        looks = f"it would if it were {other[0]}" if other else "is it a chest X-ray?"
        return (
            f"the film brought looks like no film of this archive ({looks}); what is found is only what an encoder "
            "puts nearest to it"
        )

    def _fits(self, picture: NDArray[np.float32]) -> bool:
        return float((self.shapes @ shape(picture)).max()) >= self.least


class Ordinary:
    """Looks at the films that questions bring. Safe to share between threads."""

    def __init__(self, facts: Facts, images: Images, encode: EncodeClient) -> None:
        self._facts, self._images, self._encode = facts, images, encode
        self._kept: OrderedDict[str, tuple[Usual | None, float]] = OrderedDict()
        self._lock = threading.Lock()

    def warnings(self, by: By | None, access: Expr | None) -> tuple[str, ...]:
        """What is to be said of the uploaded films that are asked with: of each that looks like none that may be seen.

        Films of the archive were looked at when they came, and by `hilum analyze outliers`.
        """
        found = [one.film if isinstance(one, FilmRegion) else one for one, _ in parts(by)]
        brought = [film.data for film in found if isinstance(film, UploadedFilm)]
        usual = self._usual(access) if brought else None
        if usual is None:
            return ()
        pictures = [one for one in self._encode.pictures(brought) if not isinstance(one, HilumError)]
        return tuple(dict.fromkeys(said for one in pictures if (said := usual.unlike(grey(one)))))

    def _usual(self, access: Expr | None) -> Usual | None:
        """Of films that the caller may see, read once in a while."""
        name, moment = describe(access), time.monotonic()
        with self._lock:
            kept = self._kept.get(name)
        if kept is None or kept[1] < moment:
            kept = (self._read(access), moment + _KEPT_SECONDS)
            if kept[0] is None:
                return None  # films may come any moment
            with self._lock:
                self._kept[name] = kept
                while len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
        return kept[0]

    def _read(self, access: Expr | None) -> Usual | None:
        column = table.c
        some = select(column.image_id, column.dataset, column.patient_id).where(column.thumbnail != "")
        if access is not None:
            some = some.where(to_sql(access))
        with self._facts.read() as db:
            rows = list(db.execute(some.order_by(column.image_id).limit(_FILMS)))  # ids are hashes: the first are any
        shapes: list[Shape] = []
        whose: list[tuple[str, str]] = []
        for image_id, dataset, patient in rows:
            try:
                shapes.append(shape(grey(self._images.picture(image_id).data)))
            except (HilumError, OSError):  # a picture that is gone or damaged is nothing to go by
                continue
            whose.append((dataset, patient or image_id))
        if len(shapes) < _FEWEST:
            return None
        numbers = {one: number for number, one in enumerate(dict.fromkeys(whose))}
        return Usual.of(np.stack(shapes), np.array([numbers[one] for one in whose]))


def grey(picture: bytes) -> NDArray[np.float32]:
    """(EDGE, EDGE) float32, 0 to 255: means over equal areas of a kept picture."""
    opened = Image.open(io.BytesIO(picture))
    opened.draft("L", (4 * EDGE, 4 * EDGE))  # of a JPEG, only what is needed
    return np.asarray(opened.convert("L").resize((EDGE, EDGE), Image.Resampling.BOX), dtype=np.float32)


def shape(picture: NDArray[np.float32]) -> Shape:
    """(EDGE²,) without brightness and contrast: mean 0, length 1; zeros for a picture all alike."""
    level = (picture - picture.mean()).ravel()
    length = float(np.linalg.norm(level))
    return np.asarray(level / length if length > EDGE else np.zeros_like(level), dtype=np.float32)
