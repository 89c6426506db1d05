"""``hilum search`` and ``hilum searches``."""

from services.app.commands.search import kept
from services.app.commands.search.command import search

__all__ = ["kept", "search"]
