"""Outliers and duplicates: scores as their definitions have them, and what was planted is found and named."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from sklearn.neighbors import LocalOutlierFactor

from services.analytics import graph
from services.analytics.graph import Graph
from services.analytics.outliers import duplicates, regions, scores
from services.analytics.outliers.asked import OutliersAsked
from services.analytics.outliers.looks import Looks
from services.analytics.progress import Progress
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import HilumError
from services.core.facts import Facts, images, models
from services.core.facts.images import Stored
from services.core.ids import image_id
from services.core.store import VectorStore, payload
from services.core.types import JobState
from services.encoders.bundled import CLIP
from services.encoders.registry import Registry
from services.engine.supervisor import EngineProcess
from services.phantom.write import write_archive
from tests.kit.analyses import make
from tests.kit.ingesting import room
from tests.kit.records import make_record, make_spec

DIM, K = 16, 8


def unit(films: int, seed: int = 0) -> NDArray[np.float32]:
    found = np.random.default_rng(seed).standard_normal((films, DIM)) + np.linspace(2, 0, DIM)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def film(bar: int = 20, turned: int = 0, inverted: bool = False) -> bytes:
    """A picture with a top and a bottom."""
    picture = Image.new("L", (64, 64), 30)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((12, 40, 52, 62), fill=220)
    draw.rectangle((28, 4, 36, 40), fill=150 + bar)
    values = np.rot90(np.asarray(picture), turned)
    out = io.BytesIO()
    Image.fromarray(255 - values if inverted else values).save(out, "PNG")
    return out.getvalue()


def _again(
    path: Path, change: Callable[[NDArray[np.float64], int], NDArray[np.float64]], to: Path | None = None, **tags: str
) -> None:
    """Write a DICOM film anew with its pixels (and the highest they could be) changed, and some tags."""
    data = pydicom.dcmread(path)
    pixels = change(data.pixel_array.astype(np.float64), 2**data.BitsStored - 1)
    data.PixelData = np.ascontiguousarray(pixels).astype(data.pixel_array.dtype).tobytes()
    for name, value in tags.items():
        setattr(data, name, value)
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.save_as(to or path)


def test_local_outlier_factor_is_scikit_learns_and_the_papers() -> None:
    vectors = unit(60)
    near = graph.build(vectors, K, 0, Progress())
    found = scores.lof(near)
    learnt = LocalOutlierFactor(n_neighbors=K, metric="cosine").fit(vectors.astype(np.float64))
    assert np.allclose(found, -learnt.negative_outlier_factor_, atol=1e-5)

    tiny = vectors[:9].astype(np.float64)  # Breunig et al. 2000, definitions 3 to 7, one film at a time
    away = 1 - tiny @ tiny.T
    k = 3

    def neighbours(p: int) -> list[int]:
        return sorted((o for o in range(9) if o != p), key=lambda o: away[p, o])[:k]

    def distance(p: int) -> float:
        return float(away[p, neighbours(p)[-1]])

    def density(p: int) -> float:
        return 1 / (sum(max(distance(o), away[p, o]) for o in neighbours(p)) / k)

    plain = [sum(density(o) for o in neighbours(p)) / k / density(p) for p in range(9)]
    ids = np.array([neighbours(p) for p in range(9)], dtype=np.int32)
    exact = Graph(ids, np.take_along_axis(away, ids, axis=1), "exact", 1.0, 9)  # type: ignore[arg-type]
    assert np.allclose(scores.lof(exact), plain, atol=1e-6)
    assert np.allclose(scores.knn(exact), [distance(p) for p in range(9)], atol=1e-6)


def test_neighbours_of_others_come_from_the_one_graph() -> None:
    vectors, patients = unit(90), (np.arange(90) // 6).astype(np.int32)
    pool = graph.build(vectors, K + 2, 0, Progress())
    found = graph.of_others(pool, vectors, K, patients)
    true = graph.build(vectors, K, 0, Progress(), patients=patients)
    assert (found.ids == true.ids).all()
    assert np.allclose(found.distances, true.distances, atol=1e-6)


def test_agreement_of_scores() -> None:
    values = {"a": np.arange(40.0), "b": np.arange(40.0) ** 2, "c": np.random.default_rng(0).random(40)}
    same, other, _ = scores.agreement(values, 10, np.arange(40, dtype=np.int32), 0)
    assert (same.spearman.value, same.shared) == (1.0, 10)
    assert other.spearman.low < other.spearman.value < other.spearman.high < 1


def test_twins_and_whose_they_are() -> None:
    vectors = unit(40)
    vectors[[11, 21]] = vectors[[10, 20]]
    vectors[30:32] = vectors[10:12]
    pool = graph.build(vectors, K, 0, Progress())
    found = duplicates.twins(pool, 1e-5)
    assert {(t.one, t.other) for t in found} == {(10, 11), (20, 21), (10, 30), (10, 31), (11, 30), (11, 31), (30, 31)}
    patients = np.arange(40, dtype=np.int32)
    patients[[10, 11, 12]], patients[[30, 31]] = 10, 30
    (double,) = duplicates.doubles(found, patients)
    assert (double.one, double.other, double.shared, double.of) == (10, 30, 2, 2)
    one = make_record("a", patient_id="p", split="train")
    for other, relation in (
        (make_record("b", patient_id="p"), duplicates.ONE_PATIENT),
        (make_record("b", patient_id="q"), duplicates.LEAK),
        (make_record("b", dataset="else", patient_id="p"), duplicates.DATASETS),
        (make_record("b"), duplicates.UNKNOWN),
    ):
        assert duplicates.relation(one, other) == relation
    assert duplicates.splits(one, make_record("b", split="test")) == "train and test"
    assert not duplicates.splits(one, make_record("b"))


def test_groups_of_outliers_and_clusters_apart() -> None:
    random = np.random.default_rng(0)
    base, far = np.eye(DIM)[0], np.eye(DIM)[1]
    films = np.concatenate(
        [base + 0.3 * random.standard_normal((80, DIM)), far + 0.02 * random.standard_normal((15, DIM))]
    )
    vectors = (films / np.linalg.norm(films, axis=1, keepdims=True)).astype(np.float32)
    near = graph.build(vectors, 5, 0, Progress())
    (group,) = regions.groups(near, np.array([3, *range(80, 95)]))
    assert group.tolist() == list(range(80, 95))
    members = np.r_[np.arange(75) // 15 + 2, np.ones(4), np.full(12, 7), np.zeros(4)].astype(np.int32)
    odd = np.r_[np.zeros(75), np.ones(4), -np.ones(16)].astype(np.int8)
    away = regions.apart(vectors, members, odd, 0)
    assert [(one.cluster, one.strange) for one in away] == [(1, True), (0, False)]
    assert (away[0].looked, away[0].odd) == (4, 4)
    gaps = [np.median((1 - vectors[members == c] @ vectors[members != c].T).min(axis=1)) for c in range(8)]
    assert np.isclose(away[0].gap, gaps[1], atol=1e-5)
    assert np.isclose(away[1].ratio, gaps[0] / np.median([gaps[c] for c in members]), atol=1e-4)


def test_films_turned_inverted_and_empty_are_seen_as_such() -> None:
    looks = Looks([film(n) for n in range(40)], ["PA"] * 40)
    assert looks.says(film(25)) == []
    assert "looks upside down" in looks.says(film(20, turned=2))
    assert "looks turned anticlockwise" in looks.says(film(20, turned=1))
    assert "looks turned clockwise" in looks.says(film(20, turned=3))
    assert "looks inverted" in looks.says(film(20, inverted=True))
    out = io.BytesIO()
    Image.new("L", (64, 64), 90).save(out, "PNG")
    assert "nearly empty" in looks.says(out.getvalue())
    assert looks.says(None) == []
    assert Looks([], []).says(film()) == []


def test_asking(facts: Facts) -> None:
    assert OutliersAsked(models=("a",)).flagged(1000) == 20
    assert OutliersAsked(models=("a",), top=7).flagged(1000) == 7
    for wrong in ({"top": -1}, {"same": 1.5}, {"trees": 2}):
        with pytest.raises(HilumError):
            OutliersAsked(models=("a",), **wrong)  # type: ignore[arg-type]
    with pytest.raises(HilumError, match="region"):
        OutliersAsked(models=("a",), region="colour = 3").check(facts)


def test_what_was_planted_is_reported(tmp_path: Path, facts: Facts, store: VectorStore) -> None:
    """240 films; six of them, of six patients, upside down from one scanner; a patient under two names."""
    spec, blobs = make_spec("strange", DIM), Blobs(tmp_path / "blobs")
    vectors, planted, first, second = unit(240), range(100, 106), (21, 22, 23), (201, 202, 203)
    turned = 0.4 * unit(6, 1) - np.linspace(0.5, 0, DIM)
    vectors[list(planted)] = turned / np.linalg.norm(turned, axis=1, keepdims=True)
    vectors[list(second)] = vectors[list(first)] + 1e-5
    records = [
        make_record(
            f"film-{n}", patient_id=f"p-{n if n in planted else n // 3 + 1000 * (n in second)}", view="PA",
            device="odd" if n in planted or n == 3 else "plain", labels={"edema": "present" if n % 3 else "absent"},
            split="test" if n in second else "train",
        )
        for n in range(240)
    ]  # fmt: skip
    store.ensure(spec)
    models.register(facts, spec)
    store.upsert(spec, [r.image_id for r in records], vectors, [payload(r) for r in records])
    shown = [film(n % 40, turned=2 if n in planted else 0) for n in range(240)]
    stored = [Stored(r, blobs.put(shown[n]), (spec.fingerprint,)) for n, r in enumerate(records)]
    images.commit(facts, stored)

    run = make(
        tmp_path, facts, store, models=["strange"], k=K, outliers={"region": f'image_id = "{records[3].image_id}"'}
    )
    table = pq.read_table(run.folder / "outliers.parquet").to_pandas().set_index("image_id")
    ids = [records[n].image_id for n in planted]
    assert table.loc[ids, "outlier"].all()
    assert table["outlier"].sum() == 10
    assert all("upside down" in why for why in table.loc[ids, "why"])
    assert all("device odd" in why for why in table.loc[ids, "why"])
    found = run.metrics["strange"]
    group = next(region for region in found["regions"] if "together" in region["title"])
    assert len(planted) <= group["films"] < 10
    assert (table.loc[ids, "group"] == 1).all()
    assert "device odd" in group["line"]
    assert found["regions"][-1] == {**found["regions"][-1], "title": "The region asked about", "films": 1}

    assert found["twins_of"] == {duplicates.LEAK: 3}
    assert found["twins_across_splits"] == 3
    (double,) = found["doubles"]
    assert (double["shared"], double["of"]) == (3, 3)
    pairs = pq.read_table(run.folder / "duplicates.parquet").to_pylist()
    assert {frozenset((p["first"], p["second"])) for p in pairs} == {
        frozenset((records[a].image_id, records[b].image_id)) for a, b in zip(first, second, strict=True)
    }
    assert "Alarm: 3 pairs are of two patients" in run.report
    assert "p-10" not in run.report
    with pytest.raises(HilumError, match="region holds 0"):
        make(tmp_path, facts, store, models=["strange"], k=K, outliers={"region": "view = LATERAL"})


@pytest.mark.slow
def test_phantoms_inverted_turned_and_doubled_are_reported(tmp_path: Path, engine: EngineProcess) -> None:
    """Real films through a bundled encoder: seven inverted by one device, seven turned, one patient under two names."""
    films, key = tmp_path / "films", "outliers"
    write_archive(films, 220, 9, size=256)
    with open(films / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    frontal = [row for row in rows if row["view"] != "LATERAL"]
    inverted, turned = frontal[:70:10], frontal[5:75:10]
    for row in inverted:
        _again(films / row["file"], lambda pixels, top: top - pixels, Manufacturer="Odd")
    for row in turned:
        _again(films / row["file"], lambda pixels, _: np.rot90(pixels))
    touched = {row["patient_id"] for row in inverted + turned}
    counts = Counter(row["patient_id"] for row in rows if row["patient_id"] not in touched)
    person, held = counts.most_common(1)[0]
    noise = np.random.default_rng(0)
    for number, row in enumerate(row for row in rows if row["patient_id"] == person):
        _again(
            films / row["file"], lambda pixels, top: np.clip(pixels + noise.normal(0, 6, pixels.shape), 0, top),
            films / f"twin-{number}.dcm", PatientID="P99999999", StudyInstanceUID=f"2.25.9{number}",
            SOPInstanceUID=f"2.25.8{number}",
        )  # fmt: skip
    registry = Registry.open(Settings(data_dir=tmp_path, models=(CLIP,)))
    with room(tmp_path, engine.url, registry) as at:
        assert at.ingest(films, key, labels=films / "labels.csv").state is JobState.SUCCEEDED
        run = make(tmp_path, at.facts, at.store, models=[CLIP], outliers={})
    odd = run.report[run.report.index("Films that look odd") : run.report.index("Outliers of")]
    for row in inverted + turned:
        assert image_id(key, row["dicom_id"]) in odd
    assert odd.count("looks inverted;") == len(inverted)
    found = run.metrics[CLIP]
    assert any("looks odd" in region["title"] and "manufacturer Odd" in region["line"] for region in found["regions"])
    assert (held, held) in {(double["shared"], double["of"]) for double in found["doubles"]}
