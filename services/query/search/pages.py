"""Long answers in pages: the order is settled once and kept for a while, so that pages neither skip nor repeat."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts
from services.core.filters import Expr
from services.query import films
from services.query.asked import Hit, SearchAnswer, SearchQuery
from services.query.search.pipeline import Search
from services.transport import paging

_KEPT_SECONDS = 900.0
_MOST_HITS = 100_000  # over all answers kept: about 50 MB
STREAMED = 200  # hits in a message of a stream


@dataclass(frozen=True, slots=True)
class _Kept:
    """What of an answer is needed to go on: its films by their ids alone, for records are large and may change."""

    answer: SearchAnswer  # without hits
    ids: tuple[str, ...]
    hits: tuple[tuple[object, ...], ...]  # a hit's fields behind `image`
    size: int
    access: Expr | None
    until: float


class Pages:
    """Answers questions page by page. Safe to share between threads. Films that come meanwhile shift nothing; films
    that go meanwhile are left out."""

    def __init__(self, search: Search, facts: Facts) -> None:
        self._search, self._facts = search, facts
        self._kept: OrderedDict[str, _Kept] = OrderedDict()  # oldest first
        self._hits = 0  # in all of them
        self._lock = threading.Lock()

    def __call__(self, query: SearchQuery, cancelled: Callable[[], bool], access: Expr | None = None) -> SearchAnswer:
        """The answer, or its first page where pages are asked for."""
        answer = self._search(query, cancelled, access)
        size = query.showing.page_size
        if not size or len(answer.hits) <= size:
            return answer
        name, moment = secrets.token_urlsafe(16), time.monotonic()
        ids = tuple(hit.image.record.image_id for hit in answer.hits)
        kept = _Kept(
            replace(answer, hits=(), priors=()), ids, tuple(map(_light, answer.hits)), size, access,
            moment + _KEPT_SECONDS,
        )  # fmt: skip
        with self._lock:
            self._kept[name] = kept
            self._hits += len(ids)
            while (self._hits > _MOST_HITS and len(self._kept) > 1) or next(iter(self._kept.values())).until < moment:
                self._hits -= len(self._kept.popitem(last=False)[1].ids)
        return replace(answer, hits=answer.hits[:size], next_token=paging.token(f"{name}/{size}"))

    def next(self, token: str, access: Expr | None = None) -> SearchAnswer:
        """The page that a token names. Raises INVALID_ARGUMENT for no token of ours; FAILED_PRECONDITION when the
        answer is kept no longer, or by another process."""
        name, _, place = paging.position(token).rpartition("/")
        with self._lock:
            kept = self._kept.get(name)
        if kept is None or kept.until < time.monotonic() or not place.isdecimal() or kept.access != access:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION, "this answer is kept no longer; ask again from the first page"
            )
        start = int(place)
        page = range(start, min(start + kept.size, len(kept.ids)))
        there = films.shown(self._facts, [kept.ids[number] for number in page])
        end = start + len(page)
        return replace(
            kept.answer,
            hits=tuple(
                Hit(there[kept.ids[number]], *kept.hits[number])  # type: ignore[arg-type]  # as `_light` took them
                for number in page
                if kept.ids[number] in there
            ),
            next_token=paging.token(f"{name}/{end}") if end < len(kept.ids) else "",
        )

    def stream(
        self, query: SearchQuery, cancelled: Callable[[], bool], access: Expr | None = None
    ) -> Iterator[SearchAnswer]:
        """The whole answer in pieces, the first with its priors, each with its provenance."""
        answer = self._search(query, cancelled, access)
        for start in range(0, max(len(answer.hits), 1), STREAMED):
            piece = replace(answer, hits=answer.hits[start : start + STREAMED])
            yield piece if start == 0 else replace(piece, priors=())


def _light(hit: Hit) -> tuple[object, ...]:
    return tuple(getattr(hit, field.name) for field in fields(Hit)[1:])
