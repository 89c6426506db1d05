"""Probe runs on archives of known structure: what is planted is found, and said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw

from services.analytics.probe import keep
from services.core.errors import HilumError
from services.core.facts import Facts, images, models
from services.core.facts.images import Stored
from services.core.models import ModelSpec
from services.core.store import VectorStore, payload
from services.core.types import ImageRecord
from services.engine.supervisor import EngineProcess
from services.ingest.encode_api import EncodeApi
from tests.kit.analyses import Made, make
from tests.kit.encoders import TinyEncoder, tiny_registry
from tests.kit.ingesting import Room, room
from tests.kit.records import make_record, make_spec
from tests.kit.served import served

SHARP, BLUNT = make_spec("sharp", 12), make_spec("blunt", 12)
FILMS = 72  # of each dataset; two of a patient


def fill(facts: Facts, store: VectorStore, specs: Sequence[ModelSpec] = (SHARP, BLUNT)) -> list[ImageRecord]:
    """Datasets east and west, and a cohort.

    edema is one axis of the vectors, the same in east and west.  effusion is axis 1 in east and its opposite in west.
    hernia goes with the device in east, and the vectors show the device alone.  noise is in no vector.  Everybody in
    the cohort has covid, and of nobody it is stated absent.
    """
    random = np.random.default_rng(0)
    records, vectors = list[ImageRecord](), list[np.ndarray]()
    for place in ("east", "west", "cohort"):
        for n in range(FILMS):
            edema, effusion, hernia, noise = (random.random(4) < 0.5).tolist()
            mobile = hernia if random.random() < 0.95 else not hernia
            states = {"edema": edema, "pleural_effusion": effusion, "hernia": hernia, "noise": noise}
            labels = {name: "present" if has else "absent" for name, has in states.items()}
            if place == "west":
                del labels["hernia"], labels["noise"]
            if place == "cohort":
                labels = {"covid_19": "present"}
            raw = random.standard_normal(12)
            raw[0] += 4 * edema - 2
            raw[1] += (3 * effusion - 1.5) * (-1 if place == "west" else 1)
            raw[2] += 4 * mobile - 2
            vectors.append(raw / np.linalg.norm(raw))
            records.append(
                make_record(
                    f"{place}-{n}",
                    place,
                    labels,
                    patient_id=f"p-secret-{n // 2}",
                    view="PA",
                    device="mobile" if mobile else "wall",
                    sex="FM"[n // 2 % 2],
                    race=("Asian", "Black")[n // 4 % 2],
                    age=float(30 + n % 50),
                )
            )
    blur = 2.0 * random.standard_normal((len(records), 12)) / np.sqrt(12)
    for spec in specs:
        store.ensure(spec)
        models.register(facts, spec)
        raw = np.array(vectors) + (blur if spec is BLUNT else 0)
        found = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
        store.upsert(spec, [r.image_id for r in records], found, [payload(r) for r in records])
    images.commit(facts, [Stored(r, "", tuple(s.fingerprint for s in specs)) for r in records])
    return records


def test_what_is_planted_is_found_and_said(tmp_path: Path, facts: Facts, store: VectorStore) -> None:
    fill(facts, store)
    run = make(
        tmp_path, facts, store, models=["sharp", "blunt"], probe={"classifiers": ["logistic"], "save": True}
    )  # fmt: skip
    figures_tell_what_is_there(run)
    folds_keep_patients(run)
    the_report_is_wary(run)
    kept_probes_come_along(run, store)
    again = make(
        tmp_path, facts, store, models=["sharp"], filter='dataset = "east"', labels=["edema"],
        probe={"classifiers": ["logistic"]},
    )  # fmt: skip
    first, second = (one.metrics["sharp"]["probes"]["east"]["edema"]["logistic"] for one in (run, again))
    assert second["AUROC"]["folds"] == first["AUROC"]["folds"]  # the same films in the same folds, whatever else is


def figures_tell_what_is_there(run: Made) -> None:
    sharp, blunt = (run.metrics[name]["probes"] for name in ("sharp", "blunt"))
    assert sharp["east"]["edema"]["logistic"]["AUROC"]["low"] > 0.9
    assert blunt["east"]["edema"]["logistic"]["AUROC"]["value"] < sharp["east"]["edema"]["logistic"]["AUROC"]["low"]
    noise = sharp["east"]["noise"]["logistic"]["AUROC"]
    assert noise["low"] < 0.5 < noise["high"]
    (less,) = [d for d in run.metrics["sharp"]["against"] if d["measure"] == "AUROC" and not d["label"]]
    assert less["other"] == "blunt"
    assert less["low"] > 0
    assert less["p"] < 0.01
    table = pq.read_table(run.folder / "figures.parquet").to_pylist()
    away = {
        (row["label"], row["dataset"]): row["mean"]
        for row in table
        if row["model"] == "sharp" and row["measure"] == "AUROC" and row["about"].startswith("learned on")
    }
    assert away["edema", "west"] > 0.9  # the axis is the same there
    assert away["pleural_effusion", "west"] < 0.2  # and that of effusions the other way round
    groups = {row["about"] for row in table if row["about"].startswith("within ")}
    assert {"within sex F", "within race Asian", "within age 40–60"} <= groups


def folds_keep_patients(run: Made) -> None:
    drawn = pq.read_table(run.folder / "draws.parquet").to_pylist()
    people: dict[tuple[str, str, int], set[int]] = {}
    for row in drawn:
        people.setdefault((row["dataset"], row["label"], row["person"]), set()).add(row["fold"])
    assert all(len(folds) == 1 for folds in people.values())
    assert len(drawn) == len({(row["dataset"], row["label"], row["image_id"]) for row in drawn})
    promises = pq.read_table(run.folder / "promises.parquet").to_pylist()
    of = {name: [(p["dataset"], p["label"], p["image_id"], p["fold"]) for p in promises if p["model"] == name]
          for name in ("sharp", "blunt")}  # fmt: skip
    assert of["sharp"] == of["blunt"]  # the same films in the same folds for every model


def the_report_is_wary(run: Made) -> None:
    report, tables = run.report, run.json("tables.json")["tables"]
    assert "The label covid 19 coincides with the dataset: it is present in cohort alone" in report
    assert "hernia, east: the device alone" in report
    assert "edema, east: the device alone" not in report
    assert "stated absent of no film here" in report
    assert "probes are of few films" in report
    assert "start analytics with --encode" in report  # no encoder, so no augmented films, and why
    assert "p-secret" not in report
    assert [table["title"] for table in tables[:2]] == ["Accuracy, logistic regression", "AUROC, logistic regression"]
    assert tables[0]["columns"] == ["dataset", "label", "sharp", "blunt"]
    assert [row[1] for row in tables[0]["rows"] if row[0] == "west"] == ["edema", "pleural effusion", "Average"]
    assert "±" in tables[0]["rows"][0][2]
    like = next(table for table in tables if table["title"] == "What comes with the label")
    hernia = next(row for row in like["rows"] if row[0] == "hernia, east")
    assert hernia[1] == "device"
    assert float(hernia[4]) > 0.8  # read off the device
    low, high = map(float, hernia[6].split("[")[1].rstrip("]").split(", "))
    assert low < 0.5 < high  # among films of one device nothing is left


def kept_probes_come_along(run: Made, store: VectorStore) -> None:
    probes = keep.read(run.folder / "probe-sharp.safetensors")
    assert {"east/edema", "west/edema"} <= set(probes)
    assert run.json("manifest.json")["models"]["sharp"]["probes"] == "probe-sharp.safetensors"
    drawn = [
        row for row in pq.read_table(run.folder / "draws.parquet").to_pylist()
        if (row["dataset"], row["label"]) == ("west", "edema")
    ]  # fmt: skip
    ids, unit = store.vectors(SHARP, ids=[row["image_id"] for row in drawn])
    says = dict(zip(ids, probes["east/edema"].promise(unit), strict=True))
    right = np.mean([(says[row["image_id"]] > 0.5) == row["present"] for row in drawn])
    assert right > 0.85


def test_pooled_datasets_are_told_apart_and_the_report_says_so(
    tmp_path: Path, facts: Facts, store: VectorStore
) -> None:
    fill(facts, store, [SHARP])
    run = make(
        tmp_path, facts, store, models=["sharp"], labels=["noise", "pleural_effusion"], filter='dataset != "cohort"',
        probe={"classifiers": ["logistic"], "pooled": True},
    )  # fmt: skip
    probes = run.metrics["sharp"]["probes"]
    assert set(probes["all datasets"]) == {"pleural_effusion"}  # noise is stated in one dataset alone
    assert probes["all datasets"]["pleural_effusion"]["logistic"]["AUROC"]["value"] < 0.75  # east and west contradict
    assert "may tell datasets apart" in run.report


def test_what_cannot_be_asked_says_why(tmp_path: Path, facts: Facts, store: VectorStore) -> None:
    fill(facts, store, [SHARP])
    for probe, says in (
        ({"per_side": 3}, "per_side"),
        ({"folds": 1}, "folds"),
        ({"classifiers": ["forest"]}, "classifiers are"),
        ({"classifiers": ["mlp"]}, "always among"),
        ({"augment": "perhaps"}, "augment is"),
    ):
        with pytest.raises(HilumError, match=says):
            make(tmp_path, facts, store, models=["sharp"], probe=probe)
    with pytest.raises(HilumError, match="stated absent of no film"):
        make(tmp_path, facts, store, models=["sharp"], filter='dataset = "cohort"', probe={})
    with pytest.raises(HilumError, match="--encode"):
        make(tmp_path, facts, store, models=["sharp"], labels=["edema"], probe={"augment": "on"})


@pytest.fixture
def pictures(tmp_path: Path, engine: EngineProcess) -> Iterator[Room]:
    """Films of which one finding is a bar at the top instead of the bottom, another a little more brightness."""
    source, lines = tmp_path / "films", ["file,patient_id,Edema,Hernia"]
    source.mkdir()
    random = np.random.default_rng(1)
    for n in range(96):
        edema, hernia = n % 2, n // 2 % 2
        film = Image.fromarray(random.integers(60, 100, (96, 96), dtype=np.uint8))
        ImageDraw.Draw(film).rectangle((20, 12 if edema else 70, 76, 26 if edema else 84), fill=170)
        film.point(lambda v, more=30 * hernia: min(255, v + more)).save(source / f"f{n}.png")
        lines.append(f"f{n}.png,p{n // 4},{edema},{hernia}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    with room(tmp_path / "data", engine.url, tiny_registry(TinyEncoder("tiny", 48))) as at:
        at.ingest(source, labels=tmp_path / "labels.csv")
        yield at


def test_augmented_films_are_made_of_kept_pictures(pictures: Room) -> None:
    home = pictures.settings.data_dir
    api = EncodeApi(pictures.facts, pictures.registry, pictures.pool)
    with served([api]) as wire:
        made = make(
            home, pictures.facts, pictures.store, wire.grpc, models=["tiny"],
            probe={"augment": "on", "classifiers": ["logistic"]},
        )  # fmt: skip
    api.close()
    like = made.metrics["tiny"]["kept_picture_cosine"]
    assert like["films"] == 96
    assert like["p05"] > 0.95  # 96 pixels kept as they were, but for JPEG's loss
    figures = {
        (row["label"], row["about"].removeprefix("kept pictures: ")): row["mean"]
        for row in pq.read_table(made.folder / "figures.parquet").to_pylist()
        if row["measure"] == "accuracy" and row["about"].startswith("kept pictures")
    }
    for label in ("edema", "hernia"):
        assert figures[label, "learned from original, asked on original"] > 0.9
    assert figures["hernia", "learned from original, asked on dark"] < 0.7  # brightness is all that tells it
    assert figures["edema", "learned from original, asked on dark"] > 0.8
    assert ("hernia", "learned from all six, asked on all six") in figures
    assert "not of the films" in made.report
