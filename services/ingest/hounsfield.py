"""One CT slice → `Film`: Hounsfield units through a window, so that equal tissue is equally bright on every slice.

Films are stretched over the values that occur; slices are not: a window says which units are black and which white.
Both levels of the film are windowed, the finer one in 16 bits, since an unwindowed slice shows next to nothing.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut

from services.core.types import Film
from services.encoders.slices import WINDOWS, Window
from services.ingest.pixels import domain_of, look_up, padding_of, stored_values
from services.ingest.reasons import BadFilm, Reason

Units = NDArray[np.float64]


def film_from_slice(elements: Dataset, window: str) -> tuple[Film, str]:
    """A dataset that passed the gate → the slice through `window`, and the sha256 of its Hounsfield units, which is the
    same for every window. Raises BadFilm."""
    if elements.get("RescaleSlope") is None or elements.get("RescaleIntercept") is None:
        raise BadFilm(Reason.NO_UNITS)
    stored = stored_values(elements)
    domain = domain_of(stored.dtype)
    units = np.asarray(apply_modality_lut(domain, elements), dtype=np.float64)
    table = _unit_interval(units, elements, window)
    table[padding_of(elements, domain)] = 0
    display = look_up(np.rint(table * 255).astype(np.uint8), stored, domain)
    if display.min() == display.max():
        raise BadFilm(Reason.CONSTANT)
    full = look_up(np.rint(table * 65_535).astype(np.uint16), stored, domain)
    shown = look_up(np.rint(np.clip(units, -32_768, 32_767)).astype(np.int16), stored, domain)
    digest = hashlib.sha256(f"HU{shown.shape}".encode() + np.ascontiguousarray(shown).tobytes())
    return Film(display, full), digest.hexdigest()


def _unit_interval(units: Units, elements: Dataset, window: str) -> Units:
    """Grey from 0 to 1 per value, by the functions of DICOM PS3.3 C.11.2.1: presets are linear."""
    if window in WINDOWS:
        (centre, width), function = WINDOWS[window], "LINEAR"
    else:
        (centre, width), function = _first_window(elements), str(elements.get("VOILUTFunction") or "LINEAR").upper()
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (units - centre) / width, -700, 700)))
    if function == "LINEAR_EXACT":
        return np.clip((units - centre) / width + 0.5, 0, 1)
    if width <= 1:
        return (units > centre - 0.5).astype(np.float64)
    return np.clip((units - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


def _first_window(elements: Dataset) -> Window:
    values = []
    for keyword in ("WindowCenter", "WindowWidth"):
        value = elements.get(keyword)
        if value is None or value == "":
            raise BadFilm(Reason.NO_WINDOW)
        values.append(float(value if np.isscalar(value) else value[0]))
    if not np.isfinite(values).all() or values[1] <= 0:
        raise BadFilm(Reason.BAD_WINDOW)
    return Window(*values)
