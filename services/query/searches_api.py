"""hilum.v1.SearchesService: questions kept by name.

Until there are users, everybody who may ask is the one owner.
"""

from __future__ import annotations

from hilum.v1 import query_pb2, searches_pb2
from services.core.facts import Facts, searches
from services.core.facts.searches import Kept
from services.query import convert, saved
from services.query.saved import Saved
from services.query.search.pages import Pages
from services.transport.edge import Call, Route

OWNER = "local"


class SearchesApi:
    """Keep, ask again, mark, refine."""

    service = searches_pb2.DESCRIPTOR.services_by_name["SearchesService"]
    routes = (
        Route("POST", "/v1/searches", "SaveSearch"),
        Route("GET", "/v1/searches", "ListSearches"),
        Route("GET", "/v1/searches/{search_id}", "GetSearch"),
        Route("DELETE", "/v1/searches/{search_id}", "DeleteSearch"),
        Route("POST", "/v1/searches/{search_id}:run", "RunSearch"),
        Route("GET", "/v1/searches/{search_id}/marks", "ListMarks"),
        Route("POST", "/v1/searches/{search_id}:mark", "MarkHits"),
        Route("POST", "/v1/searches/{search_id}:refine", "RefineSearch"),
    )

    def __init__(self, facts: Facts, pages: Pages) -> None:
        self._facts, self._pages, self._saved = facts, pages, Saved(facts)

    def save_search(self, request: searches_pb2.SaveSearchRequest, call: Call) -> searches_pb2.SavedSearch:
        return _message(self._saved.save(OWNER, request.title, request.request, request.search_id, call.access))

    def list_searches(self, request: searches_pb2.ListSearchesRequest, call: Call) -> searches_pb2.ListSearchesResponse:
        return searches_pb2.ListSearchesResponse(searches=map(_message, searches.listed(self._facts, OWNER)))

    def get_search(self, request: searches_pb2.SearchIdRequest, call: Call) -> searches_pb2.SavedSearch:
        return _message(searches.get(self._facts, OWNER, request.search_id))

    def delete_search(self, request: searches_pb2.SearchIdRequest, call: Call) -> searches_pb2.SavedSearch:
        return _message(searches.remove(self._facts, OWNER, request.search_id))

    def run_search(self, request: searches_pb2.SearchIdRequest, call: Call) -> query_pb2.SearchResponse:
        question = convert.search_query(self._saved.question(OWNER, request.search_id))
        return convert.search_response(self._pages(question, call.cancelled, call.access.condition()))

    def mark_hits(self, request: searches_pb2.MarkRequest, call: Call) -> searches_pb2.Marks:
        grades = {mark.image_id: mark.grade for mark in request.marks}
        return _marks(self._saved.mark(OWNER, request.search_id, grades, request.unmark, call.access))

    def list_marks(self, request: searches_pb2.SearchIdRequest, call: Call) -> searches_pb2.Marks:
        return _marks(self._saved.marks(OWNER, request.search_id, call.access))

    def refine_search(self, request: searches_pb2.RefineRequest, call: Call) -> query_pb2.SearchResponse:
        changes = request.request if request.HasField("request") else None
        question = self._saved.refined(OWNER, request.search_id, request.method, changes, call.access)
        return convert.search_response(self._pages(question, call.cancelled, call.access.condition()))


def _message(kept: Kept) -> searches_pb2.SavedSearch:
    return searches_pb2.SavedSearch(
        search_id=kept.search_id, title=kept.title, request=saved.request_of(kept), created_at=kept.created_at,
        updated_at=kept.updated_at, marked=kept.marked,
    )  # fmt: skip


def _marks(grades: dict[str, int]) -> searches_pb2.Marks:
    return searches_pb2.Marks(marks=[searches_pb2.Mark(image_id=key, grade=grade) for key, grade in grades.items()])
