"""Analyses look at no film that their asker may not see, and runs with such films are as if they were not there."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from hilum.v1 import analytics_pb2
from services.analytics import atlas_router, seen
from services.analytics.api import AnalyticsApi
from services.core.access import ALL, Access
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, runs
from services.transport.edge import Call
from tests.kit.served import served

MINE = Access(frozenset({"mine"}))
RUNS = {"00000000-0000-4000-8000-00000000000" + str(n): of for n, of in enumerate((["mine"], ["mine", "theirs"], None))}


@pytest.fixture
def api(facts: Facts, tmp_path: Path) -> AnalyticsApi:
    for run_id, of in RUNS.items():
        told = {"asked": {}} if of is None else {"asked": {}, "films_of": of}
        runs.save(facts, run_id, run_id, "succeeded", told, {"m": {"films": 1}})
        (tmp_path / "runs" / run_id).mkdir(parents=True)
        (tmp_path / "runs" / run_id / "manifest.json").write_text(json.dumps(told))
        (tmp_path / "runs" / run_id / "report.html").write_text("report")
    return AnalyticsApi(Settings(tmp_path), facts)


def test_a_run_with_films_out_of_sight_is_not_there(api: AnalyticsApi, tmp_path: Path) -> None:
    mine, *others = RUNS
    for access, visible in ((ALL, set(RUNS)), (MINE, {mine})):
        call = Call("t", access=access)
        assert {run.run_id for run in api.list_runs(analytics_pb2.ListRunsRequest(), call).runs} == visible
        for run_id in RUNS:
            for ask in (
                lambda run_id=run_id, call=call: api.get_run(analytics_pb2.GetRunRequest(run_id=run_id), call),
                lambda run_id=run_id, call=call: api.get_run_file(
                    analytics_pb2.GetRunFileRequest(run_id=run_id, name="report.html"), call
                ),
            ):
                if run_id in visible:
                    ask()
                else:
                    with pytest.raises(HilumError) as hidden:
                        ask()
                    assert hidden.value.code is ErrorCode.NOT_FOUND
    with served([], [atlas_router.build(tmp_path, MINE)]) as where:
        for run_id in RUNS:
            for path in ("report", "files/manifest.json", "atlas/"):
                status = httpx.get(f"{where.url}/v1/runs/{run_id}/{path}").status_code
                assert (status == 404) is (run_id in others), (run_id, path)


def test_what_is_asked_is_narrowed() -> None:
    assert seen.narrowed(ALL, "view = PA") == "view = PA"
    assert seen.narrowed(MINE, "view = PA OR sex = F") == '(view = "PA" OR sex = "F") AND dataset = "mine"'
    assert seen.narrowed(MINE, "") == 'dataset = "mine"'
