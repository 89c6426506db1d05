"""``hilum mcp``: a real session over stdio, tools that only read, errors that tell nothing they should not."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("mcp")
from mcp import Client as Assistant
from mcp import StdioServerParameters
from mcp.server.mcpserver.exceptions import ToolError

from hilum import Client, HilumError, retries
from hilum.channel import Rpc
from hilum.locate import Endpoint
from services.app.mcp.reading import READS, ReadingClient
from services.app.mcp.runs import _clusters
from services.app.mcp.server import _NAMES, build
from services.app.mcp.tools import Tools
from services.core.facts import runs
from tests.kit import analyses
from tests.sdk.conftest import FILMS, Library

ROOT = Path(__file__).parents[2]


class Heard(ReadingClient):
    """Remembers which rpcs were called."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self.rpcs: list[str] = []

    def _call(self, rpc: Rpc, request: Any) -> Any:
        self.rpcs.append(rpc.name)
        return super()._call(rpc, request)


@pytest.fixture
def heard(library: Library) -> Heard:
    return Heard(Endpoint(library.grpc, token="the operator's"))


def asked(library: Library) -> dict[str, dict[str, Any]]:
    """Every tool with arguments that it answers."""
    film = library.films[4]
    return {
        "search": {"text": "left", "models": ["sdk"], "limit": 3},
        "why_not": {"film": library.films[20], "similar_to": film, "models": ["sdk"], "limit": 2},
        "facets": {"where": "view = PA", "fields": ["sex"]},
        "image": {"film": film},
        "models": {},
        "list_runs": {},
        "cohorts": {},
    }


def test_a_session_over_stdio(library: Library, client: Client) -> None:
    async def session() -> tuple[dict[str, Any], dict[str, Any], Any, str]:
        environment = {"HILUM_URL": library.grpc, "PATH": os.environ["PATH"]}
        command = StdioServerParameters(
            command=sys.executable, args=["-m", "services.app.cli", "mcp"], env=environment, cwd=ROOT
        )
        async with Assistant(command) as assistant:
            listed = {tool.name: tool for tool in (await assistant.list_tools()).tools}
            told = {name: await assistant.call_tool(name, given) for name, given in asked(library).items()}
            wrong = await assistant.call_tool("search", {"text": "x", "where": "colour = red"})
            return listed, told, wrong, assistant.instructions or ""

    listed, told, wrong, instructions = asyncio.run(session())
    assert sorted(listed) == sorted(_NAMES)
    assert all(tool.annotations.read_only_hint and not tool.annotations.destructive_hint for tool in listed.values())
    assert all(tool.description for tool in listed.values())
    assert "Research use only" in instructions
    answers = {}
    for name, result in told.items():
        assert not result.is_error, (name, result.content)
        answers[name] = json.loads(result.content[0].text)
        assert answers[name]["note"].startswith("Research use only") and answers[name]["provenance"], name
    ids = [hit["image_id"] for hit in answers["search"]["hits"]]
    assert ids == [hit.image_id for hit in client.search(text="left", models=["sdk"], limit=3)]
    assert answers["search"]["provenance"]["models"]["sdk"]["fingerprint"]
    assert answers["facets"]["facets"] == {"sex": {"F": FILMS // 2}}
    assert {model["name"] for model in answers["models"]["models"]} >= {"sdk", "sdk-mute"}
    _, picture = told["image"].content
    assert (picture.type, picture.mime_type) == ("image", "image/png") and len(picture.data) > 100
    assert answers["image"]["film"]["image_id"] == library.films[4]
    assert any(reason.startswith("below-limit") for reason in answers["why_not"]["reasons"])
    assert wrong.is_error and "INVALID_FILTER" in wrong.content[0].text


def test_every_tool_calls_reading_rpcs_alone(library: Library, heard: Heard) -> None:
    assert READS <= retries.AGAIN and not READS & retries.ONCE
    tools = Tools(heard)
    assert {name for name in dir(tools) if not name.startswith("_")} == set(_NAMES)
    for name, given in asked(library).items():
        heard.rpcs.clear()
        getattr(tools, name)(**given)
        assert heard.rpcs and set(heard.rpcs) <= READS, name


def test_the_client_of_an_assistant_cannot_write(library: Library, heard: Heard, tmp_path: Path) -> None:
    before = library.client().facets()
    writes: list[Callable[[], Any]] = [
        lambda: heard.ingest(tmp_path, "stolen"),
        lambda: heard.analyze(),
        lambda: heard.fill("sdk"),
        lambda: heard.promote("sdk"),
        lambda: heard.rollback("sdk"),
        lambda: heard.save_search("x", text="left"),
        lambda: heard.mark("x", library.films[0]),
        lambda: heard.delete_search("x"),
        lambda: heard.create_set("x", where=""),
        lambda: heard.delete_set("x"),
        lambda: heard.cancel("x"),
        lambda: heard.forget("demo", "p-1"),
        lambda: heard.reconcile(tmp_path, "demo", apply=True),
        lambda: heard.store_side(tmp_path, "demo", "x", ["*"]),
    ]
    for write in writes:
        with pytest.raises(HilumError, match="assistants may only read"):
            write()
    assert heard.endpoint.token == "" and heard._metadata == []  # not the operator's rights either
    assert library.client().facets() == before


def test_an_assistant_names_no_file_of_this_machine(library: Library, heard: Heard, tmp_path: Path) -> None:
    secret = tmp_path / "film.png"
    secret.write_bytes(library.picture(3))
    by_words = Tools(heard).search(like=[str(secret)], models=["sdk"])  # words, if odd ones
    secret.unlink()
    assert Tools(heard).search(like=[str(secret)], models=["sdk"])["hits"] == by_words["hits"]  # nobody looked
    with pytest.raises(HilumError, match="give one of"):
        Tools(heard).search(text="left", film=library.films[0])


def test_examples_move_what_an_assistant_asks(library: Library, heard: Heard) -> None:
    def found(**asked: object) -> list[str]:
        return [hit["image_id"] for hit in Tools(heard).search(models=["sdk"], limit=5, **asked)["hits"]]

    plain, moved = found(text="left"), found(text="left", like=[library.films[-1]])
    assert plain != moved and found(film=library.films[3], unlike=[library.films[4]])
    with pytest.raises(HilumError, match="one of text or a film"):
        found(text="left", film=library.films[3])


def test_errors_are_safe_and_pictures_can_be_kept_back(library: Library, heard: Heard) -> None:
    def call(server: Any, name: str, given: dict[str, Any]) -> Any:
        return asyncio.run(server.call_tool(name, given))

    with pytest.raises(ToolError, match=r"no such film|NOT_FOUND"):
        call(build(heard), "image", {"film": "00000000-0000-5000-8000-000000000000"})
    broken = build(heard)
    heard.facets = lambda *_: (_ for _ in ()).throw(RuntimeError("/secret/path of DOE^JANE"))  # type: ignore[method-assign]
    with pytest.raises(ToolError) as raised:
        call(broken, "facets", {})
    assert "something failed on our side" in str(raised.value) and "secret" not in str(raised.value)
    shown = call(build(heard, pictures=False), "image", {"film": library.films[0]})
    assert len(shown.content) == 1 and "without pictures" in shown.content[0].text


def test_clusters_are_told_by_what_they_have_more_of() -> None:
    ids = [f"id-{number}" for number in range(10)]
    sample = pa.table({
        "image_id": ids, "patient": [number // 2 for number in range(10)],
        "label.edema": ["present"] * 3 + ["absent"] * 7, "label.fracture": ["absent", None] * 5,
    })  # fmt: skip
    map = pa.table({"image_id": ids[::-1], "cluster@1": pa.array([1] * 6 + [0] * 4, pa.int32())})
    first, second = _clusters(sample, map)
    assert (first["cluster"], first["films"], first["patients"], first["more_often"]) == (1, 6, 3, {})
    assert (second["films"], second["patients"]) == (4, 2)
    assert second["more_often"] == {"edema": "75% of its films, 30% of all"} and second["example"] == "id-3"


@pytest.mark.slow
def test_runs_are_summed_up(library: Library, heard: Heard) -> None:
    """A real map and a real measurement of hubs, as an assistant hears of them."""
    archive, told = library.archive, {}
    for kind, asked_for in (("map", {}), ("hubs", {"hubs": {}})):
        made = analyses.make(library.home, archive.facts, archive.store, models=["sdk"], k=5, **asked_for)
        run_id = made.folder.name
        runs.save(archive.facts, run_id, "", "succeeded", made.json("manifest.json"), made.metrics)
        heard.rpcs.clear()
        told[kind] = Tools(heard).run(run_id)
        assert set(heard.rpcs) <= READS and told[kind]["note"] and told[kind]["provenance"]["asked"]
    clusters = told["map"]["models"]["sdk"]["clusters"]
    assert sum(cluster["films"] for cluster in clusters) == FILMS
    assert told["map"]["models"]["sdk"]["figures"]["films"] == str(FILMS)
    assert told["hubs"]["tables"] and told["hubs"]["tables"][0]["rows"]
    assert {run["run_id"] for run in Tools(heard).list_runs()["runs"]} >= {told["map"]["run_id"]}
