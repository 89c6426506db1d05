"""What is asked of a calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from services.analytics.asked import Asked
from services.core.errors import invalid


@dataclass(frozen=True, kw_only=True)
class CalibrationAsked(Asked):
    """folds: of patients, to measure the curves on patients that they were not fitted on. Each model is calibrated on
    all the films it holds."""

    kind: ClassVar[str] = "calibration"
    together: ClassVar[bool] = False

    folds: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= self.folds <= 20:
            raise invalid("folds is between 2 and 20")
