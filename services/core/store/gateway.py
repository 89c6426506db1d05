"""The one gateway to Qdrant, whichever of its engines answers: embedded, server or cluster."""

from __future__ import annotations

from services.core.store.checks import check_vectors
from services.core.store.collections import Collections
from services.core.store.reading import Reading, Scored
from services.core.store.writing import Writing

__all__ = ["Scored", "VectorStore", "check_vectors"]


class VectorStore(Collections, Writing, Reading):
    """Vectors by model. Safe to share between threads. All vectors are ``(D,) float32``, ids are image ids."""
