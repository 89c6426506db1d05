"""The three services in processes of their own, on one engine and one database: films in here, answers out there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from hilum import Client, HilumError
from services.engine.supervisor import EngineProcess
from services.phantom.write import write_archive

FILMS = 20


@contextmanager
def served(name: str, data: Path, engine: EngineProcess, *options: str) -> Iterator[str]:
    """`hilum serve name`; its gRPC address."""
    command = [sys.executable, "-m", "services.app.cli", "serve", name, "--data", str(data), *options]
    command += ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
    process = subprocess.Popen(
        command, env={**os.environ, "HILUM_ENGINE_URL": f"http://{engine.url}"}, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if told := re.search(rf"{name} is up: \S+\s+\(gRPC (\S+)\)", line):
                yield told[1]
                break
        else:
            pytest.fail(f"{name} did not come up")
    finally:
        process.terminate()
        assert process.wait(60) == 0


def test_films_in_here_answers_out_there(tmp_path: Path, own_engine: EngineProcess) -> None:
    films, data = tmp_path / "films", tmp_path / "data"
    write_archive(films, FILMS, seed=5, size=96, workers=1)
    with ExitStack() as up:
        ingest = up.enter_context(served("ingest", data, own_engine, "--ingest-root", str(films)))
        query = up.enter_context(served("query", data, own_engine, "--encode", ingest))
        analytics = up.enter_context(served("analytics", data, own_engine))
        with Client(ingest) as to:
            with pytest.raises(HilumError, match="PERMISSION_DENIED"):
                to.ingest(tmp_path, "elsewhere")
            job = to.ingest(films, "phantom", labels=films / "labels.csv", keep_ids=True).wait()
            assert job.counts == {"stored": FILMS}
        with Client(query) as to:
            found = to.search(text="pleural effusion", limit=5)
            assert len(found) == 5
            film = next(films.rglob("*.dcm"))
            assert to.search(image=film, exclude="none")[0].score == pytest.approx(1.0, abs=1e-3)
            assert to.job(job.job_id).state == "succeeded"
        with Client(analytics) as to:
            run = to.analyze(models=["hilum-cxr-dino"], k=5)
            deadline = time.monotonic() + 120
            while not to.job(run.job_id).finished:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            assert to.run(str(to.job(run.job_id).result["run_id"])).state == "succeeded"
        own_engine.stop()
        with Client(query) as to, pytest.raises(HilumError, match="UNAVAILABLE"):
            to.search(text="pleural effusion")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("serve", "query"), "--encode"),
        (("serve", "cohorts"), "there are: ingest, query, analytics"),
        (("serve", "ingest", "--http", "0.0.0.0:80"), "refusing to listen"),
    ],
)
def test_what_a_service_lacks_is_said(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    command = [sys.executable, "-m", "services.app.cli", *arguments, "--data", str(tmp_path)]
    environ = {**os.environ, "HILUM_ENGINE_URL": "http://127.0.0.1:1", "COLUMNS": "400"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (1, 2)
    assert said in done.stderr.replace("\n", " ")


def test_services_apart_need_an_engine_that_they_share(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "services.app.cli", "serve", "ingest", "--data", str(tmp_path)]
    environ = {name: value for name, value in os.environ.items() if name != "HILUM_ENGINE_URL"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, "HILUM_ENGINE_URL" in done.stderr) == (1, True)
