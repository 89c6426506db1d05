"""Parts of films to vectors: by local vectors where a model has them in the space of whole films, else cut out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.types import Film
from services.encoders.base import Encoder, Frame, Prepared, SeesPatches
from services.encoders.slices import layout_of
from services.ingest.callers import Caller
from services.ingest.decode_pool import DecodePool
from services.ingest.encode_lanes import EncodeLanes, Vectors
from services.ingest.reasons import BadFilm

_SMALLEST = 8  # pixels of a side: less shows nothing


@dataclass(frozen=True, slots=True)
class Crop:
    """Fractions of the film as shown, from its top left corner. Raises INVALID_ARGUMENT when it is not inside."""

    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        numbers = np.array([self.x, self.y, self.width, self.height])
        if not np.isfinite(numbers).all() or numbers.min() < 0 or self.width * self.height <= 0:
            raise invalid("a crop is given by x, y, width and height, fractions of the film")
        if self.x + self.width > 1.0001 or self.y + self.height > 1.0001:
            raise invalid("a crop lies inside the film: x + width and y + height are at most 1")

    def cut(self, film: Film) -> Film:
        """The part as a film of its own."""
        height, width = film.display.shape
        rows = slice(int(self.y * height), max(int((self.y + self.height) * height), int(self.y * height) + 1))
        columns = slice(int(self.x * width), max(int((self.x + self.width) * width), int(self.x * width) + 1))
        if min(film.display[rows, columns].shape) < _SMALLEST:
            raise invalid(f"the part of the film is smaller than {_SMALLEST} pixels; choose a larger one")
        return Film(np.ascontiguousarray(film.display[rows, columns]), np.ascontiguousarray(film.full[rows, columns]))


def encode_crops(
    lanes: EncodeLanes,
    pool: DecodePool,
    caller: Caller,
    encoder: Encoder,
    files: Sequence[bytes],
    crops: Sequence[Crop],
) -> Vectors:
    """One vector, or why there is none, per file and its crop, in order."""
    films = [_decoded(pool, encoder, data) for data in files]
    local = _local(encoder, films, crops)
    if local is not None:
        return local
    return lanes.prepared(caller, encoder, [_cut(encoder, film, crop) for film, crop in zip(films, crops, strict=True)])


def _decoded(pool: DecodePool, encoder: Encoder, data: bytes) -> Film | HilumError:
    try:
        return pool.decode(data, layout_of(encoder)).film
    except BadFilm as error:
        return HilumError(ErrorCode.UNREADABLE_IMAGE, error.reason.message)
    except HilumError as error:
        return error


def _cut(encoder: Encoder, film: Film | HilumError, crop: Crop) -> Prepared | HilumError:
    try:
        return film if isinstance(film, HilumError) else encoder.preprocess(crop.cut(film))
    except HilumError as error:
        return error


def _local(encoder: Encoder, films: Sequence[Film | HilumError], crops: Sequence[Crop]) -> Vectors | None:
    """By local vectors; None where the model has none that can be compared with whole films."""
    if not isinstance(encoder, SeesPatches) or encoder.spec.tokens > 1:
        return None
    found: Vectors = []
    for film, crop in zip(films, crops, strict=True):
        if isinstance(film, HilumError):
            found.append(film)
            continue
        patches = encoder.encode_patches([encoder.preprocess(film)])
        if not patches.reads_text or patches.grid.shape[-1] != encoder.spec.dim:
            return None
        inside = _inside(encoder.frame(*film.display.shape), film.display.shape, patches.grid.shape[1:3], crop)
        if not inside.any():
            found.append(invalid("the model does not see this part of the film; choose another part or model"))
            continue
        mean = patches.grid[0][inside].mean(0)
        found.append(np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), dtype=np.float32))
    return found


def _inside(frame: Frame, film: tuple[int, ...], grid: tuple[int, ...], crop: Crop) -> NDArray[np.bool_]:
    """Which patches have their middle in the crop, or the one whose middle is nearest where it is smaller than one."""
    ys = (frame.top + (np.arange(grid[0]) + 0.5) / grid[0] * frame.height) / film[0]
    xs = (frame.left + (np.arange(grid[1]) + 0.5) / grid[1] * frame.width) / film[1]
    rows = (ys >= crop.y) & (ys <= crop.y + crop.height)
    columns = (xs >= crop.x) & (xs <= crop.x + crop.width)
    for chosen, middles, at in ((rows, ys, crop.y + crop.height / 2), (columns, xs, crop.x + crop.width / 2)):
        nearest = int(np.abs(middles - at).argmin())
        if not chosen.any() and abs(middles[nearest] - at) <= 1 / len(middles):
            chosen[nearest] = True
    return rows[:, None] & columns[None, :]
