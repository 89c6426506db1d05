"""Similar cases, and films by words: the use case behind both transports."""

from services.query.search.pipeline import Search

__all__ = ["Search"]
