"""What is asked of a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from services.analytics.asked import MAP, Asked
from services.core.errors import invalid

MAX_RESOLUTIONS = 10


@dataclass(frozen=True, kw_only=True)
class MapAsked(Asked):
    """resolutions: of Leiden's clusters; more gives smaller ones."""

    kind: ClassVar[str] = MAP

    resolutions: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= len(self.resolutions) <= MAX_RESOLUTIONS:
            raise invalid(f"name at most {MAX_RESOLUTIONS} resolutions")
        if not all(0 < resolution <= 1000 for resolution in self.resolutions):
            raise invalid("a resolution is above 0 and at most 1000; 1 is usual, more gives smaller clusters")
        if len(set(self.resolutions)) < len(self.resolutions):
            raise invalid("a resolution is named twice; name each once")
