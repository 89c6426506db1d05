"""Searches kept by name, and what their owner thinks of the answers, for both clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

from hilum import queries
from hilum.queries import Asked
from hilum.results import SearchResult
from hilum.searching import AsyncSearching, Searching
from hilum.v1 import query_pb2, searches_pb2


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A question kept by name. request: as the contract says it.  marked: films that were judged."""

    search_id: str
    title: str
    request: query_pb2.SearchRequest
    created_at: str
    updated_at: str
    marked: int

    @classmethod
    def of(cls, kept: searches_pb2.SavedSearch) -> SavedSearch:
        return cls(kept.search_id, kept.title, kept.request, kept.created_at, kept.updated_at, kept.marked)


class Saving(Searching):
    """Keep searches, judge their answers, ask again."""

    def save_search(self, title: str, /, search_id: str = "", **asked: Unpack[Asked]) -> SavedSearch:
        """Keep a search by name; with `search_id`, in place of the one kept so. A film given as a file is kept where
        the archive holds it."""
        return SavedSearch.of(self._call(self._to.searches.SaveSearch, _save(title, search_id, asked)))

    def searches(self) -> list[SavedSearch]:
        """Your searches, latest first."""
        answer = self._call(self._to.searches.ListSearches, searches_pb2.ListSearchesRequest())
        return [SavedSearch.of(kept) for kept in answer.searches]

    def saved_search(self, search_id: str) -> SavedSearch:
        """One search as it is kept."""
        return SavedSearch.of(self._call(self._to.searches.GetSearch, _named(search_id)))

    def run_search(self, search_id: str) -> SearchResult:
        """Ask a kept search again."""
        return self._found(self._call(self._to.searches.RunSearch, _named(search_id)))

    def mark(self, search_id: str, *films: str, grade: int = 1) -> dict[str, int]:
        """Say of films that they are relevant to a search: 1, up to 3 where degrees are told apart; 0 that they are
        not. Returns all marks of the search, image_id → grade."""
        return _grades(self._call(self._to.searches.MarkHits, _mark(search_id, films, grade)))

    def unmark(self, search_id: str, *films: str) -> dict[str, int]:
        """Take marks back. Returns those that remain."""
        request = searches_pb2.MarkRequest(search_id=search_id, unmark=films)
        return _grades(self._call(self._to.searches.MarkHits, request))

    def marks(self, search_id: str) -> dict[str, int]:
        """image_id → grade of all films judged."""
        return _grades(self._call(self._to.searches.ListMarks, _named(search_id)))

    def refine(self, search_id: str, *, method: str = "", **changes: Unpack[Asked]) -> SearchResult:
        """Ask a kept search again, moved towards what was marked relevant and away from what was not.

        method: ``rocchio`` (default) or ``recommend``.  changes: options of the search, in place of those kept; also to
        undo one, as in ``where=""`` or ``exact=False``.
        """
        return self._found(self._call(self._to.searches.RefineSearch, _refine(search_id, method, changes)))

    def delete_search(self, search_id: str) -> SavedSearch:
        """Forget a search and its marks."""
        return SavedSearch.of(self._call(self._to.searches.DeleteSearch, _named(search_id)))


class AsyncSaving(AsyncSearching):
    """The same as coroutines."""

    async def save_search(self, title: str, /, search_id: str = "", **asked: Unpack[Asked]) -> SavedSearch:
        """As `Client.save_search`."""
        return SavedSearch.of(await self._call(self._to.searches.SaveSearch, _save(title, search_id, asked)))

    async def searches(self) -> list[SavedSearch]:
        """Your searches, latest first."""
        answer = await self._call(self._to.searches.ListSearches, searches_pb2.ListSearchesRequest())
        return [SavedSearch.of(kept) for kept in answer.searches]

    async def saved_search(self, search_id: str) -> SavedSearch:
        """One search as it is kept."""
        return SavedSearch.of(await self._call(self._to.searches.GetSearch, _named(search_id)))

    async def run_search(self, search_id: str) -> SearchResult:
        """Ask a kept search again."""
        return SearchResult.of(await self._call(self._to.searches.RunSearch, _named(search_id)))

    async def mark(self, search_id: str, *films: str, grade: int = 1) -> dict[str, int]:
        """As `Client.mark`."""
        return _grades(await self._call(self._to.searches.MarkHits, _mark(search_id, films, grade)))

    async def unmark(self, search_id: str, *films: str) -> dict[str, int]:
        """Take marks back. Returns those that remain."""
        request = searches_pb2.MarkRequest(search_id=search_id, unmark=films)
        return _grades(await self._call(self._to.searches.MarkHits, request))

    async def marks(self, search_id: str) -> dict[str, int]:
        """image_id → grade of all films judged."""
        return _grades(await self._call(self._to.searches.ListMarks, _named(search_id)))

    async def refine(self, search_id: str, *, method: str = "", **changes: Unpack[Asked]) -> SearchResult:
        """As `Client.refine`."""
        return SearchResult.of(await self._call(self._to.searches.RefineSearch, _refine(search_id, method, changes)))

    async def delete_search(self, search_id: str) -> SavedSearch:
        """Forget a search and its marks."""
        return SavedSearch.of(await self._call(self._to.searches.DeleteSearch, _named(search_id)))


def _named(search_id: str) -> searches_pb2.SearchIdRequest:
    return searches_pb2.SearchIdRequest(search_id=search_id)


def _save(title: str, search_id: str, asked: Asked) -> searches_pb2.SaveSearchRequest:
    return searches_pb2.SaveSearchRequest(title=title, search_id=search_id, request=queries.search(**asked))


def _mark(search_id: str, films: tuple[str, ...], grade: int) -> searches_pb2.MarkRequest:
    marks = [searches_pb2.Mark(image_id=film, grade=grade) for film in films]
    return searches_pb2.MarkRequest(search_id=search_id, marks=marks)


def _refine(search_id: str, method: str, changes: Asked) -> searches_pb2.RefineRequest:
    request = queries.options(**changes) if changes else None
    return searches_pb2.RefineRequest(search_id=search_id, method=method, request=request)


def _grades(marks: searches_pb2.Marks) -> dict[str, int]:
    return {mark.image_id: mark.grade for mark in marks.marks}
