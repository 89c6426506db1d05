"""Where in a film a model sees what it was asked for: grids of how much each place counts for a similarity.

    grid = by_hiding(encoder.encode_images, encoder.preprocess(film), encoder.encode_texts(["left effusion"])[0])
    on_film = place(strength(grid), encoder.frame(*film.display.shape), *film.display.shape)

Three ways, from what any encoder can do to what few can:

hiding    each place is covered in turn, and the similarity falls where the model had looked (occlusion: Zeiler and
          Fergus, ECCV 2014). Needs no look inside, so it holds for every architecture; CELLS² + 1 passes.
gradient  ``services.encoders.gradient``: as many backward passes as steps, for networks too large to be asked often.
patches   local vectors against the question's: one pass, of use where training aligned them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from services.encoders.base import Frame, Prepared

CELLS = 8  # per side of a grid
_SPREAD = 1 / 13  # of the cover's soft edge, in sides of the film: hard edges are themselves something to see

Grid = NDArray[np.float32]
Vector = NDArray[np.float32]


def similarity(films: Vector, target: Vector) -> NDArray[np.float32]:
    """``(N, D)`` or ``(N, T, D)`` against ``(D,)`` or ``(T, D)`` → ``(N,)``: dot products, of several tokens the mean
    of the target's best ones, as searches compare them."""
    tokens = films.reshape(len(films), -1, films.shape[-1])
    return np.asarray((np.atleast_2d(target) @ tokens.swapaxes(1, 2)).max(2).mean(1), np.float32)


def covered(film: Prepared, cells: int = CELLS) -> list[Prepared]:
    """The film with one place after another faded to its mean grey, row by row: ``cells²`` arrays like `film`."""
    pixels = film.astype(np.float32)
    grey = pixels.mean()
    down, across = (_covers(side, cells) for side in film.shape[-2:])
    covers = (np.outer(row, column) for row in down for column in across)
    return [_like(pixels + cover * (grey - pixels), film) for cover in covers]


def by_hiding(encode: Callable[[Sequence[Prepared]], Vector], film: Prepared, target: Vector) -> Grid:
    """How much similarity to `target` is lost when a place is covered: ``(CELLS, CELLS) float32``."""
    scores = similarity(np.asarray(encode([film, *covered(film)]), np.float32), target)
    return (scores[0] - scores[1:]).reshape(CELLS, CELLS)


def by_patches(patches: Grid, others: Vector) -> Grid:
    """``(h, w, P)`` local vectors against ``(M, P)`` of the question → ``(h, w)``: the cosine with the likest of them.

    For another film's patches take `apart` of both first: what all places share says nothing about any.
    """
    return np.asarray((_unit(patches) @ _unit(others).T).max(-1), np.float32)


def apart(one: Grid, other: Grid) -> tuple[Grid, Grid]:
    """Both films' local vectors less the mean of all."""
    mean = (one.mean((0, 1)) + other.mean((0, 1))) / 2
    return one - mean, other - mean


def strength(grid: Grid) -> Grid:
    """``(h, w)`` to 0..1: 1 at the strongest place, 0 where nothing speaks for the question or something against it."""
    most = float(grid.max())
    return np.clip(grid / most, 0, 1).astype(np.float32) if most > 0 else np.zeros_like(grid, np.float32)


def place(grid: Grid, frame: Frame, height: int, width: int) -> Grid:
    """The grid over the part of a film that a network sees → ``(height, width) float32``, 0 where it sees nothing."""
    rows = _weights(height, frame.top, frame.height, grid.shape[0])
    columns = _weights(width, frame.left, frame.width, grid.shape[1])
    return np.asarray(rows @ grid @ columns.T, np.float32)


def _covers(side: int, cells: int) -> NDArray[np.float32]:
    """``(cells, side)``: how much each pixel along an edge is covered, 1 at the cell's centre."""
    pixels, centres = ((np.arange(n, dtype=np.float32) + 0.5) / n for n in (side, cells))
    return np.exp(-0.5 * ((pixels[None] - centres[:, None]) / _SPREAD) ** 2).astype(np.float32)


def _like(pixels: NDArray[np.float32], film: Prepared) -> Prepared:
    return np.rint(pixels).astype(np.uint8) if film.dtype == np.uint8 else pixels.astype(film.dtype)


def _weights(pixels: int, start: float, extent: float, cells: int) -> NDArray[np.float32]:
    """``(pixels, cells)``: smoothly from centre to centre of cells that lie on ``start .. start + extent``."""
    at = (np.arange(pixels) + 0.5 - start) / extent
    within = np.clip(at * cells - 0.5, 0, cells - 1)
    near = np.maximum(0, 1 - np.abs(within[:, None] - np.arange(cells)))
    weights = near**2 * (3 - 2 * near)  # straight lines would draw a star around a strong cell
    weights[(at < 0) | (at > 1)] = 0
    return weights.astype(np.float32)


def _unit(vectors: Vector) -> Vector:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
