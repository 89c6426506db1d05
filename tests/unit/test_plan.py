"""Sizes and hours before there is an archive: the formulas hold for a real one, and nothing is guessed."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.bench_sizes import FINDINGS, LABELS, measure
from services.app import sizing
from services.app.cli import app
from tests.kit import scratch


def told(*arguments: str, data: Path) -> dict:  # type: ignore[type-arg]
    done = CliRunner().invoke(app, ["plan", *arguments, "--json", "--data", str(data)])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_formulas_are_within_15_percent_of_a_real_archive() -> None:
    films, dim = 1_000, 256
    with tempfile.TemporaryDirectory(prefix="hilum-plan-", dir=scratch.DISK) as folder:  # holes of files are a disk's
        real = measure(films, dim, Path(folder))
    said = sizing.disk(films, [sizing.Vectors("synthetic", dim)], LABELS, len(FINDINGS))
    whole = sum(real[name] for name in sizing.MEASURED)
    for name in sizing.MEASURED:
        allowed = 0.15 if real[name] > whole / 20 else 0.25  # blocks of 4 KiB weigh on what is small
        assert said[name] == pytest.approx(real[name], rel=allowed), name
    assert sum(said[name] for name in sizing.MEASURED) == pytest.approx(whole, rel=0.15)
    assert sizing.atlas(films, 1) == pytest.approx(real["atlas"], rel=0.15)
    assert sizing.memory(said, engines=1)[1] == pytest.approx(real["memory"], rel=0.15)


def test_what_grows_with_films_models_and_numbers() -> None:
    one, other = sizing.Vectors("one", 768), sizing.Vectors("other", 128, tokens=32)
    small, large = sizing.disk(10_000, [one]), sizing.disk(1_000_000, [one])
    assert large["vectors"] == 100 * small["vectors"] == 1_000_000 * 768 * 4
    assert large["log"] < 100 * small["log"], "the log is cut"
    assert sizing.disk(10_000, [one, one])["facts"] - small["facts"] == 10_000 * 383
    assert (other.quantised(10), other.graph(10)) == (0, 0), "several vectors a film are compared as they are"
    assert sizing.disk(10_000, [one], quantisation="none")["quantised"] == 0
    least, everything = sizing.memory(large)
    plain, _ = sizing.memory(sizing.disk(1_000_000, [one], quantisation="none"))
    assert least < plain < everything


def test_the_plan_of_models_at_hand_known_and_named(tmp_path: Path) -> None:
    plan = told("--images", "1000", "--models", "hilum-cxr-clip,cxr-foundation-text,mine:1024", data=tmp_path)
    shapes = {name: (model["numbers"], model["vectors"]) for name, model in plan["models"].items()}
    assert shapes == {"hilum-cxr-clip": (256, 1), "cxr-foundation-text": (128, 32), "mine": (1024, 1)}
    assert plan["models"]["hilum-cxr-clip"]["hours"] > 0
    assert plan["models"]["mine"]["hours"] is None and plan["hours"]["together"] is None, "no rate is guessed"
    assert plan["cost"] == {"hours": None, "disk_a_month": None}, "no price is guessed"


def test_rates_and_prices_are_what_one_says(tmp_path: Path) -> None:
    plan = told(
        "--images", "3600000", "--models", "rad-dino", "--device", "gpu", "--gpus", "2", "--cores", "64",
        "--images-per-second", "rad-dino=100", "--price-hour", "3", data=tmp_path,
    )  # fmt: skip
    assert plan["models"]["rad-dino"]["hours"] == pytest.approx(5)
    assert plan["cost"]["hours"] == pytest.approx(15)


@pytest.mark.parametrize(
    "wrong",
    [["--models", "nobody"], ["--quantisation", "int4"], ["--images-per-second", "rad-dino=fast"],
     ["--images-per-second", "rad-dino=5"]],
)  # fmt: skip
def test_what_cannot_be_planned_is_said(tmp_path: Path, wrong: list[str]) -> None:
    done = CliRunner().invoke(app, ["plan", "--images", "10", *wrong, "--data", str(tmp_path)])
    assert done.exit_code == 2 and "error:" in done.output
