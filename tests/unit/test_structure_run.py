"""A study of structure as a run: what it writes, says and finds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from services.analytics import kinds
from services.core import clusters
from services.core.blobs import Blobs
from services.core.errors import HilumError
from services.core.facts import Facts, images, models, sides
from services.core.facts.images import Stored
from services.core.facts.sides import SideColumn, SideTable
from services.core.store import VectorStore, payload
from services.encoders.bundled import DINO
from services.encoders.registry import Registry
from services.phantom.film import display, render
from services.phantom.train.data import films_of
from services.phantom.train.evaluate import encode_films
from tests.kit import clustered
from tests.kit.analyses import Made, make
from tests.kit.clustered import kind_of
from tests.kit.records import make_record, make_spec

FILMS = 160
SHARP, BLUNT = make_spec("sharp", 24), make_spec("blunt", 16)
ASKED = {
    "models": ["sharp", "blunt"], "k": 8, "resolutions": [0.3, 1.0],
    "structure": {"perplexities": [8], "seeds": 2, "draws": 6},
}  # fmt: skip


def archive(facts: Facts, store: VectorStore, blobs: Blobs) -> None:
    """Films of four kinds; those of kind 3 come from a scanner of their own, but for a few, and are of the poor."""
    random = np.random.default_rng(0)
    acme = [(random.random() < (0.9 if kind_of(n) == 3 else 0.05)) for n in range(FILMS)]
    records = [
        replace(clustered.record(n), manufacturer="Acme" if acme[n] else "Zenith", rows=300 + 10 * (n // 8 % 2))
        for n in range(FILMS)
    ]
    for seed, (spec, noise) in enumerate(((SHARP, 0.6), (BLUNT, 1.4))):
        store.ensure(spec)
        models.register(facts, spec)
        vectors = clustered.vectors(FILMS, spec.dim, noise, seed)
        store.upsert(spec, [r.image_id for r in records], vectors, [payload(r) for r in records])
    marks = (SHARP.fingerprint, BLUNT.fingerprint)
    images.commit(facts, [Stored(r, blobs.put(clustered.thumbnail(n)), marks) for n, r in enumerate(records)])
    table = SideTable("demo", "sdoh", "patient", (SideColumn("state", "State", "text"),))
    people = {r.patient_id: "GA" if kind_of(n) == 3 else "AL" for n, r in enumerate(records) if r.patient_id}
    sides.add(facts, table, [(person, {"text": {"state": state}}) for person, state in people.items()])
    sides.finish(facts, table)


def test_a_study_finds_what_was_planted_and_says_so(tmp_path: Path, facts: Facts, store: VectorStore) -> None:
    archive(facts, store, Blobs(tmp_path / "blobs"))
    run = make(tmp_path, facts, store, **ASKED)
    found = run.metrics["sharp"]
    assert [one["clusters"] for one in found["resolutions"]] == [4, 4]
    assert found["recommended"]["reason"].startswith("Resolution ")
    told = pq.read_table(run.folder / "enrichment.parquet").to_pylist()
    enriched = [row for row in told if (row["model"], row["resolution"]) == ("sharp", 0.3)]
    (scanner,) = (r for r in enriched if r["value"] == "Acme" and r["q"] < 0.05 and r["odds_patients"] > 1)
    (poor,) = (r for r in enriched if r["field"] == "sdoh.state" and r["value"] == "GA" and r["odds_patients"] > 1)
    assert poor["cluster"] == scanner["cluster"]
    assert not [r for r in enriched if r["field"] == "matrix" and r["q"] < 0.05]  # nothing but chance
    line = found["clusters"][scanner["cluster"]]["in_words"]
    assert "manufacturer Acme ×" in line
    assert {s["field"]: s["v"] for s in found["sorted_by"]}["manufacturer"] > 0.5
    assert found["classes"]["classes"] == ["edema", "pleural_effusion", "none of these"]
    pure = found["classes"]["cluster_purity"]
    assert pure["one_cluster"] < pure["low"] <= pure["value"]
    blunt = run.metrics["blunt"]["classes"]
    assert found["classes"]["silhouette"]["low"] > blunt["silhouette"]["high"]
    _holds_together(run)
    told = pq.read_table(run.folder / "atlas" / "sharp" / "dataset.parquet")
    assert {"hub_score", "neighbours_agree", "cluster", "findings"} < set(told.column_names)
    names = np.array(told["cluster"].to_pylist())
    chosen = found["recommended"]["resolution"]
    column = pq.read_table(run.folder / "map-sharp.parquet")[f"cluster@{chosen:g}"].to_numpy()
    assert (names == np.array([f"C{number + 1:02d}" for number in column])).all()
    _publishes(run, scanner["cluster"])
    again = make(tmp_path, facts, store, **ASKED | {"models": ["sharp"]})
    assert _hashes(again) == _hashes(run)


def _holds_together(run: Made) -> None:
    drawn = run.metrics["blunt"]["layouts"]
    assert set(drawn) == {"umap", "pca", "tsne-8"}
    assert 0 < drawn["tsne-8"]["disparity_to_first_model"] < 1
    assert len(drawn["tsne-8"]["disparity_over_seeds"]) == 1
    assert drawn["umap"]["trustworthiness"]["value"] > 0.7
    _drawn_together(run)
    table = pq.read_table(run.folder / "layouts-sharp.parquet")
    assert {"image_id", "pca.x", "umap@0.x", "umap@1.y", "tsne-8@0.x", "tsne-8@1.y"} <= set(table.column_names)
    report = run.report
    for words in ("Do clusters come back?", "Layouts", "Class structure", "looks like", "sharp − blunt", "prototype",
                  "purity of clusters", "trustworthiness 0.", "Distorts most", "Research use only"):  # fmt: skip
        assert words in report
    assert report.count("data:image/png") == 2 * 3 * 2 + 2  # models, layouts; by cluster and by class; drawn together
    assert "data:image/jpeg" in report
    assert "p-secret" not in report
    assert "<script" not in report
    tree = [r for r in pq.read_table(run.folder / "clusters.parquet").to_pylist() if r["model"] == "sharp"]
    assert [r["parent"] for r in tree] == [-1, -1, -1, -1, 0, 1, 2, 3]
    assert all(r["share"] == 1 for r in tree)


def _drawn_together(run: Made) -> None:
    """Maps of both models at once: nearer to each other, as true to their spaces, and told how far groups go."""
    first, second = (run.metrics[name]["drawn_together"] for name in ("sharp", "blunt"))
    assert second["together"]["disparity"] < second["alone"]["disparity"]
    assert second["together"]["moved"] < second["alone"]["moved"]
    for found in (first, second):
        kept, alone = (found[how]["trustworthiness"]["value"] for how in ("together", "alone"))
        assert kept > alone - 0.05
    assert max(of["middle"] for of in first["shifts"].values()) < 1e-6
    assert 0 < second["shifts"]["edema"]["middle"] <= second["shifts"]["edema"]["films_apart"] < 2
    table = pq.read_table(run.folder / "together.parquet")
    assert {"image_id", "sharp.x", "blunt.y"} <= set(table.column_names)
    assert table.num_rows == FILMS
    for words in ("The same maps, drawn together", "How far groups go from the map of sharp"):
        assert words in run.report


def _publishes(run: Made, number: int) -> None:
    """Its clusters are where sets of clusters are made from."""
    found = {c.number: c for c in clusters.read(run.folder.parent, run.folder.name, "sharp", 0.3)}
    assert found[number].name == f"{run.folder.name}/sharp/0.3/{number}"
    assert len(found[number].films) == FILMS // 4


def _hashes(run: Made) -> list[object]:
    made = run.json("manifest.json")["models"]
    return [made["sharp"][key] for key in ("graph_sha256", "clusters_sha256", "layouts_sha256")]


def test_layouts_and_classes_can_be_left_out(tmp_path: Path, facts: Facts, store: VectorStore) -> None:
    clustered.fill(facts, store, Blobs(tmp_path / "blobs"), [SHARP], 80)
    run = make(
        tmp_path, facts, store, models=["sharp"], k=8, labels=["pneumothorax"],
        structure={"layouts": ["pca"], "draws": 4, "seeds": 1},
    )  # fmt: skip
    assert set(run.metrics["sharp"]["layouts"]) == {"pca"}
    assert run.metrics["sharp"]["classes"] is None
    assert "no classes to tell apart" in run.report


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"layouts": ["isomap"]}, "umap, pca, tsne"),
        ({"layouts": ["pca", "pca"]}, "each once"),
        ({"perplexities": [1]}, "perplexity"),
        ({"perplexities": [5, 10, 20, 30, 40, 50]}, "perplexities"),
        ({"seeds": 99}, "seeds"),
        ({"draws": 1}, "draws"),
    ],
)
def test_what_cannot_be_asked(asked: dict[str, object], words: str) -> None:
    with pytest.raises(HilumError, match=words):
        kinds.parse({"models": ["m"], "structure": asked})


def test_what_was_asked_can_be_asked_again() -> None:
    asked = kinds.parse({"models": ["m"], "resolutions": [2, 0.5], "structure": {"seeds": 2, "layouts": ["tsne"]}})
    assert asked.kind == "structure"
    assert asked.resolutions == (0.5, 2.0)  # type: ignore[attr-defined]
    assert kinds.parse(asked.as_json()) == asked


@pytest.mark.slow
def test_a_scanner_planted_in_pixels_is_named(tmp_path: Path, facts: Facts, store: VectorStore) -> None:
    """A third of phantom patients on a scanner with another gain, seen by the bundled encoder; and the same films with
    manufacturers dealt out at random, of which nothing must be said."""
    films = films_of(600, 77)
    planted = np.array([film.patient % 3 == 0 for film in films])
    pixels = [display(render(film, 224)) for film in films]
    shown = [_regained(p) if there else p for p, there in zip(pixels, planted, strict=True)]
    encoder = Registry.bundled().get(DINO)
    random = np.random.default_rng(4)
    dealt = {patient: random.random() < 1 / 3 for patient in sorted({film.patient for film in films})}
    records = [
        make_record(
            f"film-{n}", patient_id=f"p{film.patient}", view=film.view, sex=film.sex, age=float(film.age),
            manufacturer="Planted" if planted[n] else "Hilum", device="Dealt" if dealt[film.patient] else "Other",
        )
        for n, film in enumerate(films)
    ]  # fmt: skip
    store.ensure(encoder.spec)
    models.register(facts, encoder.spec)
    ids = [r.image_id for r in records]
    store.upsert(encoder.spec, ids, encode_films(encoder, shown), [payload(r) for r in records])
    images.commit(facts, [Stored(r, "", (encoder.spec.fingerprint,)) for r in records])
    run = make(tmp_path, facts, store, models=[DINO], structure={"layouts": ["pca"], "seeds": 1, "draws": 10})
    rich = [r for r in pq.read_table(run.folder / "enrichment.parquet").to_pylist() if r["odds_patients"] > 1]
    assert min(r["q"] for r in rich if r["value"] == "Planted") < 0.05
    assert min(r["q"] for r in rich if r["value"] == "Dealt") > 0.05
    (table,) = (t for t in run.json("tables.json")["tables"] if "shortcuts" in t["title"])
    assert table["rows"][0][0] == "manufacturer Planted"


def _regained(pixels: np.ndarray) -> np.ndarray:
    return (255 * (pixels / 255) ** 0.6).round().astype(np.uint8)
