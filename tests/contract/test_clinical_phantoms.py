"""Films with a known finding and a table made for them, from the shell: an outcome that needs both is told best by
both, and one of chance by neither."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow
FILMS = 500


def hilum(*arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "services.app.cli", *map(str, arguments)],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Phantoms in an archive, and a table of their patients: the hazard is of the first film's effusion and a CRP."""
    home = tmp_path_factory.mktemp("phantoms")
    films, found = home / "films", home / "data"
    hilum("phantom", films, "--n", str(FILMS), "--seed", "5", "--size", "192")
    with open(films / "truth.csv") as file:
        truth = {row["file"]: row for row in csv.DictReader(file)}
    first: dict[str, dict[str, str]] = {}
    with open(films / "labels.csv") as file:
        for row in sorted(csv.DictReader(file), key=lambda one: (one["study_date"], one["file"])):
            first.setdefault(row["patient_id"], row)
    mine = [truth[row["file"]] for row in first.values()]
    effusion = np.array([float(row["effusion_right"]) + float(row["effusion_left"]) for row in mine])
    random = np.random.default_rng(11)
    crp, bad = random.standard_normal(len(first)), (effusion - effusion.mean()) / effusion.std()
    with open(home / "clinical.csv", "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["patient_id", "crp", "died", "days", "chance", "luck"])
        for n, person in enumerate(first):
            time, end = random.exponential(180 * np.exp(-0.9 * bad[n] - 0.8 * crp[n])), random.uniform(60, 365)
            told = "" if n % 8 == 0 else f"{60 + 30 * crp[n]:.1f}"
            out.writerow([
                person, told, int(time <= end), f"{min(time, end) + 0.1:.1f}", int(random.random() < 0.5),
                f"{random.exponential(100) + 0.1:.1f}",
            ])  # fmt: skip
    hilum("ingest", films, "--dataset", "phantoms", "--labels", films / "labels.csv", "--data", found)
    columns = "crp,died,days,chance,luck"
    hilum("side", "add", home / "clinical.csv", "--dataset", "phantoms", "--name", "c", "--columns", columns,
          "--data", found)  # fmt: skip
    return found


def analysed(data: Path, outcome: str, time: str) -> dict[str, Any]:
    told = hilum(
        "analyze", "clinical", "--outcome", f"side.c.{outcome}", "--time", f"side.c.{time}", "--variables",
        "age,sex,side.c.crp", "--repeats", "3", "--reductions", "pca", "--json", "--data", data,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(told)["metrics"]["together"]
    return found


def test_an_outcome_of_film_and_table_is_told_best_by_both(data: Path) -> None:
    found = analysed(data, "died", "days")
    promises = found["promises"]
    assert promises["fused"]["value"] > max(promises["vectors"]["value"], promises["tables"]["value"]) + 0.01
    assert promises["fused"]["over_tables"]["low"] > 0
    assert found["verdict"].startswith("Films add to tables")
    assert found["alone"]["side.c.crp"]["q"] < 0.001


def test_an_outcome_of_chance_is_told_by_nothing(data: Path) -> None:
    found = analysed(data, "chance", "luck")
    assert found["verdict"].startswith(("Nothing is shown", "It is not shown"))
    assert all(one["q"] > 0.05 for one in found["by_cluster"])
    assert all(one["q"] is None or one["q"] > 0.05 for one in found["alone"].values())
