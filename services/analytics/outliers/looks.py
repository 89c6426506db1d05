"""What can be seen from a film's small picture alone: turned, inverted, nearly empty, unlike any other.

A film is held against the mean picture of each view, as it is and turned by quarters and inverted. These are hints for
somebody who looks, not measurements of a film.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

EDGE = 32
_LEAST = 20  # films that make a typical one
_FITS, _MARGIN = 0.6, 0.3  # correlation with a typical film another way round, and by how much it must be better
_EMPTY = "nearly empty"
_TAIL = 1.0  # per cent of ordinary films
_WAYS = {
    "": (0, 1), "turned clockwise": (1, 1), "upside down": (2, 1), "turned anticlockwise": (3, 1),
    "inverted": (0, -1), "inverted and turned clockwise": (1, -1), "inverted and upside down": (2, -1),
    "inverted and turned anticlockwise": (3, -1),
}  # fmt: skip
Picture = NDArray[np.float64]


class Looks:
    """What ordinary films look like. pictures: of some of them; views: what they are, empty unknown."""

    def __init__(self, pictures: Sequence[bytes | None], views: Sequence[str]) -> None:
        known = [(grey(p), view) for p, view in zip(pictures, views, strict=True) if p]
        self._typical = [
            shape(np.mean([shape(picture) for picture, at in known if at == view], axis=0))
            for view in sorted({view for _, view in known})
            if sum(at == view for _, at in known) >= _LEAST
        ]
        measured = [self._measures(picture) for picture, _ in known]
        self._usual: Mapping[str, tuple[float, float]] = {
            name: tuple(np.percentile([one[name] for one in measured], (_TAIL, 100 - _TAIL))) for name in measured[0]
        } if len(measured) >= _LEAST else {}  # fmt: skip

    @staticmethod
    def odd(words: Sequence[str]) -> bool:
        """Is something plainly wrong, of what `says` said?"""
        return any(said.startswith("looks ") or said == _EMPTY for said in words)

    def says(self, picture: bytes | None) -> list[str]:
        """What is strange about one film's picture, in words; nothing where nothing is or there are no ordinary films
        to go by."""
        if not picture or not self._usual:
            return []
        film = grey(picture)
        measured = self._measures(film)
        words = []
        (low_contrast, _), (dark, bright) = self._usual["contrast"], self._usual["brightness"]
        if measured["contrast"] < low_contrast:
            words.append("little contrast" if measured["contrast"] > low_contrast / 3 else _EMPTY)
        if measured["brightness"] < dark:
            words.append("darker than 99 % of films")
        if measured["brightness"] > bright:
            words.append("brighter than 99 % of films")
        way = self._way(film)
        if way:
            words.insert(0, f"looks {way}")
        elif "likeness" in measured and measured["likeness"] < self._usual["likeness"][0]:
            words.append("less like a typical film than 99 % are")
        return words

    def _way(self, film: Picture) -> str:
        """Which way round it fits a typical film best, if clearly better than as it is."""
        if not self._typical:
            return ""
        fits = {way: self._fit(sign * np.rot90(film, turn)) for way, (turn, sign) in _WAYS.items()}
        best = max(fits, key=lambda way: fits[way])
        return best if fits[best] > max(_FITS, fits[""] + _MARGIN) else ""

    def _measures(self, film: Picture) -> dict[str, float]:
        found = {"contrast": float(film.std()), "brightness": float(film.mean())}
        return found | ({"likeness": self._fit(film)} if self._typical else {})

    def _fit(self, film: Picture) -> float:
        """Highest correlation with a typical film."""
        flat = shape(film)
        return max(float(np.vdot(flat, typical)) for typical in self._typical)


def grey(picture: bytes) -> Picture:
    """(EDGE, EDGE) grey, 0 to 1."""
    small = Image.open(io.BytesIO(picture)).convert("L").resize((EDGE, EDGE), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64) / 255.0


def shape(film: Picture) -> Picture:
    """Without brightness and contrast: mean 0, length 1."""
    level = film - film.mean()
    flat: Picture = level / max(float(np.linalg.norm(level)), 1e-9)
    return flat
