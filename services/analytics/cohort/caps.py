"""At most so many films, or whole studies, of each patient; or films of each study."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.analytics import sample
from services.analytics.cohort.calendar import Calendar
from services.analytics.cohort.population import Mask, Population
from services.analytics.cohort.spec import LAST, RANDOM, Cap


def capped(population: Population, calendar: Calendar, mask: Mask, cap: Cap, seed: int) -> Mask:
    """(N,) those of `mask` that a cap leaves.

    First and last are by the patient's calendar, what has no place in it coming after everything else; what is of one
    study, or without a place, is in the order of image ids. Random is by a hash of seed and id.
    """
    rows = np.flatnonzero(mask)
    owners = population.units(cap.per)[rows]
    if cap.which == RANDOM:
        key = sample.places(population.frame.take(rows).ids, seed)
    else:
        place = calendar.place[population.studies[rows]]
        known = place != np.iinfo(place.dtype).max
        key = np.where(known & (cap.which == LAST), -place, place)
    whole = population.studies[rows] if cap.studies else rows
    found = np.zeros(len(mask), bool)
    found[rows[_first(owners, whole, key, cap.most)]] = True
    return found


def _first(owners: NDArray[np.int32], wholes: NDArray[np.integer], key: NDArray[np.generic], most: int) -> Mask:
    """(n,) items of the `most` first wholes of each owner; a whole comes when its first item comes."""
    order = np.lexsort((np.arange(len(owners)), key))
    firsts, comes = np.unique(wholes[order], return_index=True)  # when each whole first comes
    owner = owners[order][comes]
    line = np.lexsort((comes, owner))
    begins = np.flatnonzero(np.diff(owner[line], prepend=-1))
    nth = np.empty(len(line), np.int64)
    nth[line] = np.arange(len(line)) - np.repeat(begins, np.diff(begins, append=len(line)))
    kept: Mask = np.isin(wholes, firsts[nth < most])
    return kept
