"""Teaching files through both clients, over HTTP and by command: one service behind all of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import yaml
from typer.testing import CliRunner, Result

from hilum import AsyncClient, Client
from hilum import HilumError as ClientError
from hilum.locate import Endpoint
from services.app import cli, local
from services.app.commands.teach import papers
from services.core.blobs import Blobs
from services.core.facts import open_facts
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from services.query.api import QueryApi
from services.query.exports_api import ExportsApi
from services.query.teaching_api import TeachingApi
from tests.kit.archive import Archive, spot
from tests.kit.places import PlacesEncoder
from tests.kit.served import served

FINDINGS = {"edema": "present", "no_finding": "absent"}


@pytest.fixture(scope="module")
def room(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    home = tmp_path_factory.mktemp("teaching-parity")
    facts, store = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url)
    archive = Archive(facts, store, Blobs(home / "blobs"), [PlacesEncoder("teach")])
    archive.open()
    films = [
        archive.add(f"f{n}", spot(0.5, 0.1 + 0.1 * n), labels=FINDINGS, patient_id=f"p{n}", licence="CC BY 4.0",
                    view="PA", burned_in="no", modality="DX").image_id
        for n in range(6)
    ]  # fmt: skip
    archive.settle()
    query = QueryApi(facts, store, archive.encode, archive.blobs)
    teaching = TeachingApi(facts, query, archive.encode, archive.blobs)
    apis = [query, teaching, ExportsApi(facts, archive.blobs, b"s" * 32)]
    with served(apis, operator_token="t") as where, Client(endpoint=Endpoint(where.grpc, where.url, "t")) as client:
        yield SimpleNamespace(client=client, url=where.url, grpc=where.grpc, films=films)
    query.close()
    archive.clear()
    archive.close()
    store.close()
    facts.close()


def case(*films: str, **fields: object) -> dict[str, object]:
    return {"title": "A case", "images": [{"image_id": film} for film in films], **fields}


def test_a_case_from_its_making_to_its_end(room: SimpleNamespace) -> None:
    client, url = room.client, room.url
    made = client.create_teaching_file(case(*room.films[:2], diagnosis="Edema", history="Dyspnoea"), "first")
    at = f"{url}/v1/teachingFiles/{made.file_id}"
    assert httpx.get(at).json()["document"]["diagnosis"] == "Edema"
    mine = {**made.document, "findings": "Lines"}
    answer = httpx.patch(at, json={"made_from": 1, "document": {**made.document, "discussion": "Long"}})
    assert answer.status_code == 200 and answer.json()["version"] == 2
    two = client.update_teaching_file(made.file_id, 1, mine)
    assert (two.version, two.document["findings"], two.document["discussion"]) == (3, "Lines", "Long")
    with pytest.raises(ClientError, match=r"findings.*kept as version 4") as lost:
        client.update_teaching_file(made.file_id, 1, {**made.document, "findings": "None"})
    assert lost.value.code == "FAILED_PRECONDITION"
    assert client.teaching_file(made.file_id, 4).document["findings"] == "None"
    assert [one.refused for one in client.teaching_versions(made.file_id)] == [True, False, False, False]
    assert client.review_teaching_file(made.file_id, 3, "look").state == "review"
    assert httpx.post(f"{at}:publish", json={"version": 1}).json()["error"]["code"] == "FAILED_PRECONDITION"
    assert httpx.post(f"{at}:publish", json={"version": 3}).json()["published"] == 3
    assert client.share_teaching_file(made.file_id, read=["*"]).may == ("export", "own", "read", "update")
    [listed] = client.teaching_files("DYSPNOEA", state="published")
    assert (listed.file_id, listed.films) == (made.file_id, 2)
    restored = client.restore_teaching_file(made.file_id, 4, made_from=3)
    assert (restored.version, restored.document["findings"]) == (5, "None")
    assert client.withdraw_teaching_file(made.file_id).published == 0
    assert client.delete_teaching_file(made.file_id) == 5
    assert httpx.get(at).status_code == 404


def test_pictures_are_had_by_key_and_nothing_else(room: SimpleNamespace) -> None:
    made = room.client.create_teaching_file(case(room.films[0]))
    key = made.document["images"][0]["key"]
    answer = httpx.get(f"{room.url}/v1/teachingFiles/{made.file_id}/pictures/{key}")
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == room.client.teaching_picture(made.file_id, key)
    assert answer.headers["x-content-type-options"] == "nosniff"
    for hostile in ("../../../facts.db", "..%2f..%2fsecret", "%00", "'--", room.films[1]):
        found = httpx.get(f"{room.url}/v1/teachingFiles/{made.file_id}/pictures/{hostile}")
        assert found.status_code == 404, hostile
    for document in ({"title": "t", "images": [{"blob": "0" * 64}]}, {"title": "t", "images": [{"image_id": "x"}]}):
        with pytest.raises(ClientError) as refused:
            room.client.create_teaching_file(document)
        assert refused.value.code == "INVALID_ARGUMENT"
    for strange in ({"title": "t", "colour": 1}, {"title": 5}, {"title": "\ud800"}):
        with pytest.raises(ClientError) as refused:
            room.client.create_teaching_file(strange)
        assert refused.value.code == "INVALID_ARGUMENT"


def test_an_unknown_says_nothing_over_the_wire(room: SimpleNamespace) -> None:
    made = room.client.create_teaching_file(
        case(room.films[0], title="Edema", diagnosis="Edema", history="Edema of both legs", differential=["Fibrosis"])
    )
    at = f"{room.url}/v1/teachingFiles/{made.file_id}/quiz"
    shown = httpx.get(at)
    told = (shown.text + str(shown.headers)).lower()
    assert not any(word in told for word in ("edema", "fibrosis", room.films[0]))
    assert shown.json()["history"] == "[…] of both legs"
    offered = httpx.get(at, params={"choices": "true"}).json()["choices"]
    assert set(offered) == {"Edema", "Fibrosis"}
    done = httpx.post(f"{at}:answer", json={"version": 1, "choice": "Fibrosis", "seconds": 3}).json()
    assert done["quiz_try"]["correct"] is False and done["answer"]["document"]["diagnosis"] == "Edema"
    free = room.client.answer_quiz(made.file_id, 1, text="oedema", reader="anna").quiz_try
    assert not free.HasField("correct") and free.reader == "local/anna"
    assert room.client.judge_quiz(free.try_id, True).judged == "self"
    results = httpx.get(f"{room.url}/v1/quizTries", params={"file_id": made.file_id}).json()
    assert (results["files"][0]["tries"], results["files"][0]["correct"]) == (2, 1)
    assert [one["reader"] for one in results["readers"]] == ["local", "local/anna"]


def test_what_is_exported_can_be_imported(room: SimpleNamespace) -> None:
    told = case(*room.films[:2], diagnosis="Edema", differential=["Fibrosis"], findings="- a\n- b", keywords=["x", "y"])
    made = room.client.create_teaching_file({**told, "authors": [{"name": "Ada"}], "anatomy": "Lung"})
    archive = room.client.export_teaching_file(made.file_id, "mirc").data
    back = room.client.import_teaching_file(archive)
    for name in ("title", "diagnosis", "differential", "findings", "keywords", "authors", "anatomy"):
        assert back.file.document[name] == made.document[name], name
    assert len(back.file.document["images"]) == 2 and back.file.state == "draft"
    assert "as they came" in back.notes[0]
    again = room.client.import_teaching_file(archive)
    assert again.file.document["images"] == back.file.document["images"]
    picture = room.client.teaching_picture(back.file.file_id, back.file.document["images"][0]["key"])
    assert picture[:3] == b"\xff\xd8\xff"
    room.client.delete_teaching_file(back.file.file_id)
    assert room.client.teaching_picture(again.file.file_id, again.file.document["images"][0]["key"]) == picture
    with pytest.raises(ClientError) as refused:
        room.client.import_teaching_file(b"no case")
    assert refused.value.code == "INVALID_ARGUMENT"


def test_the_same_with_coroutines(room: SimpleNamespace) -> None:
    async def work() -> tuple[int, list[str]]:
        async with AsyncClient(room.grpc) as client:
            made = await client.create_teaching_file(case(title="Coroutine", diagnosis="d"))
            await client.update_teaching_file(made.file_id, 1, {**made.document, "history": "h"})
            quiz = await client.quiz(made.file_id)
            await client.answer_quiz(made.file_id, quiz.version, text="d")
            titles = [one.title async for one in client.teaching_files("coroutine")]
            await client.delete_teaching_file(made.file_id)
            return quiz.version, titles

    assert asyncio.run(work()) == (2, ["Coroutine"])


def test_commands(room: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(local, "client", lambda *_: nullcontext(room.client))
    run = CliRunner()

    def teach(*words: str, code: int = 0, given: str | None = None) -> Result:
        done = run.invoke(cli.app, ["teach", *words], input=given)
        assert done.exit_code == code, done.output
        return done

    made = json.loads(teach("assemble", "edema", "--typical", "3", "--normals", "0", "--json").stdout)
    [file] = made["files"]
    name = file["file_id"]
    assert len([one for one in file["document"]["images"] if one["section"] == "typical"]) == 3
    assert "rank 1" in teach("assemble", "--text", "pulmonary edema").stdout

    document = yaml.safe_load(teach("show", name).stdout)
    assert document == json.loads(teach("show", name, "--out", "json").stdout) == file["document"]
    document["history"] = '=HYPERLINK("x")\n<script>alert(1)</script> [bold]x[/] \u202eüß'
    paper = tmp_path / "case.yaml"
    paper.write_text(papers.write(document), encoding="utf-8")
    assert "version 2, draft" in teach("edit", name, str(paper), "--note", "mine").stdout
    assert "version 2, draft" in teach("edit", name, "-", "--from", "1", given=paper.read_text("utf-8")).stdout
    kept = json.loads(teach("show", name, "--json").stdout)["document"]["history"]
    assert kept == '=HYPERLINK("x")\n<script>alert(1)</script> [bold]x[/] üß'
    document["history"] = "another"
    clash = teach("edit", name, "-", "--from", "1", code=1, given=json.dumps(document))
    assert "kept as version 3" in clash.output
    monkeypatch.setattr("click.edit", lambda text, extension: text.replace("=HYPERLINK", "LINK"))
    assert "version 4" in teach("edit", name).stdout
    monkeypatch.setattr("click.edit", lambda text, extension: None)
    assert "nothing was saved" in teach("edit", name, code=1).output
    for broken in ("- a list", "a: [", "!!python/object/apply:os.system ['touch /tmp/x']"):
        assert "document" in teach("edit", name, "-", code=2, given=broken).output

    assert "refused" in teach("versions", name).stdout
    assert "version 5" in teach("restore", name, "1").stdout
    assert "review" in teach("review", name, "--version", "5").stdout
    assert "published" in teach("publish", name).stdout
    assert name in teach("list", "edema", "--state", "published").stdout
    assert "draft" in teach("withdraw", name).stdout
    assert json.loads(teach("share", name, "--read", "*,anna", "--json").stdout)["may"]
    asked = json.loads(teach("quiz", name, "--json").stdout)
    assert "edema" not in json.dumps(asked).lower()
    assert "wrong" in teach("quiz", name, given="fibrosis\nn\n").stdout
    assert json.loads(teach("quiz", name, "--answer", "EDEMA", "--json").stdout)["correct"] is True
    assert "local" in teach("quiz-results", name).stdout
    written = teach("new", "-", given="title: By hand\nkeywords: [a]\n").stdout.strip()
    assert "By hand" in teach("list").stdout
    (tmp_path / "c.xml").write_text("<MIRCdocument><title>From elsewhere</title></MIRCdocument>", encoding="utf-8")
    assert "as they came" in teach("import", str(tmp_path / "c.xml")).output
    assert "cannot be read" in teach("import", str(tmp_path / "nowhere.zip"), code=2).output
    assert "deleted" in teach("delete", written, given="y\n").stdout
    assert "no such teaching file" in teach("show", written, code=1).output
