"""How well films find their reports, and reports their films, among those of patients the map has never seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.analytics import resample
from services.analytics.align.maps import Array
from services.analytics.estimate import Estimate

DEPTHS = (1, 5, 10)
TO_REPORT, TO_IMAGE = "image→report", "report→image"
FIGURES = (*(f"recall@{k}" for k in DEPTHS), "median_rank", "reciprocal_rank", "shared_findings_map")


@dataclass(frozen=True)
class Held:
    """Films and reports to search among. study: (N,) the row of each film's report.  patients: (N,) of films.
    findings: (N, F), which are stated as present."""

    study: NDArray[np.int64]
    patients: NDArray[np.int32]
    findings: NDArray[np.bool_]

    @property
    def reports(self) -> int:
        return int(self.study.max()) + 1

    @property
    def report_patients(self) -> NDArray[np.int32]:
        found = np.empty(self.reports, np.int32)
        found[self.study] = self.patients
        return found

    @property
    def report_findings(self) -> NDArray[np.bool_]:
        """(M, F): those of any film of the study."""
        found = np.zeros((self.reports, self.findings.shape[1]), bool)
        np.logical_or.at(found, self.study, self.findings)
        return found


@dataclass(frozen=True)
class Answers:
    """Of Q questions in one direction. rank: (Q,) of the right answer, 1 at best; with ties their middle.
    precision: (Q,) average precision of answers from other patients that share a finding; NaN for films without one.
    patients: (Q,) who asked."""

    rank: NDArray[np.float64]
    precision: NDArray[np.float64]
    patients: NDArray[np.int32]


def ask(films: Array, reports: Array, held: Held) -> dict[str, Answers]:
    """Both directions. films: (N, K), reports: (M, K), unit length, of one space."""
    scores = np.asarray(films, np.float32) @ np.asarray(reports, np.float32).T
    theirs, ours = held.report_findings, held.findings
    shared = (ours.astype(np.float32) @ theirs.astype(np.float32).T > 0) & (
        held.patients[:, None] != held.report_patients
    )
    stranger = held.patients[:, None] != held.report_patients
    right = held.study[:, None] == np.arange(held.reports)
    return {
        TO_REPORT: Answers(_ranks(scores, right), _precision(scores, shared, stranger), held.patients),
        TO_IMAGE: Answers(_ranks(scores.T, right.T), _precision(scores.T, shared.T, stranger.T), held.report_patients),
    }


def summed(answers: list[Answers], seed: int) -> dict[str, Estimate]:
    """Figures over all questions of several splits, intervals by patients: all that a patient asked stays together."""
    rank, precision, patients = (
        np.concatenate([getattr(one, name) for one in answers]) for name in ("rank", "precision", "patients")
    )
    columns = [*(rank <= k for k in DEPTHS), 1 / rank, precision]
    means = resample.means(np.stack(columns, axis=1).astype(np.float64), patients, seed)
    return dict(zip(FIGURES, [*means[:3], _median(rank, patients, seed), *means[3:]], strict=True))


def _ranks(scores: Array, right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Rank of the best right answer of each row; an answer that scores the same counts half."""
    best = np.where(right, scores, -np.inf).max(1, keepdims=True)
    ahead = ((scores > best) & ~right).sum(1)
    ties = ((scores == best) & ~right).sum(1)
    return 1.0 + ahead + ties / 2


def _precision(scores: Array, relevant: NDArray[np.bool_], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Average precision of each row over what is counted; NaN where nothing is relevant."""
    order = np.argsort(np.where(counted, -scores, np.inf), axis=1, kind="stable")
    hits = np.take_along_axis(relevant, order, axis=1)
    at = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    with np.errstate(invalid="ignore"):
        found: NDArray[np.float64] = (at * hits).sum(1) / hits.sum(1)
    return found


def _median(rank: NDArray[np.float64], patients: NDArray[np.int32], seed: int) -> Estimate:
    """Of ranks, its interval by patients."""
    order = np.argsort(rank, kind="stable")
    ranked, (_, person) = rank[order], np.unique(patients[order], return_inverse=True)
    drawn = resample.weights(int(person.max()) + 1, resample.DRAWS, seed)
    below = np.cumsum(drawn[:, person], axis=1)
    return Estimate.of(float(np.median(rank)), ranked[(below >= below[:, -1:] / 2).argmax(axis=1)])
