"""A cohort that was really built, exported: its figures are those of its run, also when the run is gone."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from services.analytics.cohort.export.bundle import TABLES, Bundle
from services.analytics.cohort.export.kept import kept
from services.core.access import ALL, Access
from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts
from services.core.store import VectorStore
from tests.kit import clustered, cohorts
from tests.kit.analyses import make
from tests.kit.records import make_spec

SPEC = {
    "name": "cases", "title": "Edema and controls", "seed": 3,
    "criteria": [{"filter": "age >= 30"}, {"name": "no uncertain pneumothorax", "exclude": True,
                                           "filter": "labels.pneumothorax = uncertain"}],
    "match": {"cases": "labels.edema = present", "nearest": ["age"], "exact": ["view"]},
    "split": {"fractions": {"train": 0.6, "test": 0.4}},
    "table1": {"variables": ["age", "sex"], "by": "group"},
}  # fmt: skip


def test_an_export_states_what_the_run_found(tmp_path: Path, facts: Facts, store: VectorStore) -> None:
    blobs = Blobs(tmp_path / "blobs")
    clustered.fill(facts, store, blobs, [make_spec("one", 16)], 160)
    run = make(tmp_path, facts, store, cohort=SPEC)
    told, runs = run.json("manifest.json")["cohort"], tmp_path / "runs"
    frozen = kept(facts, runs, "cases", ALL)
    files = cohorts.written(Bundle(frozen, facts, blobs, tuple(TABLES)), tmp_path / "out")

    def rows(name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(files[name].decode())))

    films = pq.read_table(run.folder / "cohort.parquet").to_pydict()
    ours = {row["image_id"]: row for row in rows("films.csv")}
    for image_id, group, part in zip(films["image_id"], films["group"], films["split"], strict=True):
        assert (ours[image_id]["cohort.group"], ours[image_id]["cohort.split"]) == (group, part)
    assert len(ours) == told["counts"]["images"] == len(rows("films.csv"))
    steps = rows("attrition.csv")
    assert [int(step["left_images"]) for step in steps] == [step["left"]["images"] for step in told["steps"]]
    assert [step["kind"] for step in steps] == ["archive", "include", "exclude", "match"]
    assert len(rows("balance.csv")) == len(told["match"]["balance"])
    assert b"cases" in files["table1.csv"] and b"controls" in files["table1.csv"]

    text = files["METHODS.txt"].decode()
    match = told["match"]
    assert f"{match['matched']:,} of {match['cases']:,} cases were matched with {match['controls']:,} controls" in text
    worst = max(abs(line["difference_matched"]) for line in match["balance"] if line["difference_matched"] is not None)
    assert f"mean difference after matching was {worst:.3f}" in text
    for name, count in Counter(films["split"]).items():
        assert f"{name} {count} films" in text
    assert "No two parts share any of these" in text and "patient" in text
    numbers = set(re.findall(r"\d+", json.dumps(told) + json.dumps(run.json("manifest.json")["versions"])))
    numbers |= set(re.findall(r"\d+", f"{frozen.created_at[:10]} {worst:.3f} {frozen.run_id} SHA-256"))
    numbers |= {str(number) for number in range(len(steps))} | {str(n) for n in Counter(films["split"]).values()}
    assert set(re.findall(r"\d+", text)) <= numbers

    with pytest.raises(HilumError) as refused:
        kept(facts, runs, "cases", Access.named(["other"]))
    assert refused.value.code is ErrorCode.NOT_FOUND
    shutil.rmtree(run.folder)  # as forgetting a patient leaves it
    alone = kept(facts, runs, "cases", ALL)
    assert (alone.steps, alone.count, alone.ids_sha256) == (frozen.steps, frozen.count, frozen.ids_sha256)
    left = cohorts.written(Bundle(alone, facts, blobs, tuple(TABLES)), tmp_path / "later")
    assert "table1.csv" not in left and left["ids.txt"] == files["ids.txt"]
    with pytest.raises(HilumError):
        kept(facts, runs, "cases", Access.named(["demo"]))
