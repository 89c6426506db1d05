"""Runs that were cut short: what was finished is not made again, and what comes out is the same."""

from __future__ import annotations

import json
import os
import stat
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import sparse

from services.analytics import cluster, frozen, graph, kinds, layout
from services.analytics.bench import Bench
from services.analytics.graph import Graph
from services.analytics.progress import Progress
from services.analytics.stages import Stages
from services.core import attempts
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.facts import Facts, images, sides
from services.core.facts.sides import SideColumn, SideTable
from services.core.store import VectorStore
from services.core.types import Report
from tests.kit import clustered
from tests.kit.records import make_spec

SHARP, BLUNT = make_spec("sharp", 24), make_spec("blunt", 16)


COHORT: dict[str, Any] = {
    "criteria": [{"similar": {"image_ids": [clustered.record(0).image_id], "model": "sharp", "top": 110}}],
    "match": {"cases": "labels.edema = present", "controls": "labels.edema = absent", "exact": ["view"],
              "nearest": ["age"]},
    "sample": {"how": "stratified", "size": 16, "by": ["sex"]},
    "split": {"fractions": {"train": 0.5, "test": 0.5}, "near_duplicates": True, "model": "sharp"},
}  # fmt: skip


class CutShortError(Exception):
    """What a kill does, where the process is the test's own."""


def attempt(
    home: Path, facts: Facts, store: VectorStore, asked: dict[str, Any], cut: str = "", after: int = 0
) -> dict[str, Any]:
    """An attempt at a run, cut short at the stage `cut`; the run's metrics and manifest."""
    part = home / "runs" / str(uuid.uuid4())
    part.mkdir(parents=True)

    def report(stage: str, done: int, total: int, left: float | None) -> None:
        if stage == cut and done >= after:
            raise CutShortError

    given = kinds.parse(asked)
    settings = Settings(data_dir=home)
    bench = Bench(given, part.name, part, facts, store, Blobs(home / "blobs"), settings, Progress(report))
    kinds.work(given.kind)(bench)
    read = {name: json.loads((part / f"{name}.json").read_text()) for name in ("metrics", "manifest")}
    tables = {file.name: pq.read_table(file) for file in part.glob("*.parquet")}
    return {**read, "report": (part / "report.html").read_text(), "tables": tables}


def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often graphs, clusters and maps are made from now on."""
    calls: Counter[str] = Counter()
    for module, name in ((graph, "build"), (cluster, "leiden"), (layout, "project")):
        real: Callable[..., Any] = getattr(module, name)

        def made(*given: Any, _real: Callable[..., Any] = real, _name: str = name, **more: Any) -> Any:
            found = _real(*given, **more)
            calls[_name] += 1
            return found

        monkeypatch.setattr(module, name, made)
    return calls


def test_an_attempt_goes_on_where_the_one_before_was_cut_short(
    tmp_path: Path, facts: Facts, store: VectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    clustered.fill(facts, store, Blobs(tmp_path / "blobs"), [SHARP, BLUNT], 120)
    asked = {"models": ["sharp", "blunt"], "k": 6}
    whole = attempt(tmp_path, facts, store, asked)
    assert whole["manifest"]["continued"] == {}
    assert attempts.drop(tmp_path, kinds.parse(asked).as_json()) == 1

    calls = counted(monkeypatch)
    for stage in ("pictures", "clusters of sharp", "map of sharp", "graph of blunt", "metrics of blunt"):
        with pytest.raises(CutShortError):
            attempt(tmp_path, facts, store, asked, cut=stage)
    last = attempt(tmp_path, facts, store, asked)
    assert calls == {"build": 2, "leiden": 2, "project": 2}  # once for each model, over six attempts
    told = [one["stage"] for one in last["manifest"]["stages"]]
    assert len(told) == len(set(told)) == 9
    assert last["metrics"] == whole["metrics"]
    assert last["manifest"]["models"] == whole["manifest"]["models"]
    taken_up = last["manifest"]["continued"]
    assert len(taken_up["stages"]) == 8
    assert taken_up["seconds_saved"] == pytest.approx(
        sum(one["seconds"] for one in last["manifest"]["stages"][:8]), abs=0.06
    )
    assert "8 finished\nstages were not made again" in last["report"]

    kept = attempts.folder(tmp_path, kinds.parse(asked).as_json())
    assert stat.S_IMODE(kept.stat().st_mode) == stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in kept.glob("*.npz"))
    assert not [file for file in kept.iterdir() if b"secret" in file.read_bytes()]
    _takes_up_nothing_that_has_changed(tmp_path, facts, store, asked, calls)


def _takes_up_nothing_that_has_changed(
    home: Path, facts: Facts, store: VectorStore, asked: dict[str, Any], calls: Counter[str]
) -> None:
    """Films that came since, and a file that was damaged."""
    calls.clear()
    clustered.fill(facts, store, Blobs(home / "blobs"), [SHARP, BLUNT], 124)
    attempt(home, facts, store, asked)
    assert calls == {"build": 2, "leiden": 2, "project": 2}
    for file in attempts.folder(home, kinds.parse(asked).as_json()).glob("graph-of-sharp-*"):
        file.write_bytes(file.read_bytes()[:100])
    calls.clear()
    attempt(home, facts, store, asked)
    assert calls == {"build": 1}


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked",
    [
        {"hubs": {}},
        {"retrieval": {"queries": 40, "correct": True, "fuse": True}},
        {"calibration": {"folds": 3}},
        {"structure": {"layouts": ["umap", "pca"], "draws": 4, "seeds": 2}},
        {"compare": {"apart": 40, "shuffles": 19}},
        {"outliers": {"trees": 20}},
        {"probe": {"augment": "off", "folds": 3}},
        {"label_quality": {"folds": 3, "flip": "edema", "rates": [0.1], "repeats": 2}},
        {"shift": {"axes": ["view", "sex"], "permutations": 99, "remove": "sex", "folds": 3}},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_what_every_kind_kept_comes_back_as_it_was(
    tmp_path: Path, facts: Facts, store: VectorStore, asked: dict[str, Any]
) -> None:
    clustered.fill(facts, store, Blobs(tmp_path / "blobs"), [SHARP, BLUNT], 240)
    asked = {"models": ["sharp", "blunt"], "k": 6, "labels": ["edema", "pleural_effusion"], **asked}
    first, again = (attempt(tmp_path, facts, store, asked) for _ in range(2))
    told = [one["stage"] for one in first["manifest"]["stages"]]
    assert len(told) == len(set(told)) >= 2
    assert again["manifest"]["continued"]["stages"] == told
    assert again["manifest"]["stages"] == first["manifest"]["stages"]  # nothing was made again
    assert again["metrics"] == first["metrics"]


def side_table(facts: Facts, films: int) -> None:
    """Numbers and a word of every film."""
    numbers = tuple(SideColumn(name, name, "number") for name in ("bnp", "died", "days"))
    table = SideTable("demo", "lab", "image", (*numbers, SideColumn("ward", "Ward", "text")))
    ids = [clustered.record(n).image_id for n in range(films)]
    rows = [
        (ids[n], {"number": {"bnp": n % 17.0, "died": n % 3 // 2, "days": 1.0 + n % 29}, "text": {"ward": "ab"[n % 2]}})
        for n in range(films)
    ]
    sides.add(facts, table, rows)
    sides.finish(facts, table)


def reports(facts: Facts, films: int) -> None:
    """Of every film's study: words of its kind, and some that mean nothing."""
    random = np.random.default_rng(0)
    words = ("heart lungs edema", "pleural effusion left", "clear lungs normal", "lines tubes device")
    texts = (" ".join([words[clustered.kind_of(n)], *random.choice(list("abcd"), 4)]) for n in range(films))
    said = [Report("demo", f"s-secret-{n}", "findings", text) for n, text in enumerate(texts)]
    images.save_reports(facts, said)


@pytest.mark.parametrize(
    ("asked", "cuts", "stages"),
    [
        (
            {"eda": {}},
            ["findings", "report"],
            ["fields", "findings", "patients", "shared pixels", "side table demo/lab"],
        ),
        (
            {"cohort": COHORT},
            ["matching", "nearly the same", "splitting"],
            ["similar films, 1", "matching", "sample", "looks", "nearly the same", "splitting"],
        ),
        pytest.param(
            {
                "models": ["sharp", "blunt"],
                "clinical": {
                    "outcome": "side.lab.died",
                    "time": "side.lab.days",
                    "variables": ["age", "side.lab.bnp"],
                    "methods": ["kmeans"],
                    "most_clusters": 3,
                    "draws": 10,
                    "repeats": 1,
                    "folds": 2,
                },
            },
            ["autoencoder, seed 1", "one cloud of tables", "clusters by outcome", "each variable alone", "report"],
            [
                "components",
                "clusters of vectors by kmeans",
                "one cloud of vectors",
                "clusters of tables by kmeans",
                "one cloud of tables",
                "clusters of fused by kmeans",
                "one cloud of fused",
                "autoencoder, seed 0",
                "autoencoder, seed 1",
                "autoencoder, seed 2",
                "clusters of fused, VAE by kmeans",
                "one cloud of fused, VAE",
                "clusters by outcome",
                "promises",
                "each variable alone",
            ],
            marks=pytest.mark.slow,
            id="clinical",
        ),
        pytest.param(
            {
                "models": ["sharp", "blunt"],
                "align": {
                    "methods": ["procrustes", "ridge"],
                    "splits": 2,
                    "sections": ["findings"],
                    "pairs": [20],
                    "text_model": "tfidf",
                },
            },
            ["maps of sharp@1", "maps of blunt", "maps of blunt@2"],
            [
                f"{method} of {model}, findings, split {split}"
                for model in ("sharp", "blunt")
                for split in (1, 2)
                for method in ("procrustes", "ridge")
            ],
            marks=pytest.mark.slow,
            id="align",
        ),
        ({"sample_size": 60, "sampling": {"by": ["view", "sex"]}}, ["likeness", "report"], ["draw", "likeness"]),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_an_attempt_of_any_kind_goes_on_where_the_one_before_was_cut_short(
    tmp_path: Path, facts: Facts, store: VectorStore, asked: dict[str, Any], cuts: list[str], stages: list[str]
) -> None:
    """Cut short before several of its stages in turn: none is made twice, and what comes out is the same."""
    clustered.fill(facts, store, Blobs(tmp_path / "blobs"), [SHARP, BLUNT], 120)
    side_table(facts, 120)
    reports(facts, 120)
    whole = attempt(tmp_path, facts, store, asked)
    attempts.drop(tmp_path)
    for cut in cuts:
        stage, _, after = cut.partition("@")
        with pytest.raises(CutShortError):
            attempt(tmp_path, facts, store, asked, cut=stage, after=int(after or 0))
    last = attempt(tmp_path, facts, store, asked)
    told = last["manifest"]["stages"]
    assert [one["stage"] for one in told] == stages  # each once, over all attempts
    before = [one["stage"] for one in told if one["attempt"] <= len(cuts)]
    # What an autoencoder made is needed no more where its clusters are kept.
    needed = [stage for stage in before if not stage.startswith("autoencoder")]
    assert [stage for stage in last["manifest"]["continued"]["stages"] if stage in needed] == needed
    assert len(before) >= len(stages) - 1
    assert last["metrics"] == whole["metrics"]
    assert last["manifest"]["sample_sha256"] == whole["manifest"]["sample_sha256"]
    assert {name: str(table.to_pydict()) for name, table in last["tables"].items()} == {
        name: str(table.to_pydict()) for name, table in whole["tables"].items()
    }


def test_every_kind_of_value_comes_back_as_it_was(tmp_path: Path) -> None:
    near = Graph(np.arange(6, dtype=np.int32).reshape(3, 2), np.ones((3, 2), np.float32), "exact", 1.0, 3)
    given = {
        ("a", 1): [None, True, 2, 0.1 + 0.2, float("inf"), "words", b"bytes", (1, (2,))],
        0.5: {"graph": near, "number": np.float32(0.1), "pictures": [b"one", None, b"", b"three"]},
        "rows": sparse.csr_matrix(np.eye(3)),
        "none": [None, None],
        "empty": [],
    }
    frozen.write(tmp_path / "kept.npz", given)
    found = frozen.read(tmp_path / "kept.npz")
    assert found["a", 1] == given["a", 1]
    assert type(found["a", 1][1]) is bool
    assert found[0.5]["pictures"] == given[0.5]["pictures"]
    assert found[0.5]["number"] == np.float32(0.1)
    assert found[0.5]["graph"].sha256 == near.sha256
    assert isinstance(found[0.5]["graph"], Graph)
    assert (found["rows"] != given["rows"]).nnz == 0
    assert (found["none"], found["empty"]) == ([None, None], [])
    assert frozen.digest(given) == frozen.digest(found)
    assert frozen.digest([near]) != frozen.digest([Graph(near.ids + 1, near.distances, "exact", 1.0, 3)])
    with pytest.raises(TypeError, match="no plain form"):
        frozen.digest(np.random.default_rng())


@pytest.mark.parametrize("named", ["os:system", "services.core.logs:get_logger", "services.analytics.stages:Stages"])
def test_a_file_names_no_class_but_ours_of_data(tmp_path: Path, named: str) -> None:
    tree = json.dumps({"~": "class", "is": named, "of": {}})
    np.savez(tmp_path / "bad.npz", tree=np.frombuffer(tree.encode(), np.uint8))
    with pytest.raises(ValueError, match="finished stage"):
        frozen.read(tmp_path / "bad.npz")
    made = []
    Stages(tmp_path).once("stage", lambda: made.append(1))
    assert made == [1]


def test_folders_that_nobody_came_back_for_go(tmp_path: Path) -> None:
    for number in range(4):
        home = attempts.folder(tmp_path, {"seed": number})
        Stages(home).once("stage", lambda: np.zeros(1000))
        old = time.time() - 100 * (4 - number) - (8 * 86_400 if number == 0 else 0)
        for file in home.iterdir():
            os.utime(file, (old, old))
    attempts.tidy(tmp_path)
    assert attempts.count(tmp_path) == 3
    attempts.tidy(tmp_path, most=20_000)
    assert attempts.count(tmp_path) == 2
    assert not attempts.folder(tmp_path, {"seed": 1}).exists()
    assert attempts.drop(tmp_path) == 2
    assert attempts.count(tmp_path) == 0
