"""Questions kept by name: asked again as they were, moved by marks, and never holding an uploaded film."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from hilum.v1 import query_pb2, searches_pb2
from services.core.access import Access
from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from services.query import by, convert
from services.query.api import QueryApi
from services.query.searches_api import SearchesApi
from services.transport.edge import Call
from tests.kit.archive import Archive, png, spot
from tests.kit.places import PlacesEncoder

CALL = Call("test")


@pytest.fixture
def served(facts: Facts, engine: EngineProcess, tmp_path: Path) -> Iterator[SimpleNamespace]:
    store = VectorStore(engine.url)
    archive = Archive(
        facts, store, Blobs(tmp_path / "blobs"), [PlacesEncoder("saved"), PlacesEncoder("saved-mute", 24, 1)]
    )
    archive.open()
    films = [archive.add(f"f{i}", spot(0.5, 0.1 + 0.08 * i)).image_id for i in range(10)]
    archive.settle()
    query = QueryApi(facts, store, archive.encode, archive.blobs)
    yield SimpleNamespace(api=SearchesApi(facts, query.pages), query=query, films=films, archive=archive)
    query.close()
    archive.clear()
    archive.close()
    store.close()


def keep(api: SearchesApi, title: str = "left ones", **query) -> searches_pb2.SavedSearch:
    request = query_pb2.SearchRequest(query=query_pb2.Query(**query), limit=4)
    return api.save_search(searches_pb2.SaveSearchRequest(title=title, request=request), CALL)


def ids(answer: query_pb2.SearchResponse) -> list[str]:
    return [hit.image_id for hit in answer.hits]


def by_id(search_id: str) -> searches_pb2.SearchIdRequest:
    return searches_pb2.SearchIdRequest(search_id=search_id)


def test_a_question_is_kept_asked_again_and_forgotten(served: SimpleNamespace) -> None:
    kept = keep(served.api, image_id=served.films[4])
    again = served.api.run_search(by_id(kept.search_id), CALL)
    assert set(ids(again)) <= set(served.films) - {served.films[4]} and len(ids(again)) == 4
    [listed] = served.api.list_searches(searches_pb2.ListSearchesRequest(), CALL).searches
    assert (listed.title, listed.request.query.image_id, listed.marked) == ("left ones", served.films[4], 0)
    changed = served.api.save_search(
        searches_pb2.SaveSearchRequest(search_id=kept.search_id, title="renamed", request=kept.request), CALL
    )
    assert (changed.search_id, changed.title) == (kept.search_id, "renamed")
    served.api.delete_search(by_id(kept.search_id), CALL)
    with pytest.raises(HilumError) as gone:
        served.api.get_search(by_id(kept.search_id), CALL)
    assert gone.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize("method", ["rocchio", "recommend"])
def test_marks_move_the_question(served: SimpleNamespace, method: str) -> None:
    kept = keep(served.api, image_id=served.films[5])
    refine = searches_pb2.RefineRequest(search_id=kept.search_id, method=method)
    with pytest.raises(HilumError) as unmarked:
        served.api.refine_search(refine, CALL)
    assert unmarked.value.code is ErrorCode.FAILED_PRECONDITION
    marks = [searches_pb2.Mark(image_id=served.films[2], grade=3), searches_pb2.Mark(image_id=served.films[8], grade=0)]
    told = served.api.mark_hits(searches_pb2.MarkRequest(search_id=kept.search_id, marks=marks), CALL)
    assert {mark.image_id: mark.grade for mark in told.marks} == {served.films[2]: 3, served.films[8]: 0}
    moved = ids(served.api.refine_search(refine, CALL))
    assert moved[0] in (served.films[3], served.films[1], served.films[4]), "towards what is relevant"
    assert served.films[2] not in moved and served.films[8] not in moved, "what was marked is known"
    assert served.api.get_search(by_id(kept.search_id), CALL).marked == 2
    left = served.api.mark_hits(searches_pb2.MarkRequest(search_id=kept.search_id, unmark=[served.films[8]]), CALL)
    assert [mark.image_id for mark in left.marks] == [served.films[2]]


def test_what_a_refinement_says_counts_in_place_of_what_was_kept(served: SimpleNamespace) -> None:
    films, api = served.films, served.api
    asked = query_pb2.SearchRequest(query={"image_id": films[5]}, limit=4, filter="view = LATERAL", exact=True)
    kept = api.save_search(searches_pb2.SaveSearchRequest(title="lateral ones", request=asked), CALL)
    mark = searches_pb2.Mark(image_id=films[2], grade=1)
    api.mark_hits(searches_pb2.MarkRequest(search_id=kept.search_id, marks=[mark]), CALL)

    def refined(**changes: object) -> query_pb2.SearchResponse:
        told = query_pb2.SearchRequest(**changes) if changes else None
        return api.refine_search(searches_pb2.RefineRequest(search_id=kept.search_id, request=told), CALL)

    assert not ids(refined()) and refined().provenance.exact, "none is lateral"
    answer = refined(filter="", models=["saved-mute"], diversity=0.5, limit=3)
    assert len(ids(answer)) == 3 and [one.name for one in answer.provenance.models] == ["saved-mute"]
    assert answer.provenance.exact and "LATERAL" not in answer.provenance.filter
    assert not refined(filter="", exact=False).provenance.exact, "what was kept can be undone"
    both = refined(filter="", models=["saved", "saved-mute"], fusion="weighted", weights={"saved": 0.0})
    assert both.models_asked == 2 and all(len(hit.agreement) == 2 for hit in both.hits)
    with pytest.raises(HilumError, match="leave query"):
        refined(query={"text": "left"})


def test_marks_in_a_question_weigh_as_those_of_a_kept_one(served: SimpleNamespace) -> None:
    """Rocchio's rule has one home: examples beside a question, as pages send marks, rank as refinement does."""
    films = served.films
    question = {"mixture": {"parts": [{"query": {"text": "left"}}, {"query": {"image_id": films[5]}}]}}
    kept = keep(served.api, **question)
    marks = [searches_pb2.Mark(image_id=films[2], grade=1), searches_pb2.Mark(image_id=films[8], grade=0)]
    served.api.mark_hits(searches_pb2.MarkRequest(search_id=kept.search_id, marks=marks), CALL)
    asked = query_pb2.SearchRequest(limit=4, query={"examples": {
        "question": question, "positive": [{"image_id": films[2]}], "negative": [{"image_id": films[8]}]}})  # fmt: skip
    refined = served.api.refine_search(searches_pb2.RefineRequest(search_id=kept.search_id), CALL)
    answer = served.query.search(asked, CALL)
    assert [(hit.image_id, hit.score) for hit in answer.hits] == [(hit.image_id, hit.score) for hit in refined.hits]
    moved = convert.by(asked.query)
    assert [weight for _, weight in moved.parts] == [1, 1, by.TOWARDS, -by.AWAY]
    twice = query_pb2.SearchRequest(query={"examples": {"question": asked.query, "positive": [{"text": "left"}]}})
    with pytest.raises(HilumError, match="none of examples"):
        served.query.search(twice, CALL)


def test_no_uploaded_film_is_kept(served: SimpleNamespace) -> None:
    known = keep(served.api, image=png(spot(0.5, 0.1)))
    assert known.request.query.image_id == served.films[0] and not known.request.query.image
    with pytest.raises(HilumError) as strange:
        keep(served.api, image=png(spot(0.9, 0.9)))
    assert strange.value.code is ErrorCode.FAILED_PRECONDITION


def test_who_may_not_see_a_film_learns_nothing_of_it(served: SimpleNamespace) -> None:
    """Neither by marking it, nor by what others marked, nor by bringing its file."""
    nobody = Call("test", access=Access(frozenset({"elsewhere"})))
    kept = keep(served.api, text="left")
    mark = searches_pb2.Mark(image_id=served.films[1], grade=1)
    request = searches_pb2.MarkRequest(search_id=kept.search_id, marks=[mark])
    with pytest.raises(HilumError) as hidden:
        served.api.mark_hits(request, nobody)
    missing = searches_pb2.Mark(image_id="00000000-0000-5000-8000-000000000000", grade=1)
    with pytest.raises(HilumError) as nowhere:
        served.api.mark_hits(searches_pb2.MarkRequest(search_id=kept.search_id, marks=[missing]), nobody)
    assert (hidden.value.code, str(hidden.value)) == (nowhere.value.code, str(nowhere.value))
    served.api.mark_hits(request, CALL)
    assert not served.api.list_marks(by_id(kept.search_id), nobody).marks
    with pytest.raises(HilumError, match="mark at least one"):
        served.api.refine_search(searches_pb2.RefineRequest(search_id=kept.search_id), nobody)
    theirs = query_pb2.SearchRequest(query={"image": png(spot(0.5, 0.1))})
    with pytest.raises(HilumError, match="does not hold this film"):
        served.api.save_search(searches_pb2.SaveSearchRequest(title="t", request=theirs), nobody)


@pytest.mark.parametrize(
    ("title", "grade", "image_id"),
    [("", 1, None), ("x" * 201, 1, None), ("ok", 4, None), ("ok", -1, None), ("ok", 1, "nonsense"),
     ("ok", 1, "00000000-0000-5000-8000-000000000000")],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused(served: SimpleNamespace, title: str, grade: int, image_id: str | None) -> None:
    with pytest.raises(HilumError):
        kept = keep(served.api, title, image_id=served.films[0])
        mark = searches_pb2.Mark(image_id=image_id or served.films[1], grade=grade)
        served.api.mark_hits(searches_pb2.MarkRequest(search_id=kept.search_id, marks=[mark]), CALL)
