"""What is asked of probes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from services.analytics.asked import Asked
from services.core.errors import ErrorCode, HilumError, invalid

CLASSIFIERS = ("logistic", "mlp")
AUTO, ON, OFF = "auto", "on", "off"
AUGMENT_FILMS = 2_000  # augmented unasked up to so many films: each is encoded six times by every model
MAX_PER_SIDE = 20_000
LEAST = 20  # films of a side; with fewer there is no probe


@dataclass(frozen=True, kw_only=True)
class ProbeAsked(Asked):
    """per_side: absent and present films to draw of each label and dataset.  folds: of patients.
    classifiers: of CLASSIFIERS; logistic regression is always among them, as the other measures are its.
    augment: AUTO, ON or OFF.  pooled: also each label over all datasets together.  save: keep the fitted probes."""

    kind: ClassVar[str] = "probe"
    graph: ClassVar[bool] = False

    per_side: int = 1000
    folds: int = 5
    classifiers: tuple[str, ...] = CLASSIFIERS
    augment: str = AUTO
    pooled: bool = False
    save: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.models:
            raise invalid("name one model or more")
        if not LEAST <= self.per_side <= MAX_PER_SIDE:
            raise invalid(f"per_side, the films of each side, is between {LEAST} and {MAX_PER_SIDE}")
        if not 2 <= self.folds <= 20:
            raise invalid("folds is between 2 and 20")
        if not set(self.classifiers) <= set(CLASSIFIERS) or len(set(self.classifiers)) < len(self.classifiers):
            raise invalid(f"classifiers are {', '.join(CLASSIFIERS)}, each once")
        if CLASSIFIERS[0] not in self.classifiers:
            raise invalid(f"{CLASSIFIERS[0]} is always among the classifiers: the other measures are of it")
        if self.augment not in (AUTO, ON, OFF):
            raise invalid(f"augment is {AUTO} (up to {AUGMENT_FILMS} films), {ON} or {OFF}")

    def enough(self, films: int) -> None:
        """Raises FAILED_PRECONDITION when so few films can hold no two sides. Neighbours are not asked for."""
        films = min(films, self.sample_size or films)
        if films < 2 * LEAST:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                f"{films} films match that every one of these models holds; a probe needs {LEAST} with and {LEAST} "
                "without a finding: widen the filter, or ingest more films",
            )
