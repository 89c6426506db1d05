"""Long answers in pages: the order is settled once and kept for a while, so that pages neither skip nor repeat."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images
from services.core.filters import Expr
from services.query.asked import SearchAnswer, SearchQuery
from services.query.search.pipeline import Search
from services.transport import paging

_KEPT_SECONDS = 900.0
_MOST_HITS = 200_000  # over all answers kept: about 200 MB at the worst
STREAMED = 200  # hits in a message of a stream


@dataclass(slots=True)
class _Kept:
    answer: SearchAnswer
    size: int
    access: Expr | None
    until: float


class Pages:
    """Answers questions page by page. Safe to share between threads. Films that come meanwhile shift nothing; films
    that go meanwhile are left out."""

    def __init__(self, search: Search, facts: Facts) -> None:
        self._search, self._facts = search, facts
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, query: SearchQuery, cancelled: Callable[[], bool], access: Expr | None = None) -> SearchAnswer:
        """The answer, or its first page where pages are asked for."""
        answer = self._search(query, cancelled, access)
        size = query.showing.page_size
        if not size or len(answer.hits) <= size:
            return answer
        name = secrets.token_urlsafe(16)
        with self._lock:
            self._kept[name] = _Kept(answer, size, access, time.monotonic() + _KEPT_SECONDS)
            while sum(len(one.answer.hits) for one in self._kept.values()) > _MOST_HITS and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return replace(answer, hits=answer.hits[:size], next_token=paging.token(f"{name}/{size}"))

    def next(self, token: str, access: Expr | None = None) -> SearchAnswer:
        """The page that a token names. Raises INVALID_ARGUMENT for no token of ours; FAILED_PRECONDITION when the
        answer is kept no longer, or by another process."""
        name, _, place = paging.position(token).rpartition("/")
        with self._lock:
            kept = self._kept.get(name)
            if kept is not None and kept.until < time.monotonic():
                kept = self._kept.pop(name, None) and None
        if kept is None or not place.isdecimal() or kept.access != access:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION, "this answer is kept no longer; ask again from the first page"
            )
        start, hits = int(place), kept.answer.hits
        page = hits[start : start + kept.size]
        there = images.ledger(self._facts, [hit.image.record.image_id for hit in page])
        end = start + len(page)
        return replace(
            kept.answer,
            hits=tuple(hit for hit in page if hit.image.record.image_id in there),
            priors=(),
            next_token=paging.token(f"{name}/{end}") if end < len(hits) else "",
        )

    def stream(
        self, query: SearchQuery, cancelled: Callable[[], bool], access: Expr | None = None
    ) -> Iterator[SearchAnswer]:
        """The whole answer in pieces, the first with its priors, each with its provenance."""
        answer = self._search(query, cancelled, access)
        for start in range(0, max(len(answer.hits), 1), STREAMED):
            piece = replace(answer, hits=answer.hits[start : start + STREAMED])
            yield piece if start == 0 else replace(piece, priors=())
