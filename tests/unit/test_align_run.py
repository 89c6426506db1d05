"""Align as Hilum runs it: vectors from the engine, words over the wire, a child that learns, a job that registers."""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from google.protobuf import json_format

from hilum.v1 import analytics_pb2
from services.analytics import manifest
from services.analytics.align import evaluate, reports
from services.analytics.align.asked import METHODS, SECTIONS, AlignAsked
from services.analytics.align.work import CHANCE
from services.analytics.api import AnalyticsApi
from services.analytics.jobs import AnalyticsWorker
from services.analytics.sample import assemble
from services.core.aligned import Aligned
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, models, runs
from services.core.facts.images import Stored
from services.core.labels import Label, LabelState, label_key
from services.core.models import ModelSpec
from services.core.store import payload
from services.core.types import Job, JobState, Report
from services.encoders.base import Derived
from services.encoders.bundled import CLIP, DINO
from services.encoders.installed import scan
from services.encoders.registry import Registry
from services.engine.supervisor import EngineProcess
from services.ingest.encode_api import EncodeApi
from services.phantom.labels import label_row
from services.phantom.population import population
from services.phantom.reports import report_rng, write_report
from services.transport.edge import Call
from tests.kit.ingesting import Room, room
from tests.kit.records import make_record, make_spec
from tests.kit.served import served

FILMS = 150


def fill(at: Room, spec: ModelSpec) -> list[str]:
    """Phantom studies with their reports, and vectors that are what the films show, turned: a perfect encoder's."""
    studies = list(population(FILMS, 3))
    films = [study.films[0] for study in studies]
    records = []
    for film in films:
        key = f"s-{film.patient}-{film.study}"
        cells = {name: {"1": "present", "0": "absent"}.get(cell) for name, cell in label_row(film).items()}
        labels = {label_key(name): state for name, state in cells.items() if state}
        records.append(make_record(key, patient_id=f"p{film.patient}", study_id=key, labels=labels, view=film.view))
        said = write_report(film, report_rng(film))
        texts = (("findings", said.findings.words), ("impression", said.impression.words))
        images.save_reports(at.facts, [Report("demo", key, name, words) for name, words in texts])
    rng = np.random.default_rng(0)
    shown = np.array([astuple(film.findings) for film in films])
    raw = (
        shown @ rng.standard_normal((shown.shape[1], spec.dim)) + 0.2 * rng.standard_normal((len(films), spec.dim)) + 1
    )
    vectors = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    at.store.ensure(spec)
    models.register(at.facts, spec)
    ids = [record.image_id for record in records]
    at.store.upsert(spec, ids, vectors, [payload(record) for record in records])
    images.commit(at.facts, [Stored(record, "", (spec.fingerprint,)) for record in records])
    return ids


def done(at: Room, job_id: str) -> Job:
    job = at.wait(job_id)
    assert job.state is JobState.SUCCEEDED, job.error
    return job


def ask(at: Room, model: str, encode: str = "", **align: Any) -> Job:
    """Carry out an analysis in a child, as the service does."""
    worker = AnalyticsWorker(replace(at.settings, encode=encode, threads=1), at.facts)
    request = json_format.ParseDict({"models": [model], "align": align}, analytics_pb2.CreateRunRequest())
    job = AnalyticsApi(at.settings, at.facts).create_run(request, Call("test"))
    worker.start()
    try:
        return done(at, job.job_id)
    finally:
        worker.stop()


def beats_chance(figures: Any) -> None:
    best = figures["best"]
    chance = next(r for r in figures["rows"] if r["method"] == CHANCE and r["section"] == best["section"])["figures"]
    for way, found in best["figures"].items():
        assert found["recall@10"]["low"] > chance[way]["recall@10"]["high"]
        assert found["median_rank"]["value"] < chance[way]["median_rank"]["low"] * 0.8
        assert found["shared_findings_map"]["low"] > chance[way]["shared_findings_map"]["high"]


def test_a_run_says_how_well_films_and_reports_find_each_other(tmp_path: Path, engine: EngineProcess) -> None:
    spec = make_spec("seeing", 24)
    with room(tmp_path, engine.url, workers=1) as at:
        fill(at, spec)
        job = ask(at, "seeing", text_model="tfidf", methods=["procrustes", "ridge"], pairs=[20], splits=2,
                  sections=["both", "impression"])  # fmt: skip
        told = runs.get(at.facts, job.job_id)
    figures = told.metrics["seeing"]
    assert "follow" not in job.result
    assert told.manifest["text_space"] == figures["text_space"] == "TF-IDF"
    sizes = {(row["section"], row["method"]): [] for row in figures["rows"]}
    for row in figures["rows"]:
        sizes[row["section"], row["method"]].append(row["pairs"])
    learned = [20, figures["best"]["pairs"]]
    assert sizes == {
        (section, method): learned if method in METHODS else [0]
        for section in ("both", "impression") for method in ("procrustes", "ridge", CHANCE)
    }  # fmt: skip
    beats_chance(figures)
    folder = manifest.folder(manifest.runs_dir(tmp_path), job.job_id)
    assert set(pq.read_table(folder / "figures.parquet")["figure"].to_pylist()) == set(evaluate.FIGURES)
    report = (folder / "report.html").read_text()
    assert "recall@10" in report
    assert "<svg" in report
    made = Aligned.read(folder / "aligned-seeing")
    assert (made.base.name, made.base.fingerprint) == ("seeing", spec.fingerprint)
    assert made.about["pairs"] == figures["best"]["pairs"]
    leaks = [path.name for path in folder.rglob("*") if path.is_file() and b"s-70000" in path.read_bytes()]
    assert not leaks, "a run names no study"


@pytest.mark.slow
def test_a_map_becomes_a_model_that_answers_words(tmp_path: Path, engine: EngineProcess) -> None:
    """Words of the bundled text tower over the wire; the map installed, and filled from stored vectors alone."""
    name = f"{DINO}-words"
    registry = Registry.open(Settings(tmp_path, threads=1))
    spec = registry.specs()[DINO]
    with room(tmp_path, engine.url, registry, workers=1) as at:
        ids = fill(at, spec)
        encode, ingest = EncodeApi(at.facts, registry, at.pool), at.worker()
        ingest.start()
        try:
            with served([encode]) as wire:
                job = ask(at, DINO, wire.grpc, methods=["ridge"], sections=["both"], splits=1, register=True)
                [follow] = job.result["follow"]
                kept = done(at, follow)
        finally:
            ingest.stop()
            encode.close()
        assert runs.get(at.facts, job.job_id).manifest["text_space"] == CLIP
        assert kept.result["models"] == {name: registry.specs()[name].fingerprint}
        assert kept.result["stored"] == len(ids)
        with registry.lease(name) as encoder, registry.lease(DINO) as base:
            assert isinstance(encoder, Derived)
            assert encoder.base is base, "it is in memory once"
            held, vectors = at.store.vectors(encoder.spec)
            assert held == sorted(ids)
            np.testing.assert_allclose(vectors, encoder.derive(at.store.vectors(spec, ids=held)[1]), atol=1e-5)
            words = encoder.encode_texts(["large pleural effusion"])[0]
            [nearest] = at.store.query(encoder.spec, [words], 10, exact=True)
        found = images.get(at.facts, [hit.image_id for hit in nearest]).values()
        assert sum(Label("pleural_effusion", LabelState.PRESENT) in record.labels for record in found) >= 7
    # It follows its base: nobody has to name it, and an ingest with the base has it filled.
    assert registry.derived(spec) == [name]
    assert name not in registry.default_names()
    assert scan(tmp_path / "models").models[name].manifest.licence.use == "phantoms only"


def test_tfidf_takes_no_term_of_few_patients() -> None:
    texts = [f"effusion seen in {side} lung of mr{name}" for name in "abcdefgh" for side in ("left", "right")]
    patients = np.arange(len(texts)) // 2
    space = reports.tfidf(texts, patients, 0)
    assert "effusion seen" in space.terms
    assert not [term for term in space.terms if "mr" in term]
    assert space.vectors(["effusion"]).shape == (1, space.axes.shape[1])


def test_reports_are_those_of_the_films_studies(facts: Facts) -> None:
    records = [make_record(str(n), study_id=study) for n, study in enumerate(("a", "a", "b", "c", None))]
    images.commit(facts, [Stored(record, "", ()) for record in records])
    said = [("a", "findings", "Fa."), ("a", "impression", "Ia."), ("b", "impression", " "), ("c", "IMPRESSION", "Ic.")]
    images.save_reports(facts, [Report("demo", study, section, text) for study, section, text in said])
    images.save_reports(facts, [Report("other", "b", "findings", "of another archive")])
    found = reports.read(facts, assemble(records))
    assert found.films.tolist() == [0, 1, 3]
    assert found.study.tolist() == [0, 0, 1]
    assert found.sections == {"findings": ["Fa.", ""], "impression": ["Ia.", "Ic."], "both": ["Fa. Ia.", "Ic."]}
    assert found.of("findings").tolist() == [True, True, False]


@pytest.mark.parametrize(
    "align",
    [{"methods": ["magic"]}, {"sections": ["history"]}, {"pairs": [3]}, {"splits": 99}, {"name": "../x"},
     {"methods": ["ridge", "ridge"]}],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused(align: dict[str, Any]) -> None:
    with pytest.raises(HilumError) as refused:
        AlignAsked.parse({"models": ["a"], "align": align})
    assert refused.value.code is ErrorCode.INVALID_ARGUMENT


def test_nothing_said_asks_for_everything() -> None:
    asked = AlignAsked.parse({"models": ["a"], "align": {}})
    assert (asked.methods, asked.sections, asked.splits, asked.register) == (METHODS, SECTIONS, 3, False)
    assert AlignAsked.parse(asked.as_json()) == asked
