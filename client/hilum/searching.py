"""Searches, for both clients. What a search takes is `hilum.queries.Asked`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Unpack

from hilum import explanation, queries, showing
from hilum.connection import AsyncConnection, Connection
from hilum.errors import HilumError
from hilum.explanation import Explanation
from hilum.quality import ModelQuality
from hilum.queries import Asked
from hilum.results import Reason, SearchResult
from hilum.v1 import common_pb2, query_pb2

_PAGE = 200
_AT_ONCE = 8
Outcome = SearchResult | HilumError


class Searching(Connection):
    """Films like films, by words, and all between."""

    def search(self, **asked: Unpack[Asked]) -> SearchResult:
        """Films like a film, by words, or by several things at once; the arguments are those of `hilum.Asked`."""
        return self._found(self._call(self._to.query.Search, queries.search(**asked)))

    def search_pages(self, **asked: Unpack[Asked]) -> Iterator[SearchResult]:
        """A long answer page by page. Its order is settled by the first page and kept for 15 minutes, so that pages
        neither skip nor repeat while films come and go."""
        page = self.search(**{"page_size": _PAGE, **asked})
        yield page
        while page.next_page_token:
            page = self.page(page.next_page_token)
            yield page

    def page(self, token: str) -> SearchResult:
        """The page that an answer's `next_page_token` names."""
        return self._found(self._call(self._to.query.Search, query_pb2.SearchRequest(page_token=token)))

    def search_stream(self, **asked: Unpack[Asked]) -> Iterator[SearchResult]:
        """A long answer in one call, in pieces as they are read."""
        request = queries.search(**asked)
        yield from map(self._found, self._stream(self._to.query.SearchStream, request, self._timeout))

    def search_batch(self, searches: Sequence[Asked | Mapping[str, Any]]) -> list[Outcome]:
        """Many searches at once: of each its result, or the HilumError it failed with."""
        answer = self._call(self._to.query.SearchBatch, _batch(searches))
        return [_outcome(one, self.thumbnail) for one in answer.outcomes]

    def why_not(self, image_id: str, /, **asked: Unpack[Asked]) -> list[Reason]:
        """Why a film that was expected is not among the answers of a search."""
        answer = self._call(self._to.query.WhyNot, _why_not(image_id, asked))
        return [Reason.of(reason) for reason in answer.reasons]

    def quality(self) -> list[ModelQuality]:
        """How far each model's answers can be trusted on this archive: what was measured of its index, hubs, scores."""
        answer = self._call(self._to.query.GetQuality, query_pb2.GetQualityRequest())
        return [ModelQuality.of(one) for one in answer.models]

    def explain(self, id: str, **asked: Any) -> Explanation:
        """Where in a stored film a model sees words or another film; the arguments are those of
        `hilum.explanation.request`."""
        return Explanation.of(self._call(self._to.query.ExplainMatch, explanation.request(id, **asked)))

    def thumbnail(self, image_id: str) -> bytes:
        """The picture of a stored film."""
        blob: common_pb2.Blob = self._call(self._to.query.GetThumbnail, query_pb2.GetImageRequest(image_id=image_id))
        return blob.data

    def pictures(self, result: SearchResult) -> SearchResult:
        """Fetch the pictures that the result shows in a notebook; returns it."""
        result._pictures.put({image_id: self.thumbnail(image_id) for image_id in showing.pictured(result)})
        return result

    def _found(self, answer: query_pb2.SearchResponse) -> SearchResult:
        return SearchResult.of(answer, self.thumbnail)


class AsyncSearching(AsyncConnection):
    """The same as coroutines."""

    async def search(self, **asked: Unpack[Asked]) -> SearchResult:
        """As `Client.search`."""
        return SearchResult.of(await self._call(self._to.query.Search, queries.search(**asked)))

    async def search_pages(self, **asked: Unpack[Asked]) -> AsyncIterator[SearchResult]:
        """As `Client.search_pages`."""
        page = await self.search(**{"page_size": _PAGE, **asked})
        yield page
        while page.next_page_token:
            page = await self.page(page.next_page_token)
            yield page

    async def page(self, token: str) -> SearchResult:
        """As `Client.page`."""
        return SearchResult.of(await self._call(self._to.query.Search, query_pb2.SearchRequest(page_token=token)))

    async def search_stream(self, **asked: Unpack[Asked]) -> AsyncIterator[SearchResult]:
        """As `Client.search_stream`."""
        async for piece in self._stream(self._to.query.SearchStream, queries.search(**asked), self._timeout):
            yield SearchResult.of(piece)

    async def search_batch(self, searches: Sequence[Asked | Mapping[str, Any]]) -> list[Outcome]:
        """As `Client.search_batch`."""
        answer = await self._call(self._to.query.SearchBatch, _batch(searches))
        return [_outcome(one, None) for one in answer.outcomes]

    async def why_not(self, image_id: str, /, **asked: Unpack[Asked]) -> list[Reason]:
        """As `Client.why_not`."""
        answer = await self._call(self._to.query.WhyNot, _why_not(image_id, asked))
        return [Reason.of(reason) for reason in answer.reasons]

    async def quality(self) -> list[ModelQuality]:
        """As `Client.quality`."""
        answer = await self._call(self._to.query.GetQuality, query_pb2.GetQualityRequest())
        return [ModelQuality.of(one) for one in answer.models]

    async def explain(self, id: str, **asked: Any) -> Explanation:
        """As `Client.explain`."""
        return Explanation.of(await self._call(self._to.query.ExplainMatch, explanation.request(id, **asked)))

    async def thumbnail(self, image_id: str) -> bytes:
        """The picture of a stored film."""
        return (await self._call(self._to.query.GetThumbnail, query_pb2.GetImageRequest(image_id=image_id))).data

    async def pictures(self, result: SearchResult) -> SearchResult:
        """Fetch the pictures that the result shows in a notebook; returns it: ``await client.pictures(found)``."""
        ids, few = showing.pictured(result), asyncio.Semaphore(_AT_ONCE)

        async def fetched(image_id: str) -> bytes:
            async with few:
                return await self.thumbnail(image_id)

        result._pictures.put(dict(zip(ids, await asyncio.gather(*map(fetched, ids)), strict=True)))
        return result


def _batch(searches: Sequence[Asked | Mapping[str, Any]]) -> query_pb2.SearchBatchRequest:
    return query_pb2.SearchBatchRequest(requests=[queries.search(**asked) for asked in searches])


def _why_not(image_id: str, asked: Asked) -> query_pb2.WhyNotRequest:
    return query_pb2.WhyNotRequest(search=queries.search(**asked), image_id=image_id)


def _outcome(outcome: query_pb2.SearchOutcome, thumbnail: showing.Thumbnail | None) -> Outcome:
    if outcome.HasField("error"):
        error = outcome.error
        return HilumError(common_pb2.ErrorCode.Name(error.code), error.message, error.request_id)
    return SearchResult.of(outcome.response, thumbnail)
