"""A patient's own calendar: which study came when, before and after which other.

Studies are in the order of their days where the patient has any, else in that of their stated order (`study_order`); a
study without the one that counts is in no order, and neither is what it is compared with. Two studies of one day are
told apart by their stated order, then by their ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from services.analytics.cohort.population import Mask, Population
from services.analytics.cohort.spec import LAST, Time

FIELDS = ("study_id", "study_date", "study_order")
_NONE = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Calendar:
    """Of all films of a population whose frame has FIELDS."""

    population: Population

    @cached_property
    def patient(self) -> NDArray[np.int32]:
        """(S,) whose each study is."""
        found = np.empty(int(self.population.studies.max(initial=-1)) + 1, np.int32)
        found[self.population.studies] = self.population.patients
        return found

    @cached_property
    def day(self) -> NDArray[np.float64]:
        """(S,) days since an epoch, of each study's earliest film; NaN unknown."""
        values, codes = self.population.text("study_date")
        days = np.array([*map(_day, values), np.nan])[codes]
        return self._first(days)

    @cached_property
    def stated(self) -> NDArray[np.float64]:
        """(S,) the order that the dataset states, NaN unknown."""
        return self._first(self.population.numbers("study_order"))

    @cached_property
    def place(self) -> NDArray[np.int64]:
        """(S,) rank of each study among all, such that those of one patient are in their order; _NONE for none."""
        dated = np.zeros(int(self.patient.max(initial=-1)) + 1, bool)
        dated[self.patient[np.isfinite(self.day)]] = True
        key = np.where(dated[self.patient], self.day, self.stated)
        known = np.flatnonzero(np.isfinite(key))
        order = known[np.lexsort((known, np.nan_to_num(self.stated[known]), key[known]))]
        found = np.full(len(key), _NONE, np.int64)
        found[order] = np.arange(len(order))
        return found

    def passing(self, time: Time, anchored: Mask, among: Mask | None = None) -> Mask:
        """(N,) films that pass. anchored: (N,) films that may make a study the anchor; among: (N,) all that count."""
        studies = self.population.studies
        counts = np.zeros(len(self.patient), bool)  # studies that are there at all
        counts[studies if among is None else studies[among]] = True
        marked = np.zeros(len(self.patient), bool)
        marked[studies[anchored if among is None else anchored & among]] = True
        if time.at_least_studies and not time.days:
            return self._often(marked, time.at_least_studies)[self.patient][studies]
        anchor = self._anchors(marked, time.which == LAST)
        of_study = anchor[self.patient]  # (S,) the anchor study of each study's patient, −1 for none
        if not time.days:
            return (of_study == np.arange(len(of_study)))[studies]
        away = np.where(of_study >= 0, self.day - self.day[of_study], np.nan)
        low = -np.inf if time.from_day is None else time.from_day
        high = np.inf if time.to_day is None else time.to_day
        within = (away >= low) & (away <= high) & counts
        if time.at_least_studies:
            within &= self._often(within, time.at_least_studies)[self.patient]
        return within[studies]

    def _anchors(self, marked: Mask, last: bool) -> NDArray[np.int64]:
        """(P,) each patient's first, or last, of the studies `marked`; −1 for none."""
        found = np.full(int(self.patient.max(initial=-1)) + 1, -1, np.int64)
        there = np.flatnonzero(marked & (self.place != _NONE))
        there = there[np.argsort(self.place[there])]
        there = there if last else there[::-1]
        found[self.patient[there]] = there  # the one that is written last stays
        return found

    def _often(self, marked: Mask, least: int) -> Mask:
        """(P,) patients with so many of the studies `marked`."""
        people = int(self.patient.max(initial=-1)) + 1
        found: Mask = np.bincount(self.patient[marked], minlength=people) >= least
        return found

    def _first(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(S,) the least of each study's films' values, NaN where none has any."""
        found = np.full(int(self.population.studies.max(initial=-1)) + 1, np.inf)
        known = np.isfinite(values)
        np.minimum.at(found, self.population.studies[known], values[known])
        return np.where(np.isfinite(found), found, np.nan)


def _day(text: str) -> float:
    try:
        return float(np.datetime64(text, "D").astype(np.int64))
    except ValueError:
        return float("nan")
