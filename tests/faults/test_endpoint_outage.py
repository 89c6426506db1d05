"""An encoder behind an endpoint goes away while films are ingested: the ingest waits, and blames no film."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.core.types import JobState
from services.encoders.families import load
from services.encoders.network import Checkpoint
from services.encoders.registry import Registry
from services.engine.supervisor import EngineProcess
from tests.kit import endpoints
from tests.kit.ingesting import room, write_pictures


@pytest.mark.parametrize("outage, state", [([503] * 6, JobState.SUCCEEDED), ([401], JobState.FAILED)])
def test_an_outage_is_waited_for_and_a_refused_key_ends_the_job(
    engine: EngineProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outage: list[int], state: JobState
) -> None:
    monkeypatch.setenv("ENDPOINT_KEY", endpoints.KEY)
    write_pictures(tmp_path / "films", 5)
    with endpoints.served(endpoints.cxr_foundation) as served:
        options = {
            "url": served.url, "key_env": "ENDPOINT_KEY", "sends_images": True, "version": "1", "timeout": 1,
            "space": "contrastive",
        }  # fmt: skip
        far = load("cxr-foundation-endpoint", Checkpoint(tmp_path, f"far-{state.value.lower()}", "test", options))
        with room(tmp_path / "data", engine.url, Registry({far.spec.name: lambda: far})) as opened:
            served.faults[:] = outage
            job = opened.ingest(tmp_path / "films")
            assert job.state is state
            if state is JobState.FAILED:
                assert "key" in str(job.error) and endpoints.KEY not in str(job.error)
                job = opened.ingest(tmp_path / "films")  # the key is right again: nothing was lost
            assert job.result["stored"] == 5 and job.result.get("quarantined", 0) == 0
            assert len(opened.everywhere()) == 5
            assert opened.store.vectors(far.spec)[1].shape == (5, 32, 128)
            opened.store.drop(far.spec.collection)
