"""How words were read, for the answer."""

from __future__ import annotations

from hilum.v1 import query_pb2
from services.query.words.understand import Mention


def message(mention: Mention) -> query_pb2.Understood:
    """Mention → message."""
    return query_pb2.Understood(
        finding=mention.finding,
        words=mention.words,
        polarity=mention.polarity.value,
        side=mention.side,
        severity=mention.severity,
    )
