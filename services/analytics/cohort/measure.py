"""Where films stand for matching: coordinates in which the straight distance is the one asked for.

- standardised: each covariate over √((s₁² + s₀²) / 2), of all cases and all possible controls.
- mahalanobis: whitened by the pooled covariance within cases and within controls (Rubin, Biometrics 1980; 36:293).
- propensity: the logit of the chance to be a case, by logistic regression on the covariates, over its standard
  deviation √((s₁² + s₀²) / 2) (Rosenbaum and Rubin, Am Stat 1985; 39:33). A caliper of 0.2 is Austin's (Pharm Stat
  2011; 10:150).

A variable of values is a column for each value, unknown being one. An unknown number stands at the mean and has a
column of its own that says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from services.analytics.cohort.traits import Number, Trait

MAHALANOBIS, STANDARDISED, PROPENSITY = DISTANCES = ("mahalanobis", "standardised", "propensity")
_C = 100.0  # hardly any penalty: it keeps coefficients finite where a covariate tells all cases
_STEPS = 1000

Matrix = NDArray[np.float64]


def coordinates(traits: Sequence[Trait], case: NDArray[np.bool_], how: str) -> Matrix:
    """(N, D) of N films, of which `case` (N,) are cases and the others possible controls. D is 0 where nothing tells
    two films apart."""
    columns = design(traits, len(case))
    spread = _spread(columns, case)
    columns, spread = columns[:, spread > 0], spread[spread > 0]
    if not columns.shape[1] or not len(columns):
        return np.zeros((len(case), 0))
    scaled = (columns - columns.mean(axis=0)) / spread
    if how == STANDARDISED:
        return scaled
    if how == MAHALANOBIS:
        return _white(scaled, case)
    logit = _logit(scaled, case)[:, None]
    spread = _spread(logit, case)
    return logit / spread if spread[0] > 0 else np.zeros((len(case), 0))


def design(traits: Sequence[Trait], films: int) -> Matrix:
    """(N, columns): numbers, a column for each value, columns that say what is unknown."""
    columns: list[Matrix] = []
    for one in traits:
        if isinstance(one, Number):
            known = np.isfinite(one.values)
            mean = one.values[known].mean() if known.any() else 0.0
            columns.append(np.where(known, one.values, mean))
            columns.append((~known).astype(np.float64))
        else:
            columns += [(one.codes == place).astype(np.float64) for place in range(-1, len(one.values))]
    return np.stack(columns, axis=1) if columns else np.zeros((films, 0))


def _spread(columns: Matrix, case: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(D,) √((s₁² + s₀²) / 2); 0, not a residue of rounding, where nothing varies. One film alone varies by 0."""
    varies = np.ptp(columns, axis=0) > 0 if len(columns) else np.zeros(columns.shape[1], bool)
    both = [columns[side].var(axis=0, ddof=1) if side.sum() > 1 else 0.0 * varies for side in (case, ~case)]
    found: NDArray[np.float64] = np.where(varies, np.sqrt(sum(both) / 2), 0.0)
    return found


def _white(columns: Matrix, case: NDArray[np.bool_]) -> Matrix:
    """Columns turned and scaled so that their covariance within the two groups is the unit matrix."""
    within = np.zeros((columns.shape[1],) * 2)
    for side in (case, ~case):
        if side.any():
            apart = columns[side] - columns[side].mean(axis=0)
            within += apart.T @ apart
    values, turned = np.linalg.eigh(within / max(len(case) - 2, 1))
    real = values > values.max() * 1e-9  # values of one variable add up to 1: as many directions say nothing
    return columns @ (turned[:, real] / np.sqrt(values[real]))


def _logit(columns: Matrix, case: NDArray[np.bool_]) -> NDArray[np.float64]:
    if case.all() or not case.any():
        return np.zeros(len(case))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of cases that a covariate tells wholly
        model = LogisticRegression(C=_C, max_iter=_STEPS).fit(columns, case)
    found: NDArray[np.float64] = model.decision_function(columns)
    return found
