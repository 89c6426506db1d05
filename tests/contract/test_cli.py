"""The commands as a user types them: real processes, real encoders, phantom films."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hilum import AsyncClient, Client, HilumError
from hilum.locate import running
from services.phantom.write import write_archive

FILMS = 24


def hilum(*arguments: str | Path, data: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.app.cli", *map(str, arguments), *(["--data", str(data)] if data else [])]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    write_archive(folder, FILMS, seed=3, size=128, workers=1)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, films: Path) -> Iterator[Path]:
    """A data folder with the films in it, stored by the command itself. It is large: nothing of it stays."""
    folder = tmp_path_factory.mktemp("data")
    done = hilum("ingest", films, "--dataset", "phantom", "--labels", films / "labels.csv", "--reports",
                 films / "reports.csv", "--keep-ids", "--json", data=folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["state"], told["counts"]) == ("succeeded", {"stored": FILMS})
    assert "ingest phantom" in done.stderr  # progress, apart from the answer
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def up(data: Path) -> Iterator[subprocess.Popen[str]]:
    """`hilum up` on the data folder; commands and clients find it by themselves."""
    command = [sys.executable, "-m", "services.app.cli", "up", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
    process = subprocess.Popen([*command, "--data", str(data)], stderr=subprocess.PIPE, text=True)
    until(lambda: running(data) is not None, "up did not come up")
    yield process
    if process.poll() is None:
        process.terminate()
        process.wait(60)


def until(true: object, why: str, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():  # type: ignore[operator]
            return
        time.sleep(0.1)
    pytest.fail(why)


def test_help_waits_for_nothing_heavy() -> None:
    code = "import sys, services.app.cli; print([n for n in ('torch', 'qdrant_client', 'sklearn') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"


def test_search_answers_where_nothing_runs(data: Path) -> None:
    """It starts what it needs for its own duration. This test comes before those that have `up`."""
    assert running(data) is None
    words = hilum("search", "--text", "large pleural effusion", "--limit", "3", data=data)
    assert words.returncode == 0, words.stderr
    assert len(words.stdout.splitlines()) == 4
    assert running(data) is None


def test_a_second_ingest_changes_nothing_and_bad_files_are_named(
    up: subprocess.Popen[str], data: Path, films: Path, tmp_path: Path
) -> None:
    again = hilum("ingest", films, "--dataset", "phantom", "--labels", films / "labels.csv", "--keep-ids", "--json",
                  data=data)  # fmt: skip
    assert json.loads(again.stdout)["counts"] == {"unchanged": FILMS}
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "broken-DOE-JANE.dcm").write_bytes(b"DICM" * 100)
    mixed = hilum("ingest", tmp_path / "mixed", "--dataset", "mixed", data=data)
    assert mixed.returncode == 3
    assert "broken-DOE-JANE.dcm" in mixed.stdout  # told to the person who has the folder
    for place in data.rglob("*"):  # and kept nowhere
        assert not place.is_file() or b"DOE-JANE" not in place.read_bytes()


def test_search_prints_tables_and_json(up: subprocess.Popen[str], data: Path, films: Path) -> None:
    words = hilum("search", "--text", "large pleural effusion", "--limit", "3", data=data)
    assert len(words.stdout.splitlines()) == 4
    film = next(films.rglob("*.dcm"))
    found = json.loads(hilum("search", "--image", film, "--exclude", "none", "--json", data=data).stdout)
    assert found["hits"][0]["score"] == pytest.approx(1.0, abs=1e-3)  # the film itself
    assert found["provenance"]["exclude"] == "none"
    without = json.loads(hilum("search", "--image", film, "--json", data=data).stdout)
    assert found["hits"][0]["patient_id"] not in {hit["patient_id"] for hit in without["hits"]}


def test_classify_prints_tables_and_json(up: subprocess.Popen[str], data: Path, films: Path, tmp_path: Path) -> None:
    film = next(films.rglob("*.dcm"))
    done = hilum("classify", film, "--findings", "pleural effusion, pacemaker", data=data)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3 and "pleural_effusion" in done.stdout
    assert "calibrated on nothing" in done.stderr
    (tmp_path / "broken.dcm").write_bytes(b"DICM" * 100)
    mixed = hilum("classify", film, tmp_path / "broken.dcm", "--json", data=data)
    assert mixed.returncode == 3
    told = json.loads(mixed.stdout)
    assert len(told["findings"]) == 14 + 1 and not told["calibrated"]
    assert told["findings"][14]["error"] and told["findings"][14]["file"].endswith("broken.dcm")
    assert told["prompts"]["edema"]["negative"] == ["no pulmonary edema"]
    with Client(data=data) as client:
        found = client.classify(film)
        for row in told["findings"][:14]:
            finding = found[0][row["finding"]]
            assert (finding.score, finding.probability) == pytest.approx((row["score"], row["probability"]), abs=1e-5)
        hits = client.search(vector=client.direction("pleural effusion"), models=["hilum-cxr-clip"], limit=3)
        assert len(hits) == 3
        with pytest.raises(HilumError, match="INVALID_ARGUMENT"):
            client.classify([])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("search",), 2, "exactly one"),
        (("search", "--text", "edema", "--where", "colour = red"), 2, "INVALID_FILTER"),
        (("search", "--text", "edema", "--model", "gpt"), 2, "UNKNOWN_MODEL"),
        (("search", "--text", "edema", "--model", "hilum-cxr-dino"), 1, "FAILED_PRECONDITION"),
        (("search", "--id", "00000000-0000-0000-0000-000000000000"), 1, "NOT_FOUND"),
        (("search", "--image", "nowhere.dcm"), 2, "cannot read"),
        (("explain", "00000000-0000-0000-0000-000000000000", "--text", "edema"), 1, "NOT_FOUND"),
        (("explain", "00000000-0000-0000-0000-000000000000"), 2, "exactly one of"),
        (("classify", "nowhere.dcm"), 2, "cannot read"),
        (("classify", __file__, "--model", "hilum-cxr-dino"), 1, "knows no words"),
        (("ingest", "nowhere", "--dataset", "x"), 2, "INVALID_ARGUMENT"),
        (("ingest", ".", "--dataset", "../x"), 2, "dataset is a name"),
        (("jobs", "watch", "no-such-job"), 1, "no such job"),
        (("analyze", "show", "no-such-run"), 1, "no such run"),
    ],
)
def test_mistakes_get_one_clear_line_and_the_right_code(
    up: subprocess.Popen[str], data: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = hilum(*arguments, data=data)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_a_data_folder_that_cannot_be_one_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, not a folder")
    done = hilum("ingest", ".", "--dataset", "x", data=tmp_path / "data")
    assert done.returncode == 1 and "check its permissions and the disk" in done.stderr
    assert "Traceback" not in done.stderr


def test_commands_use_the_one_that_is_up(up: subprocess.Popen[str], data: Path) -> None:
    endpoint = running(data)
    assert endpoint is not None
    assert (data / "run" / "endpoint.json").stat().st_mode & 0o077 == 0
    listed = json.loads(hilum("models", "list", "--json", data=data).stdout)
    assert {model["name"]: model["images"] for model in listed} == {"hilum-cxr-clip": FILMS, "hilum-cxr-dino": FILMS}
    with Client(data=data) as client:
        assert len(list(client.images("dataset = phantom"))) == FILMS
        found = client.search(text="pacemaker", limit=4)
        assert len(found.to_pandas()) == 4 == found.to_arrow().num_rows
        assert found._repr_html_().count("<img") == 4


def test_a_search_is_kept_and_asked_again_by_its_name(up: subprocess.Popen[str], data: Path) -> None:
    assert "no searches kept yet" in hilum("searches", "list", data=data).stderr
    kept = hilum("searches", "save", "left side", "--text", "left pleural effusion", data=data).stdout.strip()
    again = [hilum("searches", "run", said, "--json", data=data) for said in ("left side", kept)]
    one, other = (json.loads(answer.stdout)["hits"] for answer in again)
    assert [hit["image_id"] for hit in one] == [hit["image_id"] for hit in other] and one
    misspelt = hilum("searches", "run", "left sdie", data=data)
    assert misspelt.returncode == 1 and "did you mean left side?" in misspelt.stderr


def test_nothing_found_is_said_and_is_no_table(up: subprocess.Popen[str], data: Path) -> None:
    none = hilum("search", "--text", "edema", "--where", "labels.edemma = present", data=data)
    assert (none.returncode, none.stdout) == (0, "") and "no film passes" in none.stderr
    assert "closest that films state is labels.edema" in none.stderr
    lost = hilum("analyze", "report", "nothing", data=data)
    assert lost.returncode == 1 and "hilum analyze list" in lost.stderr


def test_where_a_model_sees_words_and_another_film(up: subprocess.Popen[str], data: Path, tmp_path: Path) -> None:
    with Client(data=data) as client:
        one, other = (hit.image_id for hit in client.search(text="right pleural effusion", limit=2))
    out = tmp_path / "map.png"
    shown = hilum("explain", one, "--text", "right pleural effusion", "--out", out, data=data)
    assert shown.returncode == 0, shown.stderr
    assert out.read_bytes().startswith(b"\x89PNG")
    assert "no explanation of a disease" in " ".join(shown.stderr.split())
    assert len([line for line in shown.stdout.splitlines() if "·" in line]) >= 7
    done = hilum("explain", one, "--with", other, "--model", "hilum-cxr-dino", "--json", "--out", out, data=data)
    found = json.loads(done.stdout)
    assert [len(found["maps"]), len(found["maps"][1]["values"]), found["method"]] == [2, 8, "hiding"]
    assert found["files"] == [str(out), str(tmp_path / "map-other.png")] and (tmp_path / "map-other.png").is_file()


def test_the_async_client_answers_alike(up: subprocess.Popen[str], data: Path, films: Path) -> None:
    async def ask() -> tuple[list[str], str, int]:
        async with AsyncClient(data=data) as client:
            found = await client.search(text="cardiomegaly", limit=5)
            seen = [film async for film in client.images("view = PA", page_size=3)]
            with pytest.raises(HilumError, match="UNKNOWN_MODEL"):
                await client.search(text="edema", models=["gpt"])
            assert len(await client.thumbnail(found[0].image_id)) > 100
            asked = await client.classify(next(films.rglob("*.dcm")), findings=["edema"])
            assert [finding.name for finding in asked[0].findings] == ["edema"]
            assert (await client.direction(positive=["edema"], negative=["no edema"])).shape == (256,)
            return [hit.image_id for hit in found], str(found), len(seen)

    ids, shown, count = asyncio.run(ask())
    with Client(data=data) as client:
        found = client.search(text="cardiomegaly", limit=5)
        assert ids == [hit.image_id for hit in found]
        assert shown == str(found)
        assert count == client.facets("view = PA")["view"]["PA"]


def test_an_analysis_and_its_atlas_to_carry_away(up: subprocess.Popen[str], data: Path, tmp_path: Path) -> None:
    done = hilum("analyze", "run", "--k", "5", "--model", "hilum-cxr-clip", "--json", data=data)
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    figures = run["metrics"]["hilum-cxr-clip"]
    assert (figures["films"], figures["recall"], figures["graph"]) == (FILMS, 1.0, "exact")
    assert run["run_id"] in hilum("analyze", "list", data=data).stdout
    out = tmp_path / "atlas"
    exported = hilum("atlas", "export", run["run_id"], out, data=data)
    assert exported.returncode == 0, exported.stderr
    assert (out / "index.html").is_file()
    assert list(out.rglob("dataset.parquet"))


def test_a_guest_may_not_name_a_folder(up: subprocess.Popen[str], data: Path, films: Path) -> None:
    endpoint = running(data)
    assert endpoint is not None
    with Client(endpoint.grpc) as guest, pytest.raises(HilumError) as raised:
        guest.ingest(films, "stolen")
    assert raised.value.code == "PERMISSION_DENIED"


def test_the_engine_dies_and_answers_come_back(up: subprocess.Popen[str], data: Path) -> None:
    children = subprocess.run(
        ["ps", "--ppid", str(up.pid), "-o", "pid=,args="], capture_output=True, text=True, check=True
    )
    engine = next(int(line.split()[0]) for line in children.stdout.splitlines() if "services.engine" in line)
    os.kill(engine, signal.SIGKILL)

    def answers() -> bool:
        with Client(data=data) as client:
            try:
                return len(client.search(text="edema", limit=5)) == 5
            except HilumError as error:
                assert error.code == "UNAVAILABLE"
                return False

    until(answers, "the engine did not come back")


def test_a_second_process_is_told_and_sigterm_ends_cleanly(up: subprocess.Popen[str], data: Path) -> None:
    second = hilum("up", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", data=data)
    assert second.returncode == 1
    found = running(data)
    assert found and f"another Hilum has this data folder open at {found.http};" in second.stderr
    up.send_signal(signal.SIGTERM)
    assert up.wait(60) == 0
    assert running(data) is None
