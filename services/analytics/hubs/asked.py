"""What is asked of a measurement of hubs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from services.analytics.asked import Asked


@dataclass(frozen=True, kw_only=True)
class HubsAsked(Asked):
    """k: neighbours of which a film's density is the mean. Each model is measured on all the films it holds."""

    kind: ClassVar[str] = "hubs"
    together: ClassVar[bool] = False

    @property
    def whole(self) -> bool:
        """Is it of the whole archive? Only then do its densities say what crowds a search."""
        return not self.filter and not self.sample_size
