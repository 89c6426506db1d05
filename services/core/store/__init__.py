"""The one gateway to Qdrant."""

from services.core.store.gateway import Scored, VectorStore, check_question, check_vectors
from services.core.store.payload import INDEXES, payload

__all__ = ["INDEXES", "Scored", "VectorStore", "check_question", "check_vectors", "payload"]
