"""``hilum study``, from making one to its files."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hilum import Client
from hilum.locate import Endpoint
from services.app import cli, local
from services.query.api import QueryApi
from services.query.readerstudy.api import ReaderStudyApi, ReadingApi
from services.query.searches_api import SearchesApi
from tests.kit.served import served
from tests.sdk.conftest import Library


@pytest.fixture
def said(library: Library, monkeypatch: pytest.MonkeyPatch) -> object:
    archive = library.archive
    query = QueryApi(archive.facts, archive.store, archive.encode, archive.blobs)
    apis = [ReaderStudyApi(archive.facts, archive.store, query.pages), ReadingApi(archive.facts, query.images)]
    apis.append(SearchesApi(archive.facts, query.pages))
    with served(apis) as where, Client(endpoint=Endpoint(where.grpc, where.url)) as client:
        monkeypatch.setattr(local, "client", lambda *_: nullcontext(client))

        def run(*words: str, code: int = 0) -> str:
            done = CliRunner().invoke(cli.app, ["study", *words])
            assert done.exit_code == code, done.output
            return done.stdout

        yield run
        for study in client.studies():
            client.delete_study(study.study_id)
    query.close()


def test_a_study_by_commands(said: Callable[..., str], library: Library, tmp_path: Path) -> None:
    made = json.loads(
        said("create", "first", "--sets", "3", "--nearest", "2", "--others", "2", "--model", "sdk", "--json")
    )
    study = made["study_id"]
    assert (made["sets"], made["design"]["model"]) == (3, "sdk")
    [ada, ben] = [line.split("\t") for line in said("invite", study, "Ada", "Ben").splitlines()]
    assert ada[0] == "Ada" and "http://127.0.0.1" in ben[1]
    assert json.loads(said("invite", study, "Ada", "--renew", "--json"))[0]["link"] != ada[1]
    said("invite", study, "Ada", code=1)
    assert "Nobody has answered yet." in said("results", study)
    token = ben[1].rsplit("/", 1)[1]
    with local.client(None) as client:
        for number in (1, 2, 3):
            client.answer_reading(token, number, chosen=[1, 2], seconds=4)
    assert "Ben" in said("show", study) and "first" in said("list")
    told = said("results", study)
    assert "The reader and the model agree on" in told and "no consensus" in told
    assert json.loads(said("results", study, "--json"))["sets"] == 3
    said("results", study, "--reader", "Nobody", code=2)
    assert said("export", study).startswith("reader,set,seen_as")
    said("export", study, str(tmp_path / "grades.qrels"), "--format", "qrels")
    assert len((tmp_path / "grades.qrels").read_text().splitlines()) == 12
    assert len(said("marks", study).split()) == 3
    assert "closed" in said("close", study) and "open" in said("close", study, "--reopen")
    ids = tmp_path / "ids.txt"
    ids.write_text(f"{library.films[0]}\n\n{library.films[9]}\n", encoding="utf-8")
    pairs = json.loads(said("create", "p", "--kind", "pairs", "--queries", str(ids), "--model", "sdk", "--json"))
    assert pairs["sets"] == 2
    assert "3 answers deleted" in said("delete", study)
    said("show", study, code=1)
