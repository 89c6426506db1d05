"""Films of another dataset cannot be reached by any rpc of the query service, whatever is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.message import Message

from hilum.v1 import encode_pb2, query_pb2
from services.core.access import ALL, Access
from services.core.blobs import Blobs
from services.core.config import from_environment
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, sets
from services.core.store import VectorStore
from services.core.types import ImageRecord
from services.query.api import QueryApi
from services.transport.edge import Call, handler
from tests.kit.archive import Archive, png, spot
from tests.kit.places import PlacesEncoder

MINE, THEIRS = "mine", "theirs"
CALL = Call("t", access=Access(frozenset({MINE})))
ENCODER = PlacesEncoder("tiny")


class World:
    """Two datasets of the same films, and a caller who may see one of them."""

    def __init__(self, archive: Archive, api: QueryApi) -> None:
        self.api = api
        self.films = {
            dataset: [
                archive.add(
                    f"{dataset}-{n}",
                    spot(0.2 + 0.1 * n, 0.6),
                    dataset=dataset,
                    patient_id=f"p-{dataset}-{n // 2}",
                    study_id=f"s-{dataset}-{n // 2}",
                    view="PA",
                    study_date=f"2020-01-0{n + 1}",
                    labels={"edema": "present" if n % 2 else "absent"},
                )
                for n in range(6)
            ]
            for dataset in (MINE, THEIRS)
        }
        archive.settle()
        sets.create(archive.facts, "both", "cohort", "", {}, [f.image_id for d in self.films.values() for f in d])
        self.secrets = {
            secret.encode()
            for film in self.films[THEIRS]
            for secret in (film.image_id, film.patient_id or "", film.study_id or "")
        }
        self.mine: ImageRecord = self.films[MINE][0]
        self.hidden: ImageRecord = self.films[THEIRS][0]
        self.bytes = png(spot(0.2, 0.6))  # the very file that both first films are

    def ask(self, rpc: str, message: Message, call: Call = CALL) -> Message | ErrorCode:
        """The answer, or the error's code; nothing of it may tell of a hidden film."""
        try:
            answer = handler(self.api, rpc)(message, call)
            parts = [answer] if isinstance(answer, Message) else list(answer)
        except HilumError as error:
            self.clean(error.client_message.encode())
            return error.code
        for part in parts:
            self.clean(part.SerializeToString())
        return parts[0]

    def clean(self, told: bytes) -> None:
        assert not [secret for secret in self.secrets if secret in told]


@pytest.fixture
def world(facts: Facts, store: VectorStore, tmp_path: Path) -> Iterator[World]:
    archive = Archive(facts, store, Blobs(tmp_path / "blobs"), [ENCODER])
    archive.open()
    api = QueryApi(facts, store, archive.encode, archive.blobs)
    yield World(archive, api)
    api.close()
    archive.clear()
    archive.close()


def searches(world: World) -> list[query_pb2.SearchRequest]:
    """Every way to ask that could meet a hidden film among its answers."""
    film = query_pb2.Query(image_id=world.mine.image_id)
    vector = query_pb2.Query(vector=encode_pb2.Vector(values=np.ones(ENCODER.spec.dim).tolist()))
    study = query_pb2.Query(study=query_pb2.Study(dataset=MINE, study_id=str(world.mine.study_id)))
    words = query_pb2.Query(text="a spot")
    both = query_pb2.Mixture(parts=[query_pb2.Part(query=film), query_pb2.Part(query=words)])
    common = {"models": ["tiny"], "limit": 50}
    return [
        query_pb2.SearchRequest(query=film, **common),
        query_pb2.SearchRequest(query=film, exclude="none", priors=True, keep_duplicates=True, **common),
        query_pb2.SearchRequest(query=film, exclude="none", filter='dataset = "theirs"', **common),
        query_pb2.SearchRequest(query=film, exclude="none", filter="dataset:* OR NOT dataset:*", **common),
        query_pb2.SearchRequest(query=film, filter="cohort = both", exclude="none", **common),
        query_pb2.SearchRequest(query=film, exact=True, exclude="none", **common),
        query_pb2.SearchRequest(query=query_pb2.Query(image=world.bytes), exclude="none", priors=True, **common),
        query_pb2.SearchRequest(query=query_pb2.Query(image=world.bytes), **common),
        query_pb2.SearchRequest(query=words, **common),
        query_pb2.SearchRequest(query=vector, **common),
        query_pb2.SearchRequest(query=study, exclude="none", **common),
        query_pb2.SearchRequest(query=query_pb2.Query(mixture=both), exclude="none", **common),
        query_pb2.SearchRequest(query=film, group_by="patient", exclude="none", **common),
        query_pb2.SearchRequest(query=film, mode="lookalike", finding="edema", exclude="none", **common),
        query_pb2.SearchRequest(mode="typical", finding="edema", **common),
        query_pb2.SearchRequest(mode="atypical", finding="edema", **common),
        query_pb2.SearchRequest(query=film, diversity=0.5, exclude="none", **common),
    ]


def by_hidden(world: World) -> list[query_pb2.Query]:
    """Every way to name a hidden film in a question."""
    film = query_pb2.Query(image_id=world.hidden.image_id)
    known = query_pb2.Query(image_id=world.mine.image_id)
    return [
        film,
        query_pb2.Query(study=query_pb2.Study(dataset=THEIRS, study_id=str(world.hidden.study_id))),
        query_pb2.Query(region=query_pb2.Region(image_id=world.hidden.image_id, x=0, y=0, width=0.5, height=0.5)),
        query_pb2.Query(mixture=query_pb2.Mixture(parts=[query_pb2.Part(query=film), query_pb2.Part(query=known)])),
        query_pb2.Query(examples=query_pb2.Examples(positive=[known], negative=[film])),
        query_pb2.Query(examples=query_pb2.Examples(positive=[film])),
    ]


def test_nothing_hidden_is_answered(world: World) -> None:
    for request in searches(world):
        answer = world.ask("Search", request)
        assert not isinstance(answer, ErrorCode), f"{answer}: {request}"
        wants = "theirs" in request.filter
        assert bool(answer.hits) is not wants or request.mode == "lookalike", str(request)
        assert {hit.image.dataset for hit in answer.hits} <= {MINE}
        world.ask("SearchStream", request)
        paged = query_pb2.SearchRequest()
        paged.CopyFrom(request)
        paged.page_size = 2
        if token := getattr(world.ask("Search", paged), "next_page_token", ""):
            assert not isinstance(world.ask("Search", query_pb2.SearchRequest(page_token=token)), ErrorCode)
    everyone = world.api.search(searches(world)[1], Call("t"))  # so that there was something to hide
    assert {hit.image.dataset for hit in everyone.hits} == {MINE, THEIRS}


def test_a_hidden_film_is_no_question(world: World) -> None:
    for query in by_hidden(world):
        request = query_pb2.SearchRequest(query=query, models=["tiny"], limit=5)
        for rpc in ("Search", "SearchStream"):
            assert world.ask(rpc, request) is ErrorCode.NOT_FOUND, str(query)
        batch = world.ask("SearchBatch", query_pb2.SearchBatchRequest(requests=[request]))
        assert batch.outcomes[0].HasField("error")  # type: ignore[union-attr]
        why = query_pb2.WhyNotRequest(search=request, image_id=world.mine.image_id)
        assert world.ask("WhyNot", why) is ErrorCode.NOT_FOUND


def test_a_page_of_somebody_who_may_see_more_is_not_handed_on(world: World) -> None:
    request = searches(world)[1]
    request.page_size = 2
    token = world.api.search(request, Call("t")).next_page_token
    assert token
    assert isinstance(world.ask("Search", query_pb2.SearchRequest(page_token=token)), ErrorCode)


def test_a_hidden_film_is_as_if_it_were_not_there(world: World) -> None:
    strange = "00000000-0000-5000-8000-000000000000"
    for rpc in ("GetImage", "GetThumbnail"):
        answers = [world.ask(rpc, query_pb2.GetImageRequest(image_id=one)) for one in (world.hidden.image_id, strange)]
        assert answers == [ErrorCode.NOT_FOUND] * 2
    known = query_pb2.Query(image_id=world.mine.image_id)
    for film, query in ((world.hidden, known), *((world.mine, query) for query in by_hidden(world)[:1])):
        request = query_pb2.ExplainMatchRequest(image_id=film.image_id, query=query, model="tiny")
        assert world.ask("ExplainMatch", request) is ErrorCode.NOT_FOUND
    why = query_pb2.WhyNotRequest(search=searches(world)[0])
    why.image_id = strange
    nowhere = world.ask("WhyNot", why)
    why.image_id = world.hidden.image_id
    hidden = world.ask("WhyNot", why)
    assert [r.code for r in hidden.reasons] == [r.code for r in nowhere.reasons]  # type: ignore[union-attr]


def test_lists_and_counts_know_nothing_of_it(world: World) -> None:
    for text in (
        "",
        "dataset = theirs",
        "NOT dataset = mine",
        "cohort = both",
        f"patient_id = {world.hidden.patient_id}",
    ):
        page = world.ask("QueryImages", query_pb2.QueryImagesRequest(filter=text))
        counted = world.ask(
            "FacetImages", query_pb2.FacetImagesRequest(filter=text, fields=["dataset", "cohort", "labels"])
        )
        many = 6 if text in ("", "cohort = both") else 0
        assert (page.total, counted.total) == (many, many), text  # type: ignore[union-attr]
        for facet in counted.facets:  # type: ignore[union-attr]
            assert sum(count.count for count in facet.counts) == many


def test_every_rpc_is_tried_here() -> None:
    tried = {
        "Search", "SearchStream", "SearchBatch", "WhyNot", "GetImage", "GetThumbnail", "QueryImages", "FacetImages",
        "ExplainMatch", "GetQuality",
    }  # fmt: skip
    assert {method.name for method in QueryApi.service.methods} == tried


def test_what_an_operator_may_say() -> None:
    assert from_environment({}).datasets == ()
    assert from_environment({"HILUM_DATASETS": "a, b,"}).datasets == ("a", "b")
    assert Access.named([]) == ALL
    both, one = Access(frozenset("ab")), Access(frozenset("b"))
    assert both.within(one) == one.within(both) == ALL.within(one) == one
    assert both.within(Access(frozenset("c"))).condition() is not None  # nothing, not everything
