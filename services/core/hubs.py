"""Correction for hubs: films that crowd every neighbourhood are pushed back by how crowded their own is.

`density` is a film's mean cosine with its k nearest films of other patients. The asking film's own density changes no
order, so it is left out, and the corrected scores of two questions cannot be compared. Numbers or arrays, alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np

METHODS = ("csls", "scaling")
_LEAST = 1e-6  # of a distance: copies of one film lie at none


def csls(cosine: Any, density: Any) -> Any:
    """Cross-domain similarity local scaling: 2 cos − density. Conneau et al. 2018 (arXiv 1710.04087)."""
    return 2 * cosine - density


def scaling(cosine: Any, density: Any) -> Any:
    """Local scaling: −d² / σ, d = 1 − cos and σ the film's mean d to its neighbours. Zelnik-Manor & Perona 2005."""
    distance = 1 - cosine
    return -(distance * distance) / np.maximum(1 - density, _LEAST)


def corrected(method: str, cosine: Any, density: Any) -> Any:
    """By the name of the method; anything but those in `METHODS` leaves the cosine as it is."""
    if method not in METHODS:
        return cosine
    return csls(cosine, density) if method == "csls" else scaling(cosine, density)
