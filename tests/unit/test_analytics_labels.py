"""Labels that are likely wrong: found where planted, and what wrong labels do to what is measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score, ndcg_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from services.analytics import graph, kinds, linear
from services.analytics.label_quality import confident, flip, sources
from services.analytics.progress import Progress
from services.core.blobs import Blobs
from services.core.errors import HilumError
from services.core.facts import Facts, images, models
from services.core.facts.images import Stored
from services.core.labels import Label, LabelState
from services.core.store import VectorStore, payload
from tests.kit import clustered
from tests.kit.analyses import make
from tests.kit.records import make_spec

FILMS = 240
PATIENTS = (np.arange(FILMS) // 2).astype(np.int32)
TRUTH = ((np.arange(FILMS) // 2) % 3 == 0).astype(np.int32)


def space(noise: float = 0.8, seed: int = 0) -> NDArray[np.float32]:
    """Vectors in which films with the finding are moved along one direction."""
    random = np.random.default_rng(seed)
    found = noise * random.standard_normal((FILMS, 16)) / 4
    found[:, 0] += TRUTH - 0.3
    found[:, 1] += 0.5
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def test_out_of_fold_promises_are_of_other_patients_films() -> None:
    unit = space()
    promise = linear.out_of_fold(unit, TRUTH, PATIENTS, 4, 0)
    assert np.allclose(promise.sum(axis=1), 1)
    # A film's own patient changes nothing: mislabel one patient, and its own promises stay what they were.
    wrong = np.where(PATIENTS == 7, 1 - TRUTH, TRUTH)
    scale = StandardScaler().fit(unit[PATIENTS != 7])
    learn, own = PATIENTS != 7, PATIENTS == 7
    plain = LogisticRegression(C=0.1).fit(scale.transform(unit[learn]), wrong[learn])
    by_hand = plain.predict_proba(scale.transform(unit[own]))
    alone = linear.out_of_fold(unit, wrong, np.where(own, 0, 1 + PATIENTS % 5).astype(np.int32), 6, 0, fixed=0.1)
    assert np.allclose(alone[own], by_hand, atol=1e-3)


def test_the_auroc_is_scikit_learns() -> None:
    promise = linear.out_of_fold(space(2.0), TRUTH, PATIENTS, 4, 0)
    found = linear.reading(TRUTH, promise, PATIENTS, 0)
    assert np.isclose(found.value, roc_auc_score(TRUTH, promise[:, 1]), atol=1e-9)
    assert found.estimate.low < found.value < found.estimate.high
    three = (PATIENTS % 3).astype(np.int32)
    promise = linear.out_of_fold(space(2.0), three, PATIENTS, 4, 0)
    assert np.isclose(
        linear.reading(three, promise, PATIENTS, 0).value, roc_auc_score(three, promise, multi_class="ovr"), atol=1e-9
    )


def test_planted_mislabels_are_suspected_and_come_first() -> None:
    unit = space(0.5)
    wrong = np.isin(PATIENTS, (3, 20, 41, 66, 90))
    stated = np.where(wrong, 1 - TRUTH, TRUTH).astype(np.int32)
    doubts = confident.doubt(stated, linear.out_of_fold(unit, stated, PATIENTS, 5, 0))
    assert doubts.suspected[wrong].mean() >= 0.8
    assert wrong[doubts.order[:10]].mean() >= 0.8
    assert np.isclose(doubts.joint.sum(), 1)
    assert 0 < doubts.wrong(0) < 0.2
    near = graph.build(unit, 8, 0, Progress(), patients=PATIENTS)
    voters, agree = confident.votes(near, stated.astype(np.int8))
    assert (voters == 8).all()
    assert agree[wrong].mean() < 0.3
    assert agree[~wrong].mean() > 0.7


def test_votes_leave_out_those_who_do_not_know() -> None:
    near = graph.Graph(np.array([[1, 2], [0, 2], [0, 1]], np.int32), np.zeros((3, 2), np.float32), "exact", 1.0, 3)
    voters, agree = confident.votes(near, np.array([1, 1, -1], np.int8))
    assert voters.tolist() == [1, 1, 2]
    assert agree[:2].tolist() == [1.0, 1.0]
    assert np.isnan(agree[2])


def test_wrong_labels_lower_what_is_measured_and_are_found() -> None:
    unit = space(0.6)
    near = graph.build(unit, flip.DEPTH, 0, Progress(), patients=PATIENTS)
    made = flip.experiment(unit, TRUTH, PATIENTS, near, TRUTH, (0.05, 0.3), 3, 4, 0)
    clean, few, many = (at.found for at in made)
    assert [at.films for at in made] == [0, 12, 72]
    assert clean[flip.PURITY].value == 1
    assert np.isclose(many[flip.PURITY].value, 0.7, atol=0.08)
    assert clean[flip.MEASURED].value > few[flip.MEASURED].high > many[flip.MEASURED].high
    assert clean[flip.MEASURED].value == many[flip.TRUE].value
    assert clean[flip.PROBE].value >= many[flip.PROBE].value > 0.8
    assert few[flip.RECALL].value > 0.8
    assert few[flip.AT].value > 0.6
    assert not clean[flip.RECALL].known


def test_whole_patients_are_mislabelled() -> None:
    wrong = flip.mislabelled(PATIENTS, 0.1, np.random.default_rng(0))
    assert wrong.sum() == 24
    assert (wrong[::2] == wrong[1::2]).all()


def test_retrieval_is_scikit_learns_ndcg() -> None:
    unit = space(1.5)
    near = graph.build(unit, 12, 0, Progress(), patients=PATIENTS)
    plain = []
    for film in np.flatnonzero(TRUTH):
        others = PATIENTS[film] != PATIENTS
        plain.append(ndcg_score([TRUTH[others]], [(unit @ unit[film])[others]], k=10))
    assert np.isclose(flip.retrieval(near, TRUTH, TRUTH, PATIENTS), np.mean(plain), atol=1e-6)


def test_sources_part() -> None:
    a = np.array([1, 0, 1, 1, 0, -1, 2], np.int8)
    b = np.array([1, 1, 1, 0, 0, 1, 1], np.int8)
    (one,) = sources.partings("edema", {"nlp": a, "reader": b}, np.arange(7, dtype=np.int32), 0)
    assert (one.films, one.apart.value) == (5, 0.4)
    assert np.isclose(one.kappa, cohen_kappa_score(a[:5], b[:5]))


def test_a_mislabelled_finding_is_reported(tmp_path: Path, facts: Facts, store: VectorStore) -> None:
    spec, films = make_spec("one", 24), 160
    blobs = Blobs(tmp_path / "blobs")
    store.ensure(spec)
    models.register(facts, spec)
    records = []
    for number in range(films):
        record = clustered.record(number)
        wrong = number in (10, 61)  # effusion in kind 2 alone
        said = [
            replace(one, state=LabelState.ABSENT if one.state is LabelState.PRESENT else LabelState.PRESENT)
            if wrong and one.name == "pleural_effusion" else one
            for one in record.labels
        ]  # fmt: skip
        if number % 9 == 1:
            said.append(Label("edema", LabelState.PRESENT, source="reader"))
        records.append(replace(record, labels=tuple(said)))
    vectors = clustered.vectors(films, spec.dim, 0.8, 0)
    store.upsert(spec, [r.image_id for r in records], vectors, [payload(r) for r in records])
    images.commit(
        facts, [Stored(r, blobs.put(clustered.thumbnail(n)), (spec.fingerprint,)) for n, r in enumerate(records)]
    )
    asked = {"folds": 4, "flip": "pleural effusion", "rates": [0.1, 0.3], "repeats": 2}
    run = make(tmp_path, facts, store, models=["one"], k=10, label_quality=asked)
    rows = [
        r for r in pq.read_table(run.folder / "mislabels.parquet").to_pylist() if r["finding"] == "pleural_effusion"
    ]
    first = {r["image_id"] for r in rows if r["rank"] <= 2}
    assert first == {records[10].image_id, records[61].image_id}
    assert all(r["neighbours_agree"] < 0.5 for r in rows if r["rank"] <= 2)
    assert rows[0]["suspected"]
    assert not any(r["suspected"] for r in rows if r["rank"] > 2)
    found = run.metrics["one"]
    assert found["findings"]["pleural_effusion"]["auroc"]["low"] > 0.9
    assert [at["rate"] for at in found["flip"]] == [0.0, 0.1, 0.3]
    for words in ("To read again: pleural effusion", "contradict each other", "If pleural effusion were mislabelled",
                  "not an error found", "data:image/jpeg", "Research use only"):  # fmt: skip
        assert words in run.report
    assert "p-secret" not in run.report


@pytest.mark.parametrize(
    ("asked", "words"),
    [({"rates": [0.7]}, "rates"), ({"folds": 1}, "folds"), ({"repeats": 1}, "repeats"), ({"shown": 1000}, "shown")],
)
def test_what_cannot_be_asked(asked: dict[str, object], words: str) -> None:
    with pytest.raises(HilumError, match=words):
        kinds.parse({"models": ["m"], "label_quality": asked})


def test_what_was_asked_can_be_asked_again() -> None:
    asked = kinds.parse({"models": ["m"], "label_quality": {"flip": "Pleural Effusion", "rates": [0.2, 0.1]}})
    assert asked.kind == "label_quality"
    assert kinds.parse(asked.as_json()) == asked
