"""Could a finding be read by an axis instead? How they go together, beside what each alone tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency

from services.analytics import linear
from services.analytics.linear import Reading
from services.analytics.probe.scores import auroc, holm
from services.analytics.shift.axes import Axis, one_each
from services.analytics.structure.enrichment import cramer

STRONG = 0.1  # Cramér's V from which an association can carry a probe
SURE = 0.01


@dataclass(frozen=True)
class Shortcut:
    """A finding and an axis. films: that state the one and are known along the other.  v, p: Cramér's V (corrected for
    bias) and χ² of one film of each patient; p as it stands among all pairs (Holm).  probe: AUROC of the finding from
    vectors.  alone: of the finding from the axis alone.  within: of the finding from vectors, among films of one value
    only; NaN where no value has both.  axis: AUROC of the axis from vectors."""

    finding: str
    axis: str
    films: int
    v: float
    p: float
    probe: Reading
    alone: Reading
    within: float
    read: Reading

    @property
    def warned(self) -> bool:
        """They go together, the vectors tell the axis, and the axis alone tells the finding: the probe may be reading
        the axis."""
        surely = self.read.estimate.low > 0.5 and self.alone.estimate.low > 0.5
        return self.p < SURE and self.v >= STRONG and surely


def weigh(
    finding: str,
    has: NDArray[np.int32],
    promise: NDArray[np.float64],
    axis: Axis,
    read: Reading,
    patients: NDArray[np.int32],
    folds: int,
    seed: int,
) -> Shortcut | None:
    """has: (N,) 1, 0, or −1 where it is not judged.  promise: (N,) out of fold, of those that are.  None where one of
    the two is the same everywhere."""
    rows = np.flatnonzero((axis.codes >= 0) & (has >= 0) & np.isfinite(promise))
    y, codes, people = has[rows], axis.codes[rows], patients[rows]
    if not linear.enough(y, people, folds) or len(np.unique(codes)) < 2:
        return None
    one = one_each(np.arange(len(rows)), people, seed)
    table = np.zeros((len(axis.values), 2))
    np.add.at(table, (codes[one], y[one]), 1)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(table.shape) < 2:
        return None
    values = np.eye(len(axis.values), dtype=np.float32)[codes]
    alone = linear.out_of_fold(values, y, people, folds, seed, fixed=1.0)
    both = np.column_stack([1 - promise[rows], promise[rows]])
    within = auroc(y == 1, promise[rows], strata=codes.astype(np.int64))
    return Shortcut(
        finding, axis.name, len(rows), cramer(table), float(chi2_contingency(table, correction=False).pvalue),
        linear.reading(y, both, people, seed), linear.reading(y, alone, people, seed), float(within[0]), read,
    )  # fmt: skip


def corrected(found: Sequence[Shortcut]) -> list[Shortcut]:
    """With each p as it stands among all of them (Holm), those that go together most first."""
    p = holm({(one.finding, one.axis): one.p for one in found})
    made = [replace(one, p=p[one.finding, one.axis]) for one in found]
    return sorted(made, key=lambda one: (not one.warned, -one.v))
