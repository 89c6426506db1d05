"""What is planted in phantoms, seen by a bundled encoder, is reported: a scanner that goes with a finding, and labels
that are wrong.

Outliers and a patient under two names are in test_analytics_outliers, a scanner alone in test_structure_run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from services.core.blobs import Blobs
from services.core.facts import Facts, images, models, open_facts
from services.core.facts.images import Stored
from services.core.labels import label_key
from services.core.store import VectorStore, payload
from services.encoders.bundled import DINO
from services.encoders.registry import Registry
from services.engine.supervisor import EngineProcess
from services.phantom.film import display, render
from services.phantom.labels import label_row
from services.phantom.train.data import films_of
from services.phantom.train.evaluate import encode_films
from tests.kit.analyses import make
from tests.kit.clustered import thumbnail
from tests.kit.records import make_record

FILMS, SHORTCUT, WRONG = 480, "pleural_effusion", "cardiomegaly"


@dataclass
class Planted:
    """wrong: ids of films whose label was turned round."""

    home: Path
    facts: Facts
    store: VectorStore
    wrong: set[str]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, engine: EngineProcess) -> Iterator[Planted]:
    """Nine in ten patients with an effusion, and few others, on a scanner with another gain; 12 labels of another
    finding turned round."""
    home = tmp_path_factory.mktemp("planted")
    facts, store, blobs = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url), Blobs(home / "blobs")
    films, random = films_of(FILMS, 31), np.random.default_rng(2)
    said = [{label_key(name): cell for name, cell in label_row(film).items() if cell in ("0", "1")} for film in films]
    sick = {film.patient for film, cells in zip(films, said, strict=True) if cells.get(SHORTCUT) == "1"}
    odd = {film.patient: random.random() < (0.9 if film.patient in sick else 0.1) for film in films}
    stated = [n for n, cells in enumerate(said) if WRONG in cells]
    turned = set(random.choice(stated, 12, replace=False).tolist())
    pixels = [display(render(film, 224)) for film in films]
    shown = [
        (255 * (seen / 255) ** 0.6).round().astype(np.uint8) if odd[film.patient] else seen
        for film, seen in zip(films, pixels, strict=True)
    ]
    for n in turned:
        said[n][WRONG] = "0" if said[n][WRONG] == "1" else "1"
    records = [
        make_record(
            f"film-{n}", patient_id=f"p{film.patient}", view=film.view, sex=film.sex, age=float(film.age),
            manufacturer="Planted" if odd[film.patient] else "Hilum",
            labels={name: "present" if cell == "1" else "absent" for name, cell in said[n].items()},
        )
        for n, film in enumerate(films)
    ]  # fmt: skip
    encoder = Registry.bundled().get(DINO)
    store.ensure(encoder.spec)
    models.register(facts, encoder.spec)
    ids = [record.image_id for record in records]
    store.upsert(encoder.spec, ids, encode_films(encoder, shown), [payload(record) for record in records])
    images.commit(
        facts, [Stored(r, blobs.put(thumbnail(n)), (encoder.spec.fingerprint,)) for n, r in enumerate(records)]
    )
    yield Planted(home, facts, store, {ids[n] for n in turned})
    store.drop(encoder.spec.collection)
    store.close()
    facts.close()


@pytest.mark.slow
def test_a_scanner_that_goes_with_a_finding_is_a_shortcut(planted: Planted) -> None:
    run = make(
        planted.home, planted.facts, planted.store, models=[DINO],
        shift={"axes": ["manufacturer", "sex"], "permutations": 199, "folds": 4},
    )  # fmt: skip
    found = run.metrics[DINO]
    assert found["axes"]["manufacturer"]["auroc"]["low"] > 0.7
    assert found["axes"]["manufacturer"]["p"] < 0.05
    assert (SHORTCUT, "manufacturer") in {(s["finding"], s["axis"]) for s in found["shortcuts"] if s["warned"]}
    assert found["removal"]["axis"] == "manufacturer"
    assert found["removal"]["auroc"]["after"]["value"] < found["removal"]["auroc"]["before"]["value"] - 0.1
    assert "pleural effusion by manufacturer" in run.report


@pytest.mark.slow
def test_labels_turned_round_are_read_again_first(planted: Planted) -> None:
    run = make(planted.home, planted.facts, planted.store, models=[DINO], labels=[WRONG], label_quality={"folds": 4})
    rows = pq.read_table(run.folder / "mislabels.parquet").to_pylist()
    first = [row for row in rows if row["rank"] <= 24]
    assert len({row["image_id"] for row in first} & planted.wrong) >= 8  # of 12; by chance 0.6
    assert sum(row["suspected"] for row in first if row["image_id"] in planted.wrong) >= 8
    assert "To read again: cardiomegaly" in run.report
