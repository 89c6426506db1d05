"""Cohorts through the client, over HTTP and by command: one service behind all of them, its jobs in processes."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from hilum import AsyncClient, Client
from hilum import HilumError as ClientError
from hilum.locate import Endpoint
from services.analytics.api import AnalyticsApi
from services.analytics.cohort.api import CohortsApi
from services.analytics.cohort.spec import Spec, from_text
from services.analytics.jobs import AnalyticsWorker
from services.app import cli, local
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.facts import Facts
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from services.query.upkeep import Upkeep
from services.transport.jobs import JobsApi
from tests.kit import clustered
from tests.kit.records import make_spec
from tests.kit.served import Served, served

SPEC = """
name: adults
title: Adults <script>alert(1)</script>
criteria:
  - {name: of age, filter: age >= 40}
  - {name: "edema <img src=x onerror=alert(2)>", filter: labels.edema = present}
caps: [{per: patient, most: 1}]
"""


@pytest.fixture
def edge(facts: Facts, store: VectorStore, engine: EngineProcess, tmp_path: Path) -> Iterator[Served]:
    clustered.fill(facts, store, Blobs(tmp_path / "blobs"), [make_spec("parity-cohorts", 16)], 60)
    settings = Settings(data_dir=tmp_path, facts_url=f"sqlite:///{tmp_path / 'facts.db'}", engine_url=engine.url)
    upkeep, worker = Upkeep(facts, store), AnalyticsWorker(settings, facts)
    cohorts = CohortsApi(settings, facts, store, None, upkeep.soon)
    for each in (upkeep, worker):
        each.start()
    with served([cohorts, AnalyticsApi(settings, facts), JobsApi(facts)]) as where:
        yield where
    for each in (worker, upkeep):
        each.stop()


def test_from_a_file_to_its_end(edge: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(endpoint=Endpoint(edge.grpc, edge.url, "token"))
    monkeypatch.setattr(local, "client", lambda *_: nullcontext(client))
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC, encoding="utf-8")
    shell = CliRunner()

    def said(*words: str) -> str:
        done = shell.invoke(cli.app, ["cohort", *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    before = json.loads(said("preview", str(file), "--json"))["steps"]
    assert [step["name"] for step in before][:2] == ["Archive", "of age"]
    made = json.loads(said("build", str(file), "--json"))
    assert [step["left"] for step in made["steps"]] == [step["left"] for step in before]

    over_rpc, over_http = client.cohort("adults"), httpx.get(f"{edge.url}/v1/cohorts/adults").json()
    assert over_http["ids_sha256"] == over_rpc.ids_sha256 == made["ids_sha256"]
    assert over_http["films"]["images"] == over_rpc.films.images == made["counts"]["images"]
    assert len(over_http["steps"]) == 4 and Spec.parse(over_http["spec"]) == from_text(SPEC)
    report = client.run_file(over_rpc.run_id, "report.html").decode()
    assert "<script>alert" not in report and "<img src=x" not in report and "&lt;img" in report
    assert [one["name"] for one in httpx.get(f"{edge.url}/v1/cohorts").json()["cohorts"]] == ["adults"]
    assert "adults" in said("list") and made["ids_sha256"] in said("show", "adults")

    assert "the very same" in said("rerun", "adults", "--as", "later")
    assert httpx.get(f"{edge.url}/v1/cohorts/adults:diff").json()["same"] is True
    assert "the very same" in said("diff", "adults")

    async def others() -> list[str]:
        async with AsyncClient(edge.grpc) as other:
            with pytest.raises(ClientError, match="there is a cohort of this name"):
                await other.rerun_cohort("adults", "later")
            assert (await other.diff_cohort("adults", "later")).same
            assert (await other.preview_cohort({})).steps[0].left.images == 60
            return [one.name async for one in other.cohorts()]

    assert asyncio.run(others()) == ["adults", "later"]
    again = httpx.post(f"{edge.url}/v1/cohorts", json={"spec": over_http["spec"]})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "ALREADY_EXISTS")
    assert "adults deleted" in said("delete", "adults")
    assert httpx.get(f"{edge.url}/v1/cohorts/adults").status_code == 404
    assert [one.name for one in client.cohorts()] == ["later"]
    with pytest.raises(ClientError, match="run it again first"):
        client.diff_cohort("later")

    for bad, words in {
        "name: ../../etc": "the name of a cohort", "criteria: [{filtr: x}]": "did you mean filter",
        "a: &a [b]\nb: *a": "aliases", "criteria: [{filter: age > }]": r"criteria\[0\]", "[1]": "mapping",
    }.items():  # fmt: skip
        file.write_text(bad, encoding="utf-8")
        refused = shell.invoke(cli.app, ["cohort", "build", str(file)])
        assert refused.exit_code != 0 and re.search(words, refused.output), refused.output
    for path in ("..%2f..%2fetc", "%00", "a" * 300, "adults'--"):
        assert httpx.get(f"{edge.url}/v1/cohorts/{path}").status_code in (400, 404)
