"""Arguments become the messages of the contract, and mistakes are told before anything is sent."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hilum import Asked, File, HilumError, Region, Stored, Study, Vector, Words, queries
from hilum.v1 import query_pb2

FILM = "5f0c9a30-4f55-5c1e-9a55-0a8f3ac3d1f1"
OTHER = "6f0c9a30-4f55-5c1e-9a55-0a8f3ac3d1f1"


def test_every_option_of_the_contract_can_be_said() -> None:
    theirs = set(query_pb2.SearchRequest.DESCRIPTOR.fields_by_name) - {"query", "request_id", "page_token", "filter"}
    assert theirs | {"where"} == Asked.__annotations__.keys() - queries.By.__annotations__.keys()
    kinds = {field.name for field in query_pb2.Query.DESCRIPTOR.oneofs_by_name["by"].fields}
    ours = {"text", "image", "id", "vector", "study", "report", "region", "like", "mix"}
    assert len(kinds) == len(ours) and ours | {"unlike"} == queries.By.__annotations__.keys()


def test_options_arrive_under_their_names() -> None:
    said: dict[str, Any] = {
        "models": ["a", "b"], "limit": 3, "exclude": "none", "exact": True, "fusion": "weighted", "weights": {"a": 2.0},
        "group_by": "study", "group_size": 2, "per_patient": 1, "keep_duplicates": True, "priors": True,
        "mode": "lookalike", "finding": "edema", "diversity": 0.5, "hubs": "csls", "at_least": 0.25,
        "reading": "plain", "page_size": 7,
    }  # fmt: skip
    request = queries.search(text="x", where="age > 3", **said)
    for name, value in said.items():
        assert type(value)(getattr(request, name)) == value, name
    assert (request.filter, request.query.text) == ("age > 3", "x")
    assert queries.search(text="x", limit=None) == query_pb2.SearchRequest(query={"text": "x"})  # left to the service


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"text": "edema"}, {"text": "edema"}),
        ({"id": FILM}, {"image_id": FILM}),
        ({"id": SimpleNamespace(image_id=FILM)}, {"image_id": FILM}),
        ({"image": b"film"}, {"image": b"film"}),
        ({"vector": [1.0, 2.0]}, {"vector": {"values": [1, 2]}}),
        ({"vector": np.ones((2, 3))}, {"vector": {"values": [1] * 6, "tokens": 2}}),
        ({"study": ("mimic", "s1")}, {"study": {"dataset": "mimic", "study_id": "s1"}}),
        ({"report": ("mimic", "s1")}, {"report": {"dataset": "mimic", "study_id": "s1"}}),
        ({"id": FILM, "region": (0.0, 0.25, 0.5, 0.5)},
         {"region": {"image_id": FILM, "x": 0, "y": 0.25, "width": 0.5, "height": 0.5}}),
        ({"image": b"f", "region": {"x": 0.5, "y": 0.5, "width": 0.5, "height": 0.5}},
         {"region": {"image": b"f", "x": 0.5, "y": 0.5, "width": 0.5, "height": 0.5}}),
        ({"region": Region(FILM, 0, 0, 1, 1)}, {"region": {"image_id": FILM, "width": 1, "height": 1}}),
        ({"like": [FILM, Words("edema")], "unlike": [b"film"]},
         {"examples": {"positive": [{"image_id": FILM}, {"text": "edema"}], "negative": [{"image": b"film"}]}}),
        ({"text": "edema", "unlike": [FILM]},
         {"examples": {"question": {"text": "edema"}, "negative": [{"image_id": FILM}]}}),
        ({"mix": [(FILM, 1)], "like": [OTHER]},
         {"examples": {"question": {"mixture": {"parts": [{"query": {"image_id": FILM}, "weight": 1}]}},
                       "positive": [{"image_id": OTHER}]}}),
        ({"mix": [(FILM, 1), (Words("x"), -0.5), (Study("d", "s"), 2), (Vector([1.0]), 1), (Stored(OTHER), 1)]},
         {"mixture": {"parts": [
             {"query": {"image_id": FILM}, "weight": 1}, {"query": {"text": "x"}, "weight": -0.5},
             {"query": {"study": {"dataset": "d", "study_id": "s"}}, "weight": 2},
             {"query": {"vector": {"values": [1]}}, "weight": 1}, {"query": {"image_id": OTHER}, "weight": 1}]}}),
    ],
)  # fmt: skip
def test_what_to_look_for(said: dict[str, Any], meant: dict[str, Any]) -> None:
    assert queries.search(**said).query == query_pb2.Query(**meant)


def test_files_are_read_here(tmp_path: Path) -> None:
    film = tmp_path / "film.png"
    film.write_bytes(b"film")
    for said in ({"image": film}, {"image": str(film)}, {"like": [film]}, {"mix": [(File(str(film)), 1)]}):
        query = queries.search(**said).query
        query = query.examples.positive[0] if query.examples.positive else query
        query = query.mixture.parts[0].query if query.mixture.parts else query
        assert query.image == b"film"


def test_a_finding_is_enough_for_what_is_typical_of_it() -> None:
    request = queries.search(mode="typical", finding="edema")
    assert not request.HasField("query")
    with pytest.raises(HilumError, match="exactly one"):
        queries.search(mode="lookalike", finding="edema")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, "exactly one"),
        ({"text": "a", "id": FILM}, "a mix"),
        ({"text": None, "like": []}, "exactly one"),
        ({"unlike": [FILM]}, "exactly one"),
        ({"like": [FILM], "text": "a", "id": OTHER}, "a mix"),
        ({"region": (0, 0, 1, 1)}, "which film"),
        ({"region": (0, 0, 1, 1), "id": FILM, "image": b"x"}, "which film"),
        ({"region": Region(Words("x"), 0, 0, 1, 1)}, "part of one film"),  # type: ignore[arg-type]
        ({"like": ["edema"]}, "hilum.Words"),
        ({"like": [object()]}, "hilum.Words"),
        ({"mix": [(FILM, 0)]}, "weight 0"),
        ({"image": "/nowhere/DOE_JANE.dcm"}, "cannot read"),
    ],
)
def test_mistakes(said: dict[str, Any], told: str) -> None:
    with pytest.raises(HilumError, match=told) as raised:
        queries.search(**said)
    assert raised.value.code == "INVALID_ARGUMENT" and "DOE_JANE" not in str(raised.value)


def test_a_name_that_there_is_not() -> None:
    with pytest.raises(TypeError, match="takes no colour"):
        queries.search(text="x", colour="red")  # type: ignore[call-arg]
