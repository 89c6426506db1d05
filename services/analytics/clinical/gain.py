"""What vectors add to tables: promises about patients that nothing was learned from.

Folds of patients; components, scales, fills and penalties are learned in each fold from the others. Pairs are compared
within a fold, the mean is taken over repeats with other folds. Intervals draw patients again, the promises stay as they
are, and a difference is of the same patients and folds: what moves both, cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from services.analytics import linear
from services.analytics.clinical import cox
from services.analytics.clinical import spaces as spaces_of
from services.analytics.clinical.join import Column
from services.analytics.clinical.outcome import Outcome
from services.analytics.clinical.spaces import FILMED, Data, points, reduce
from services.analytics.clinical.tables import Coding
from services.analytics.linear import Reading
from services.analytics.probe.scores import auroc, mean_known
from services.analytics.resample import weights

DRAWS = 500

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Gain:
    """By one space. apparent: on the patients that it was learned from.  reading: cross-validated, AUROC or Harrell's
    C.  promise: (M,) of each patient, mean over repeats, each as a rank within its fold."""

    space: str
    features: int
    apparent: float
    reading: Reading
    promise: Numbers


def gains(
    data: Data, outcome: Outcome, spaces: Sequence[str], components: int, folds: int, repeats: int, seed: int,
    progress: Callable[[int, int], None], filmed: Sequence[Column] = (),
) -> list[Gain]:  # fmt: skip
    """Of each of `spaces`, and of how patients were `filmed`. data: of the patients of `outcome.rows`, in their
    order."""
    spaces = [*spaces, *([FILMED] if Coding.learn(filmed).parts else [])]
    rare = outcome.events if outcome.time is not None else min(outcome.events, len(outcome) - outcome.events)
    folds = max(min(folds, rare, len(outcome) - outcome.events or rare), 2)
    fold = np.empty((repeats, len(outcome)), np.int64)
    promise = {space: np.empty((repeats, len(outcome))) for space in spaces}
    done = 0
    for repeat in range(repeats):
        parts = StratifiedKFold(folds, shuffle=True, random_state=seed + repeat)
        for number, (train, test) in enumerate(parts.split(np.zeros(len(outcome)), outcome.event)):
            fold[repeat, test] = number
            for space, x in _features(data, filmed, spaces, components, seed, train).items():
                promise[space][repeat, test] = _learn(x[train], outcome, train, seed)(x[test])
            done += 1
            progress(done, repeats * folds)
    drawn = weights(len(outcome), DRAWS, seed)
    whole = _features(data, filmed, spaces, components, seed, np.arange(len(outcome)))
    found = []
    for space in spaces:
        each = [_measure(outcome, p, None, f)[0] for p, f in zip(promise[space], fold, strict=True)]
        draws = np.stack([_measure(outcome, p, drawn, f) for p, f in zip(promise[space], fold, strict=True)])
        fitted = _learn(whole[space], outcome, np.arange(len(outcome)), seed)(whole[space])
        found.append(Gain(
            space, whole[space].shape[1], float(_measure(outcome, fitted)[0]),
            Reading(float(np.nanmean(each)), mean_known(draws)), _ranks(promise[space], fold),
        ))  # fmt: skip
    return found


def _features(
    data: Data, filmed: Sequence[Column], spaces: Sequence[str], components: int, seed: int, train: NDArray[np.int64]
) -> dict[str, Numbers]:
    """Space → (M, F), each column of variance 1 among those learned from."""
    reduced, found = reduce(data, components, seed, train), {}
    for space in spaces:
        match space:
            case spaces_of.FUSED_VAE:
                x = points(reduced, space, seed, train)
            case spaces_of.FILMED:
                x = Coding.learn(filmed, train)(filmed)
            case _:
                x = reduced.of(space)
        scale = x[train].std(axis=0)
        found[space] = (x - x[train].mean(axis=0)) / np.where(scale > 1e-12, scale, 1.0)
    return found


def _learn(x: Numbers, outcome: Outcome, rows: NDArray[np.int64], seed: int) -> Callable[[Numbers], Numbers]:
    """A function from features to risk, the higher the likelier or sooner."""
    event = outcome.event[rows]
    if outcome.time is None:
        codes, people = event.astype(np.int32), np.arange(len(rows), dtype=np.int32)
        held = linear.penalty(x.astype(np.float32), codes, people, seed)
        made = linear.learn(x.astype(np.float32), codes, 2, [held])[0]
        return lambda others: made(others.astype(np.float32))[:, 1]
    time = outcome.time[rows]
    beta = cox.fit(x, time, event, cox.choose(x, time, event, seed))
    return lambda others: others @ beta


def _measure(
    outcome: Outcome, promise: Numbers, drawn: Numbers | None = None, fold: NDArray[np.int64] | None = None
) -> Numbers:
    if outcome.time is None:
        return auroc(outcome.event, promise, drawn, fold)
    return cox.concordance(outcome.time, outcome.event, promise, drawn, fold)


def _ranks(promise: Numbers, fold: NDArray[np.int64]) -> Numbers:
    """(M,) between 0 and 1: promises of different folds are of different models."""
    ranks = np.empty_like(promise)
    for row, (one, parts) in enumerate(zip(promise, fold, strict=True)):
        for part in np.unique(parts):
            inside = parts == part
            ranks[row, inside] = (np.argsort(np.argsort(one[inside])) + 0.5) / inside.sum()
    found: Numbers = ranks.mean(axis=0)
    return found
