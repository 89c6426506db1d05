"""Correction for hubs: films that crowd every neighbourhood are pushed back by how crowded their own is.

`density` is a film's mean cosine with its k nearest films of other patients. The asking film's own density changes no
order, so it is left out, and the corrected scores of two questions cannot be compared.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Numbers = TypeVar("Numbers", float, NDArray[np.float32], NDArray[np.float64])
METHODS = ("csls", "scaling")
_LEAST = 1e-6  # of a distance: copies of one film lie at none


def csls(cosine: Numbers, density: Numbers) -> Numbers:
    """Cross-domain similarity local scaling: 2 cos − density. Conneau et al. 2018 (arXiv 1710.04087)."""
    return 2 * cosine - density


def scaling(cosine: Numbers, density: Numbers) -> Numbers:
    """Local scaling: −d² / σ, d = 1 − cos and σ the film's mean d to its neighbours. Zelnik-Manor & Perona 2005."""
    distance: Numbers = 1 - cosine
    return -(distance * distance) / np.maximum(1 - density, _LEAST)


def corrected(method: str, cosine: Numbers, density: Numbers) -> Numbers:
    """By the name of the method; anything but those in `METHODS` leaves the cosine as it is."""
    return {"csls": csls, "scaling": scaling}.get(method, lambda c, _: c)(cosine, density)
