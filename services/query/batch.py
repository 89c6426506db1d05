"""Many questions at once: one outcome each, so that one bad question costs the others nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.filters import Expr
from services.core.limits import MAX_BATCH
from services.query.asked import DEFAULT_LIMIT, SearchAnswer, SearchQuery
from services.query.search import Search

MAX_HITS = 10_000  # over all questions of a batch, so that the answer fits a message
_AT_ONCE = 4

Outcome = SearchAnswer | HilumError


class SearchBatch:
    """Answers up to 256 questions, several at a time, in their order."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="search-batch")

    def __call__(
        self,
        queries: Sequence[SearchQuery | HilumError],
        cancelled: Callable[[], bool],
        access: Expr | None = None,
    ) -> list[Outcome]:
        """One outcome per question. A question that could not even be read comes as its error and stays one.

        Raises INVALID_ARGUMENT for too many questions or too many answers in all.
        """
        if not 1 <= len(queries) <= MAX_BATCH:
            raise invalid(f"a batch holds between 1 and {MAX_BATCH} requests")
        if sum(query.limit or DEFAULT_LIMIT for query in queries if isinstance(query, SearchQuery)) > MAX_HITS:
            raise invalid(f"the limits of a batch add up to at most {MAX_HITS}; send several batches")

        def answer(query: SearchQuery | HilumError) -> Outcome:
            if isinstance(query, HilumError):
                return query
            if cancelled():
                return HilumError(ErrorCode.CANCELLED, "the client went away")
            try:
                return self._search(query, cancelled, access)
            except HilumError as error:
                return error

        return list(self._pool.map(answer, queries))

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
