"""Is there writing in a film? A suspicion, from the shape of letters alone: nothing is read.

Printed letters are small, sharp, of one height, and stand in a row. Side markers (L, R, PA) are up to three of them;
names, numbers and dates are more. So: what stands out from its surroundings by a third of the grey scale, in pieces as
high as letters, at least `LETTERS` of them on a line. Handwriting, blurred and very large letters are not seen, nor is
text in a script whose letters join; rows of regular bright things that are no letters (a zip, screws, leads) may be.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from services.core.types import Film

LETTERS = 5
_LONGER_SIDE = 1_024  # films are looked at in about this size
_SMALLEST = 128  # pixels: below, letters could not be told
_HEIGHTS = (5, 32)
_STANDS_OUT = 85  # of 255
_OPEN = 13  # pixels: wider than any stroke
_REACHES = (1, 2, 4, _OPEN - 8)  # to the extreme of `_OPEN` pixels: of 2, then of 4, of 8, and of two overlapping 8


def suspected(film: Film) -> bool:
    """Do pieces like letters stand in a row somewhere, bright on dark or dark on bright?"""
    shown = _small(film.display)
    if min(shown.shape) < _SMALLEST:
        return False
    return any(_has_a_line(_letters(ink)) for ink in (_bright(shown), _bright(255 - shown)))


def _small(display: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrunk by a whole factor, each pixel the mean of those it replaces."""
    factor = max(display.shape) // _LONGER_SIDE
    if factor < 2:
        return display
    height, width = (side // factor * factor for side in display.shape)
    blocks = display[:height, :width].reshape(height // factor, factor, width // factor, factor)
    return blocks.mean(axis=(1, 3), dtype=np.float32).astype(np.uint8)


def _bright(shown: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """What is much brighter than what lies around it at the distance of a stroke."""
    around = _opened(shown)  # nowhere brighter than the film itself
    return (shown - around) > _STANDS_OUT


def _opened(shown: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey opening by a square of `_OPEN` pixels, edges mirrored, as `scipy.ndimage.grey_opening` has it: half of all
    that decoding took, and eight times quicker in whole rows at once."""
    for extreme in (np.minimum, np.maximum):
        found = np.pad(shown, _OPEN // 2, mode="symmetric")
        for reach in _REACHES:
            found = extreme(found[:-reach], found[reach:])
        for reach in _REACHES:
            found = extreme(found[:, :-reach], found[:, reach:])
        shown = found
    return shown


def _letters(ink: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N, 4) top, left, height and width of pieces as large and as filled as letters."""
    low, high = _HEIGHTS
    rows = np.flatnonzero(ink.any(axis=1))
    if len(rows) < low:
        return np.zeros((0, 4))
    ink = ink[rows[0] : rows[-1] + 1]
    pieces, _ = ndimage.label(ink, structure=np.ones((3, 3), dtype=bool))
    y, x = np.nonzero(ink)  # little of a film is ink: what follows looks at nothing else
    piece = pieces[y, x]
    order = np.argsort(piece, kind="stable")
    starts = np.flatnonzero(np.diff(piece[order], prepend=0))
    sizes = np.diff(starts, append=len(piece))
    y, x = y[order] + rows[0], x[order]
    top, left = np.minimum.reduceat(y, starts), np.minimum.reduceat(x, starts)
    height, width = np.maximum.reduceat(y, starts) - top + 1, np.maximum.reduceat(x, starts) - left + 1
    filled = sizes / (height * width)
    good = (low <= height) & (height <= high) & (width <= 1.6 * height) & (filled >= 0.12) & (filled <= 0.95)
    return np.stack([top, left, height, width], axis=1)[good].astype(np.float64)


def _has_a_line(letters: NDArray[np.float64]) -> bool:
    """Do `LETTERS` pieces of about one height follow each other closely on one line?"""
    letters = letters[np.argsort(letters[:, 1], kind="stable")]
    length = np.ones(len(letters), dtype=int)  # of the longest row that ends here
    for i, (top, left, height, _) in enumerate(letters):
        before = letters[max(0, i - 64) : i]
        gap = left - (before[:, 1] + before[:, 3])
        level = np.abs(before[:, 0] + before[:, 2] - top - height) <= 0.25 * height
        near = (gap >= -0.2 * height) & (gap <= 1.2 * height) & level & (np.abs(before[:, 2] - height) <= 0.35 * height)
        if near.any():
            length[i] = 1 + length[max(0, i - 64) : i][near].max()
            if length[i] >= LETTERS:
                return True
    return False
