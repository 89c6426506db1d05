"""Explanations over gRPC, by both clients, and over HTTP: the same maps, the same errors."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from hilum import AsyncClient, Client, HilumError
from services.core.blobs import Blobs
from services.core.facts import open_facts
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from services.query.api import QueryApi
from tests.kit.archive import Archive, png, spot
from tests.kit.places import PlacesEncoder
from tests.kit.served import Served, served


@dataclass(frozen=True)
class Room:
    where: Served
    films: list[str]


@pytest.fixture(scope="module")
def room(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    home: Path = tmp_path_factory.mktemp("explain")
    facts, store = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url)
    archive = Archive(facts, store, Blobs(home / "blobs"), [PlacesEncoder("explain")])
    archive.open()
    films = [archive.add(f"film-{i}", spot(0.5, i / 20), rows=3000, columns=2500).image_id for i in range(18)]
    archive.settle()
    api = QueryApi(facts, store, archive.encode, archive.blobs)
    with served([api, archive.encode_api]) as where:
        yield Room(where, films)
    api.close()
    archive.clear()
    archive.close()
    store.drop(archive.encoders[0].spec.collection)
    store.close()
    facts.close()


@pytest.mark.parametrize("query", [{"text": "left"}, {"image_id": None}])
def test_clients_and_http_get_the_same_map(room: Room, query: dict[str, str | None], tmp_path: Path) -> None:
    asked = {"text": "left"} if "text" in query else {"other": room.films[3]}
    with Client(room.where.grpc) as client:
        found = client.explain(room.films[5], **asked)

    async def ask() -> object:
        async with AsyncClient(room.where.grpc) as client:
            return await client.explain(room.films[5], **asked)

    over_http = httpx.post(
        f"{room.where.url}/v1/images/{room.films[5]}:explain",
        json={"query": {"text": "left"} if "text" in query else {"image_id": room.films[3]}},
    ).json()
    again = asyncio.run(ask())
    assert len(found.maps) == len(over_http["maps"]) == len(again.maps) == (1 if "text" in query else 2)
    for one, other, raw in zip(found.maps, again.maps, over_http["maps"], strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_allclose(one.values.ravel(), raw["values"], atol=1e-7)
        assert one.values.shape == (8, 8) and one.values.max() == 1
        assert one.layer == base64.b64decode(raw["layer"]["data"])
    assert found.similarity == pytest.approx(over_http["similarity"])
    assert any("2500 × 3000" in note for note in found.notes)
    found.maps[0].save(tmp_path / "map.png")
    assert Image.open(BytesIO((tmp_path / "map.png").read_bytes())).size == (128, 128)
    assert found._repr_html_().count("<img") == len(found.maps)
    assert found.to_dict()["maps"][0]["high"] == found.maps[0].high


def test_a_film_that_is_not_stored_is_explained_by_the_encode_service(room: Room) -> None:
    film = base64.b64encode(png(spot(0.5, 0.2))).decode()
    body = {"model": "explain", "image": film, "text": "left", "method": "hiding"}
    answer = httpx.post(f"{room.where.url}/v1/images:explain", json=body).json()
    assert answer["method"] == "hiding" and len(answer["maps"][0]["values"]) == 64


def test_errors_are_the_same_and_say_what_to_do(room: Room) -> None:
    nobody = "00000000-0000-5000-8000-000000000000"
    for image_id, query, code in (
        (nobody, {"text": "left"}, "NOT_FOUND"),
        (room.films[0], {"image_id": nobody}, "NOT_FOUND"),
        (room.films[0], {"text": " "}, "INVALID_ARGUMENT"),
        (room.films[0], {}, "INVALID_ARGUMENT"),
    ):
        answer = httpx.post(f"{room.where.url}/v1/images/{image_id}:explain", json={"query": query})
        assert answer.json()["error"]["code"] == code
        asked = {"other": query["image_id"]} if "image_id" in query else query
        with Client(room.where.grpc) as client, pytest.raises(HilumError) as raised:
            client.explain(image_id, **asked)
        assert raised.value.code == code
    with Client(room.where.grpc) as client, pytest.raises(HilumError, match="cannot write"):
        client.explain(room.films[0], text="left").maps[0].save("/nowhere/at/all.png")


def test_the_contract_lists_it(room: Room) -> None:
    paths = httpx.get(f"{room.where.url}/openapi.json").json()["paths"]
    assert "post" in paths["/v1/images/{image_id}:explain"] and "post" in paths["/v1/images:explain"]
