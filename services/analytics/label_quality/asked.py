"""What is asked of labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from services.analytics.asked import Asked
from services.core.errors import invalid
from services.core.labels import label_key

RATES = (0.01, 0.05, 0.1, 0.2, 0.3)


@dataclass(frozen=True, kw_only=True)
class LabelQualityAsked(Asked):
    """folds: patient-disjoint, of the classifier that doubts labels.  shown: films of each finding in the report.
    flip: a finding to mislabel on purpose, at `rates` of the patients, `repeats` times each."""

    kind: ClassVar[str] = "label_quality"

    folds: int = 5
    shown: int = 12
    flip: str = ""
    rates: tuple[float, ...] = RATES
    repeats: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "flip", label_key(self.flip))
        object.__setattr__(self, "rates", tuple(sorted(set(self.rates))))
        if not 2 <= self.folds <= 20:
            raise invalid("folds is between 2 and 20")
        if not 1 <= self.shown <= 100:
            raise invalid("shown is how many films of each finding the report has, between 1 and 100")
        if len(self.rates) > 12 or not all(0 < rate <= 0.5 for rate in self.rates):
            raise invalid("rates are at most 12 shares of patients, each above 0 and at most 0.5")
        if not 2 <= self.repeats <= 50:
            raise invalid("repeats, of which intervals are made, is between 2 and 50")
