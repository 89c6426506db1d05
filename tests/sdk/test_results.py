"""Answers as rows, tables, frames and notebook grids."""

from __future__ import annotations

import asyncio

import pytest

from hilum import AsyncClient, Client, SearchResult
from hilum.locate import Endpoint
from hilum.results import Reason
from hilum.v1 import common_pb2, query_pb2
from tests.sdk.conftest import Library

PICTURE = b"\x89PNG\r\n\x1a\n rest"


def hit(number: int, **said: object) -> query_pb2.Hit:
    image = common_pb2.Image(image_id=f"id-{number}", dataset="d", view="PA", age=40.5, labels={"edema": "present"})
    places = [query_pb2.Agreement(model="a", rank=number, score=0.5)]
    return query_pb2.Hit(image_id=image.image_id, image=image, score=0.5, agreement=places, **said)  # type: ignore[arg-type]


def answer(*hits: query_pb2.Hit, **said: object) -> SearchResult:
    return SearchResult.of(query_pb2.SearchResponse(hits=hits, models_asked=3, **said), lambda _: PICTURE)  # type: ignore[arg-type]


def test_all_that_a_hit_says() -> None:
    calibrated = query_pb2.Calibrated(probability=0.8, low=0.7, high=0.9, finding="edema", model="a")
    rich = hit(1, calibrated=calibrated, copies=["c1", "c2"], group="d/p", hub=2.5, why="near")
    found = answer(rich, hit(2), nothing_comparable=True, next_page_token="t")
    one, other = found
    assert (one.agrees, str(one.calibrated), one.copies, one.hub) == ("1 of 3", "0.80 [0.70, 0.90]", ["c1", "c2"], 2.5)
    assert (other.calibrated, other.hub, other.copies) == (None, None, [])
    row = found.rows()[0]
    assert (row["probability"], row["low"], row["high"], row["finding"]) == (0.8, 0.7, 0.9, "edema")
    assert (row["agreement"], row["copies"], row["group"], row["why"]) == ("1 of 3", 2, "d/p", "near")
    assert found.groups() == {"d/p": [one], "": [other]}
    assert (found.nothing_comparable, found.next_page_token) == (True, "t")


def test_a_table_has_the_columns_that_say_something() -> None:
    plain = SearchResult.of(query_pb2.SearchResponse(hits=[hit(1)], models_asked=1), None)
    assert str(plain).splitlines()[0].split() == [
        "rank", "score", "view", "sex", "age", "patient_id", "present", "image_id"
    ]  # fmt: skip
    rich = str(answer(hit(1, why="near", copies=["c"]), nothing_comparable=True)).splitlines()
    assert rich[0].startswith("no comparable case here")
    assert {"agreement", "copies", "why"} <= set(rich[1].split()) and "hub" not in rich[1]


def test_frames_have_the_same_types_whatever_was_found() -> None:
    pytest.importorskip("pandas")
    empty, full = answer(), answer(hit(1, group="g"))
    assert empty.to_arrow().schema == full.to_arrow().schema
    frame = full.to_pandas()
    assert (len(empty.to_pandas()), list(empty.to_pandas().columns)) == (0, list(frame.columns))
    assert frame["probability"].dtype == frame["score"].dtype == float


def test_a_grid_shows_films_and_escapes_what_archives_say() -> None:
    evil = common_pb2.Image(image_id="x", view='<script>alert("1")</script>', labels={"<b>": "present"})
    found = answer(
        query_pb2.Hit(image=evil, why='"><img onerror=x>', score=1),
        priors=[hit(7)], nothing_comparable=True,
    )  # fmt: skip
    shown = found._repr_html_()
    assert shown.count("<img ") == 2 and "data:image/png;base64," in shown
    assert "<script>" not in shown and "<b>&lt;b&gt;" not in shown and "<img onerror" not in shown
    assert "no comparable case here" in shown and "prior ·" in shown
    many = answer(*(hit(number) for number in range(1, 131)))._repr_html_()
    assert many.count("<img ") == 100 and "… and 30 more" in many
    assert "<pre>" in SearchResult.of(query_pb2.SearchResponse(hits=[hit(1)]), None)._repr_html_()


def test_reasons_are_sentences() -> None:
    below = Reason.of(query_pb2.Reason(code="below-limit", message="too far", model="a", rank=12, score=0.25))
    assert str(below) == "below-limit: too far (rank 12, 0.2500)"
    filtered = Reason.of(query_pb2.Reason(code="filter", message="it does not pass", clause="view = PA"))
    assert (str(filtered), filtered.rank) == ("filter: it does not pass: view = PA", None)


def test_pictures_of_an_async_answer(library: Library, client: Client) -> None:
    async def shown() -> tuple[str, str]:
        async with AsyncClient(endpoint=Endpoint(library.grpc)) as other:
            found = await other.search(text="left", limit=3, models=["sdk"])
            before = found._repr_html_()
            assert await other.pictures(found) is found
            return before, found._repr_html_()

    before, after = asyncio.run(shown())
    assert before.startswith("<pre>rank")
    assert after == client.search(text="left", limit=3, models=["sdk"])._repr_html_()
    assert after.count("<img ") == 3
