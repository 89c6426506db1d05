"""`hilum analyze again`: a manifest carried out once more, and what came out held against what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.analytics import kinds
from services.app.commands.analyze import again
from services.core.facts import images, open_facts
from tests.kit import clustered
from tests.kit.records import stored


@pytest.mark.parametrize(
    "asked",
    [
        {"models": ["a", "b"], "k": 7, "resolutions": [0.5, 2.0], "filter": 'view = "PA"', "seed": 3},
        {"models": ["a"], "labels": ["edema"], "structure": {"seeds": 2, "layouts": ["pca"]}},
        {"sample_size": 9, "sampling": {"by": ["view"], "per_patient": 1}},
        {"eda": {"no_sides": True}},
    ],
)
def test_what_a_manifest_says_is_what_is_asked_again(asked: dict[str, object]) -> None:
    from google.protobuf import json_format

    from hilum import requests

    first = kinds.parse(asked)
    told = {"kind": first.kind, "asked": first.as_json()}
    request = json_format.MessageToDict(requests.analyze(**again._options(told)), preserving_proto_field_name=True)
    assert kinds.parse(request) == first


def test_every_figure_is_held_against_what_it_was() -> None:
    then = {"a": {"x": 1.0, "y": [1, None]}, "same": "s"}
    assert list(again._differences(then, json.loads(json.dumps(then)))) == []
    now = {"a": {"x": 1.5, "y": [1, 2]}, "same": "s", "new": 0}
    assert list(again._differences(then, now)) == [("a.x", 1.0, 1.5), ("a.y.1", None, 2), ("new", None, 0)]


@pytest.mark.slow
def test_a_run_and_its_manifest_are_carried_out_again(tmp_path: Path) -> None:
    def hilum(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services.app.cli", "analyze", *arguments, "--data", str(tmp_path / "data")],
            capture_output=True, text=True, env=os.environ | {"HILUM_THREADS": "1"}, check=False,
        )  # fmt: skip

    (tmp_path / "data").mkdir()
    facts = open_facts(f"sqlite:///{tmp_path / 'data' / 'facts.db'}")
    images.commit(facts, [stored(clustered.record(n), []) for n in range(40)])
    made = json.loads(hilum("eda", "--json").stdout)
    same = hilum("again", made["run_id"])
    assert (same.returncode, "figures are the same" in same.stdout) == (0, True), same.stderr
    folder = tmp_path / "data" / "runs" / made["run_id"]
    images.commit(facts, [stored(clustered.record(40), [])])
    other = hilum("again", str(folder / "manifest.json"), "--json")
    told = json.loads(other.stdout)
    assert (other.returncode, told["same"]) == (1, False), other.stderr
    assert {"what": "films", "then": 40, "now": 41} in told["differences"]
    none = hilum("again", str(folder / "metrics.json"))
    assert none.returncode == 1 and "no manifest" in none.stderr
    assert "Traceback" not in none.stderr
