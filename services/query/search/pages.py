"""Long answers in pages: the order is settled once and kept for a while, so that pages neither skip nor repeat."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from services.core.errors import ErrorCode, HilumError
from services.query.asked import SearchAnswer
from services.transport import paging

_KEPT_SECONDS = 900.0
_MOST_HITS = 200_000  # over all answers kept: about 200 MB at the worst


@dataclass(slots=True)
class _Kept:
    answer: SearchAnswer
    page_size: int
    until: float


class Pages:
    """Answers by token. Safe to share between threads. Films that come meanwhile shift nothing."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def first(self, answer: SearchAnswer, size: int) -> tuple[SearchAnswer, str]:
        """The answer to keep, and the token of its second page; empty when one page holds it."""
        if len(answer.hits) <= size:
            return answer, ""
        name = secrets.token_urlsafe(16)
        with self._lock:
            self._kept[name] = _Kept(answer, size, time.monotonic() + _KEPT_SECONDS)
            while sum(len(one.answer.hits) for one in self._kept.values()) > _MOST_HITS and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return answer, paging.token(f"{name}/{size}")

    def at(self, token: str) -> tuple[SearchAnswer, int, int, str]:
        """The answer behind a token, where its page starts and ends, and the next token.

        Raises FAILED_PRECONDITION when it is kept no longer, or by another process.
        """
        name, _, start = paging.position(token).rpartition("/")
        with self._lock:
            kept = self._kept.get(name)
            if kept is not None and kept.until < time.monotonic():
                del self._kept[name]
                kept = None
        if kept is None or not start.isdecimal():
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION, "this answer is kept no longer; ask again from the first page"
            )
        end = min(int(start) + kept.page_size, len(kept.answer.hits))
        return kept.answer, int(start), end, paging.token(f"{name}/{end}") if end < len(kept.answer.hits) else ""
