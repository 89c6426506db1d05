"""Sets and side tables through the client, over HTTP and by command: one service behind all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from hilum import AsyncClient, Client
from hilum import HilumError as ClientError
from services.app import cli, local
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.facts import Facts, images, models
from services.core.ids import load_secret
from services.core.sets import store_films
from services.core.store import VectorStore
from services.ingest.records import Identities
from services.ingest.sides_api import SidesApi
from services.query.api import QueryApi
from services.query.sets_api import SetsApi
from services.query.upkeep import Upkeep
from services.transport.encode_client import EncodeClient
from tests.kit.records import make_record, make_spec, stored, unit_vectors
from tests.kit.served import Served, served

SPEC = make_spec("parity-sets")


class NoEncoder:
    """Nobody is asked to encode here."""


@pytest.fixture
def edge(facts: Facts, store: VectorStore, tmp_path: Path) -> Iterator[Served]:
    who = Identities("nih", load_secret(tmp_path))
    films = [make_record(str(n), "nih", patient_id=who.person("patient", f"p{n}"), age=30.0 + n) for n in range(8)]
    store.ensure(SPEC)
    models.register(facts, SPEC)
    store_films(facts, store, SPEC, films, unit_vectors(8))
    images.commit(facts, [stored(film, [SPEC]) for film in films])
    upkeep = Upkeep(facts, store)
    query = QueryApi(facts, store, EncodeClient.local(NoEncoder()), Blobs(tmp_path / "blobs"))  # type: ignore[arg-type]
    apis = [query, SetsApi(facts, upkeep, tmp_path / "runs"), SidesApi(Settings(tmp_path), facts)]
    upkeep.start()
    with served(apis, operator_token="token") as where:
        yield where
    upkeep.stop()
    query.close()


@pytest.fixture
def client(edge: Served) -> Iterator[Client]:
    from hilum.locate import Endpoint

    with Client(endpoint=Endpoint(edge.grpc, edge.url, "token")) as opened:
        yield opened


def ready(client: Client, name: str) -> None:
    for _ in range(200):
        if {one.set_id: one.state for one in client.sets()}.get(name) == "ready":
            return
        time.sleep(0.05)
    raise AssertionError("the set was never written to the points")


def test_a_set_from_its_making_to_its_end(client: Client, edge: Served, store: VectorStore) -> None:
    made = client.create_set("old", where="age >= 35", title="the older")
    assert (made.films, made.filter) == (3, "age >= 35")
    assert len(list(client.images("cohort = old"))) == 3
    ready(client, "old")
    assert store.count(SPEC, None) == 8
    ids = [film.image_id for film in client.images("age < 32")]
    assert client.create_set("named", films=ids).films == 2
    assert client.facets(fields=["cohort"]) == {"cohort": {"old": 3, "named": 2, "unknown": 3}}
    over_http = httpx.get(f"{edge.url}/v1/sets", params={"kind": "cohort"}).json()
    assert [one["set_id"] for one in over_http["sets"]] == ["named", "old"]
    answer = httpx.post(f"{edge.url}/v1/sets", json={"set_id": "old", "filter": ""})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "ALREADY_EXISTS")
    assert httpx.post(f"{edge.url}/v1/sets:delete", json={"set_id": "old"}).json() == {"sets": 1}
    assert [one.set_id for one in client.sets()] == ["named"]
    with pytest.raises(ClientError, match="hilum sets list"):
        client.delete_set("old")


def test_a_side_table_by_the_operator_only(client: Client, edge: Served, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("patient_id,income,mrn\np1,5,x\np2,7,y\nq,9,z\n", encoding="utf-8")
    done = client.store_side(table, "nih", "sdoh", ["*"])
    assert (done.table.rows, done.strangers, list(done.refused)) == (2, 1, ["patient_id", "mrn"])
    assert len(list(client.images("side.sdoh.income > 5"))) == 1
    assert [(t.name, t.rows, [c.name for c in t.columns]) for t in client.sides()] == [("sdoh", 2, ["income"])]
    body = {"source": str(table), "dataset": "nih", "name": "sdoh", "columns": ["income"]}
    answer = httpx.post(f"{edge.url}/v1/sides", json=body)
    assert answer.json()["error"]["code"] == "PERMISSION_DENIED"
    assert len(httpx.get(f"{edge.url}/v1/sides").json()["tables"]) == 1
    assert httpx.delete(f"{edge.url}/v1/sides/nih/sdoh").json() == {"rows": 2}
    with pytest.raises(ClientError, match="no such side table"):
        list(client.images("side.sdoh.income > 5"))


def test_the_same_with_coroutines(client: Client, edge: Served) -> None:
    async def ask() -> list[str]:
        async with AsyncClient(edge.grpc) as other:
            await other.create_set("a", where="age >= 35")
            names = [one.set_id async for one in other.sets()]
            assert await other.delete_set("a") == 1 and await other.sides() == []
            return names

    assert asyncio.run(ask()) == ["a"]


def test_commands(client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from contextlib import nullcontext

    monkeypatch.setattr(local, "client", lambda *_: nullcontext(client))
    ids, table = tmp_path / "ids.txt", tmp_path / "t.csv"
    ids.write_text("\n".join(film.image_id for film in client.images("age < 32")) + "\n\n", encoding="utf-8")
    table.write_text("patient_id,income\np1,5\n", encoding="utf-8")
    run = CliRunner()

    def said(*words: str) -> str:
        done = run.invoke(cli.app, list(words))
        assert done.exit_code == 0, done.output
        return done.output

    assert "6" in said("sets", "create", "old", "--where", "age >= 32")
    assert '"films": 2' in said("sets", "create", "young", "--ids", str(ids), "--json")
    assert "young" in said("sets", "list") and "1 deleted" in said("sets", "delete", "young")
    added = said("side", "add", str(table), "--dataset", "nih", "--name", "sdoh", "--columns", "income")
    assert "1 rows by patient, 1 columns" in added
    assert "side.sdoh.income" in said("side", "list")
    assert "1 rows deleted" in said("side", "delete", "sdoh", "--dataset", "nih")
    assert run.invoke(cli.app, ["sets", "create", "x", "--run", "y"]).exit_code == 2
