"""The one gateway to Qdrant, whichever of its engines answers: embedded, server or cluster."""

from __future__ import annotations

from services.core.store.checks import check_question, check_vectors
from services.core.store.collections import Collections
from services.core.store.erasing import Erasing
from services.core.store.reading import Reading, Scored
from services.core.store.reports import Reports
from services.core.store.writing import Writing

__all__ = ["Scored", "VectorStore", "check_question", "check_vectors"]


class VectorStore(Collections, Writing, Erasing, Reading, Reports):
    """Vectors by model. Safe to share between threads. Ids are image ids.

    A film's vector is ``spec.shape float32``: ``(D,)``, or ``(T, D)`` for a model of several tokens. Those are compared
    by MaxSim: every vector of the question finds its nearest of the film's, and the score is the mean of those cosines.
    """
