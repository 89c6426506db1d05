"""``hilum search`` and ``hilum searches`` as typed, against an archive that really answers."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from hilum import Client
from hilum.queries import Asked, By
from services.app.cli import app
from services.core.facts import recalls
from tests.sdk.conftest import FILMS, Library

Hilum = Callable[..., Result]
NO_FILM = "00000000-0000-5000-8000-000000000000"


@pytest.fixture
def hilum(library: Library, monkeypatch: pytest.MonkeyPatch) -> Hilum:
    """Run a command in this process, with the library as the Hilum that is up."""
    monkeypatch.setenv("HILUM_URL", library.grpc)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def hits(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)["hits"]
    return found


def ids(result: Result) -> list[str]:
    return [hit["image_id"] for hit in hits(result)]


def test_the_help_tells_every_option_of_a_search_by_what_it_is_for(hilum: Hilum) -> None:
    for command in (("search",), ("searches", "save")):
        told = hilum(*command, "--help").stdout
        for name in {*Asked.__annotations__} - {"page_size"}:
            assert f"--{name.replace('_', '-')}" in told, name
        sections = [line.rstrip(":") for line in told.splitlines() if line.endswith(":") and not line.startswith(" ")]
        assert sections[:4] == ["What to look for (one of these)", "In what order", "Among which films",
                                "How they are shown"]  # fmt: skip
    assert By.__annotations__.keys() <= Asked.__annotations__.keys()


def test_what_is_typed_is_what_is_asked(hilum: Hilum, library: Library, client: Client, tmp_path: Path) -> None:
    films, picture = library.films, tmp_path / "film.png"
    picture.write_bytes(library.picture(11))
    np.save(tmp_path / "v.npy", library.archive.store.vector(library.archive.spec("sdk"), films[11]))
    (tmp_path / "evil.npy").write_bytes(np.lib.format.magic(1, 0) + pickle.dumps(object()))
    study = f"{client.image(films[0]).dataset}/s-11"
    common = ("--model", "sdk", "--limit", "2", "--json")
    near = set(films[8:15])
    ways: list[tuple[object, ...]] = [
        ("--id", films[11]), ("--image", picture), ("--study", study), ("--like", films[10], "--like", picture),
        ("--like", films[11], "--unlike", films[0]), ("--mix", f"1:{films[11]}", "--mix", "0.1:centre"),
        ("--id", films[11], "--region", "0,0,1,1"), ("--vector", tmp_path / "v.npy"),
    ]  # fmt: skip
    for way in ways:
        found = ids(hilum("search", *way, *common))
        assert len(found) == 2 and set(found) <= near, way
    assert hilum("search", "--vector", tmp_path / "evil.npy", "--model", "sdk").exit_code == 2
    single = hits(hilum("search", "--text", "left", "--per-patient", "1", "--limit", "12", "--model", "sdk", "--json"))
    assert len({hit["patient_id"] for hit in single}) == 12
    grouped = hits(hilum("search", "--text", "left", "--group-by", "patient", "--group-size", "2", *common))
    assert len({hit["group"] for hit in grouped}) == 2 and len(grouped) == 4
    fused = hits(hilum("search", "--id", films[4], "--models", "sdk,sdk-mute", "--fusion", "weighted", "--weights",
                       "sdk=2", "--json"))  # fmt: skip
    assert fused[0]["agreement"] == "2 of 2" and {place["model"] for place in fused[0]["models"]} == {"sdk", "sdk-mute"}


def test_people_see_tables_with_what_there_is_to_say(hilum: Hilum, library: Library) -> None:
    shown = hilum("search", "--id", library.films[4], "--models", "sdk,sdk-mute", "--priors", "--limit", "3")
    assert shown.exit_code == 0
    assert "the patient's own films" in shown.stdout and library.films[5] in shown.stdout
    assert "2 of 2" in shown.stdout and "agreement" in shown.stdout and "probability" not in shown.stdout
    assert "research use only" in shown.stderr and "sdk-mute" in shown.stderr
    read = hilum("search", "--text", "no pneumothorax", "--model", "sdk", "--limit", "1")
    assert "read “pneumothorax”: pneumothorax, absent" in read.stderr
    plain = hilum("search", "--text", "no pneumothorax", "--model", "sdk", "--limit", "1", "--reading", "plain")
    assert "read “" not in plain.stderr


def test_everything_at_once_one_a_line(hilum: Hilum) -> None:
    whole = ids(hilum("search", "--text", "left", "--model", "sdk", "--limit", "1000", "--json"))
    lines = hilum("search", "--text", "left", "--model", "sdk", "--all").stdout.splitlines()
    column = lines[0].split("\t").index("image_id")
    assert [line.split("\t")[column] for line in lines[1:]] == whole and len(whole) == FILMS
    told = hilum("search", "--text", "left", "--model", "sdk", "--all", "--json").stdout.splitlines()
    assert [json.loads(line)["image_id"] for line in told] == whole


def test_why_not_and_the_whole_answer_in_a_file(hilum: Hilum, library: Library, tmp_path: Path) -> None:
    out = tmp_path / "answer.json"
    hilum("search", "--text", "left", "--model", "sdk", "--report-json", out)
    told = json.loads(out.read_text())
    assert len(told["hits"]) == 10 and told["provenance"]["models"]["sdk"]["fingerprint"]
    missing = (set(library.films) - {hit["image_id"] for hit in told["hits"]}).pop()
    why = hilum("search", "--text", "left", "--model", "sdk", "--why-not", missing)
    assert re.match(r"below-limit: .*\(rank [12]\d, -?0\.\d+\)", why.stdout)
    [reason] = json.loads(hilum("search", "--text", "left", "--model", "sdk", "--why-not", missing, "--json").stdout)
    assert 10 < reason["rank"] <= FILMS


def test_recall_is_shown(hilum: Hilum, library: Library) -> None:
    recalls.save(library.archive.facts, library.archive.spec("sdk-mute").fingerprint, 10, 0.9, True)
    told = hilum("quality").stdout
    assert "0.9000 of 1 questions" in told and "not calibrated: hilum analyze calibrate" in told
    by = {one["model"]: one for one in json.loads(hilum("quality", "--json").stdout)}
    assert (by["sdk-mute"]["filtered_recall"], by["sdk-mute"]["recall"]) == (0.9, None)


def test_searches_are_kept_judged_and_refined(hilum: Hilum, library: Library) -> None:
    kept = hilum("searches", "save", "left ones", "--text", "left", "--model", "sdk", "--limit", "4").stdout.strip()
    assert "left ones" in hilum("searches", "list").stdout
    assert len(ids(hilum("searches", "run", kept, "--json"))) == 4
    good, bad = library.films[-1], library.films[0]
    hilum("searches", "mark", kept, good)
    marks = json.loads(hilum("searches", "mark", kept, bad, "--grade", "0", "--json").stdout)
    assert marks == {good: 1, bad: 0}
    assert len(ids(hilum("searches", "refine", kept, "--limit", "6", "--json"))) == 6
    told = json.loads(hilum("searches", "refine", kept, "--where", "view = PA", "--exact", "--json").stdout)
    assert told["provenance"]["exact"] and {hit["view"] for hit in told["hits"]} == {"PA"}
    assert json.loads(hilum("searches", "mark", kept, good, "--undo", "--json").stdout) == {bad: 0}
    assert bad in hilum("searches", "marks", kept).stdout
    assert "left ones" in hilum("searches", "delete", kept).stdout
    gone = hilum("searches", "run", kept)
    assert (gone.exit_code, "NOT_FOUND" in gone.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "exactly one"),
        (("--text", "a", "--id", NO_FILM), 2, "a mix"),
        (("--study", "s1"), 2, "DATASET/STUDY"),
        (("--id", NO_FILM, "--region", "1,2"), 2, "four fractions"),
        (("--id", NO_FILM, "--region", "0.5,0.5,0.9,0.9"), 2, "inside the film"),
        (("--mix", "pneumothorax"), 2, "weight before it"),
        (("--text", "a", "--weights", "rad-dino"), 2, "weights name models"),
        (("--like", "misspelt.dcm"), 2, "cannot read"),
        (("--text", "a", "--mode", "sideways"), 2, "mode is one of"),
        (("--text", "a", "--where", "colour = red"), 2, "INVALID_FILTER"),
        (("--id", NO_FILM), 1, "NOT_FOUND"),
    ],
)
def test_mistakes(hilum: Hilum, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = hilum("search", *arguments)
    assert (done.exit_code, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.output
