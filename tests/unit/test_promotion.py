"""A changed model fills beside the old one, is compared with it, answers when told to, and can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, jobs, models, promotions
from services.core.facts.images import Stored
from services.core.models import ModelSpec
from services.core.store import VectorStore, payload
from services.core.types import JobState
from services.engine.supervisor import EngineProcess
from services.ingest import churn, promotion
from services.ingest import promotions as promoting
from tests.kit.ingesting import room
from tests.kit.records import make_record

OLD = ModelSpec("changing", "1", "0" * 64, "p", "cls", 6)
NEW = replace(OLD, revision="2")
FILMS, PATIENTS = 120, 40


class Killed(BaseException):
    """A death in between, which no handler may catch."""


@pytest.fixture
def archive(facts: Facts, store: VectorStore) -> Iterator[dict[str, NDArray[np.float32]]]:
    """120 films of 40 patients in OLD, with two clusters by edema; id → vector."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((2, 6)) * 3
    records = [
        make_record(f"f{i}", patient_id=f"p-{i % PATIENTS}", labels={"edema": ["absent", "present"][i % PATIENTS % 2]})
        for i in range(FILMS)
    ]
    vectors = {r.image_id: (centres[i % 2] + rng.standard_normal(6)).astype(np.float32) for i, r in enumerate(records)}
    fill(facts, store, OLD, vectors, [Stored(record, "", (OLD.fingerprint,)) for record in records])
    yield vectors


def fill(
    facts: Facts, store: VectorStore, spec: ModelSpec, vectors: dict[str, NDArray[np.float32]],
    new: list[Stored] | None = None,
) -> None:  # fmt: skip
    store.ensure(spec)
    models.note(facts, spec)
    if new:
        images.commit(facts, new)
    records = images.get(facts, vectors)
    ids = sorted(vectors)
    store.upsert(spec, ids, np.stack([vectors[i] for i in ids]), [payload(records[i]) for i in ids])
    images.hold(facts, ids, spec.fingerprint)


def run(facts: Facts, store: VectorStore, **asked: object) -> dict[str, object]:
    made = promoting.Promotions(facts, store)
    return made.run("job", {"model": "changing", **asked}, promoting.Tally(), lambda: False)


def compare(facts: Facts, store: VectorStore) -> dict[str, object]:
    return churn.compare(facts, store, OLD, NEW, lambda *_: None, lambda: False)


def test_the_same_vectors_churn_nothing(
    facts: Facts, store: VectorStore, archive: dict[str, NDArray[np.float32]]
) -> None:
    fill(facts, store, NEW, archive)
    found = compare(facts, store)
    assert found["films"] == {"both": FILMS, "only_old": 0, "only_new": 0} and found["sample"] == FILMS
    for row in (found["overall"], found["findings"]["edema"]):
        assert row["jaccard"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
        assert row["agreement_change"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
        assert row["agreement_old"] == row["agreement_new"]
    assert found["findings"]["edema"]["films"] == FILMS // 2


def test_churn_and_agreement_are_those_of_a_plain_count(
    facts: Facts, store: VectorStore, archive: dict[str, NDArray[np.float32]]
) -> None:
    """Against every pair compared by numpy, one film after another."""
    rng = np.random.default_rng(1)
    other = {i: (v + rng.standard_normal(6) * 1.5).astype(np.float32) for i, v in archive.items()}
    fill(facts, store, NEW, other)
    found, records = compare(facts, store), images.get(facts, archive)
    ids = sorted(archive)
    state = {i: records[i].labels[0].state for i in ids}

    def tens(vectors: dict[str, NDArray[np.float32]]) -> dict[str, list[str]]:
        unit = {i: v / np.linalg.norm(v) for i, v in vectors.items()}
        told = {}
        for i in ids:
            others = [j for j in ids if records[j].patient_id != records[i].patient_id]
            told[i] = sorted(others, key=lambda j: -float(unit[i] @ unit[j]))[:10]
        return told

    old, new = tens(archive), tens(other)
    same = [len({*old[i]} & {*new[i]}) / len({*old[i]} | {*new[i]}) for i in ids]
    assert found["overall"]["jaccard"]["mean"] == pytest.approx(np.mean(same), abs=1e-3)
    for name, side in (("agreement_old", old), ("agreement_new", new)):
        shares = [np.mean([state[j] is state[i] for j in side[i]]) for i in ids]
        assert found["overall"][name]["mean"] == pytest.approx(np.mean(shares), abs=1e-3)
        present = [share for i, share in zip(ids, shares, strict=True) if state[i].value == "present"]
        assert found["findings"]["edema"][name]["mean"] == pytest.approx(np.mean(present), abs=1e-3)
    change = found["overall"]["agreement_change"]
    assert change["low"] <= change["mean"] <= change["high"] and change["mean"] < 0


def test_intervals_draw_patients_and_not_films() -> None:
    """Films of a patient that are all alike say as much as one: the interval is that of 25 values, not of 1,000."""
    rng = np.random.default_rng(2)
    values, patients = np.repeat(rng.random(25), 40), np.repeat(np.arange(25), 40)
    found = churn._interval(values, patients, np.ones(1_000, dtype=bool))
    width = found["high"] - found["low"]
    assert width == pytest.approx(2 * 1.96 * values[::40].std() / 5, rel=0.15)


def test_promote_compares_then_switches_and_rollback_takes_it_back(
    facts: Facts, store: VectorStore, archive: dict[str, NDArray[np.float32]]
) -> None:
    with pytest.raises(HilumError) as none:
        run(facts, store)
    assert none.value.code is ErrorCode.NOT_FOUND
    fill(facts, store, NEW, dict(list(archive.items())[:100]))
    with pytest.raises(HilumError) as lacking:
        run(facts, store)
    assert lacking.value.code is ErrorCode.FAILED_PRECONDITION and "lacks 20 films" in lacking.value.client_message
    told = run(facts, store, check_only=True)
    assert told["promoted"] is False and models.named(facts, "changing") == OLD
    fill(facts, store, NEW, archive)
    told = run(facts, store, fingerprint=NEW.fingerprint[:8])
    assert told["promoted"] is True and models.named(facts, "changing") == NEW
    assert store.aliases()["cxr.changing"] == NEW.collection
    [kept] = promotions.of(facts, "changing")
    assert (kept.fingerprint, kept.previous, kept.how) == (NEW.fingerprint, OLD.fingerprint, "promoted")
    assert kept.comparison == told["comparison"]
    promotion.rollback(facts, store, "changing")
    assert models.named(facts, "changing") == OLD and store.aliases()["cxr.changing"] == OLD.collection
    assert [p.how for p in promotions.of(facts, "changing")] == ["rollback", "promoted"]
    with pytest.raises(HilumError):
        promotion.rollback(facts, store, "changing")
    run(facts, store)
    assert models.named(facts, "changing") == NEW


def test_a_death_between_facts_and_alias_is_mended_at_the_next_start(
    tmp_path: Path, engine: EngineProcess, store: VectorStore
) -> None:
    with room(tmp_path / "data", engine.url) as opened:
        rng = np.random.default_rng(3)
        records = [make_record(f"k{i}", patient_id=f"p-{i}") for i in range(30)]
        vectors = {r.image_id: rng.standard_normal(6).astype(np.float32) for r in records}
        fill(opened.facts, store, OLD, vectors, [Stored(r, "", (OLD.fingerprint,)) for r in records])
        fill(opened.facts, store, NEW, vectors)

        def die(point: str) -> None:
            raise Killed(point)

        with pytest.raises(Killed):
            promotion.switch(opened.facts, opened.store, NEW, "promoted", reached=die)
        assert models.named(opened.facts, "changing") == NEW  # facts decide, and whoever asks here asks them
        assert store.aliases()["cxr.changing"] == OLD.collection
        worker = opened.worker()
        worker.start()
        job = jobs.submit(opened.facts, promoting.KIND, {"model": "changing", "check_only": True})
        done = opened.wait(job.job_id)
        worker.stop()
        assert store.aliases()["cxr.changing"] == NEW.collection
        assert done.state is JobState.SUCCEEDED and done.result["promoted"] is False


def test_several_candidates_must_be_told_apart(facts: Facts, store: VectorStore, archive: dict[str, object]) -> None:
    third = replace(OLD, revision="3")
    models.note(facts, NEW)
    models.note(facts, third)
    with pytest.raises(HilumError) as caught:
        promotion.candidate(facts, "changing")
    assert NEW.fingerprint[:12] in caught.value.client_message and third.fingerprint[:12] in caught.value.client_message
    assert promotion.candidate(facts, "changing", third.fingerprint[:10]) == (OLD, third)


def test_one_without_a_film_gives_its_name_up_unasked(facts: Facts, store: VectorStore) -> None:
    """A statement that was wrong, and refused every vector, must not stand in the way of the mended one."""
    for spec in (OLD, NEW):
        store.ensure(spec)
        models.note(facts, spec)
    assert promotion.waiting(facts, store, [NEW]) == {}
    assert models.named(facts, "changing") == NEW and store.aliases()["cxr.changing"] == NEW.collection


def test_auto_lets_one_that_holds_as_many_answer_at_once(
    facts: Facts, store: VectorStore, archive: dict[str, NDArray[np.float32]]
) -> None:
    fill(facts, store, NEW, dict(list(archive.items())[:100]))
    assert promotion.waiting(facts, store, [NEW], "auto") == {"changing": {"films": 100, "of": FILMS}}
    fill(facts, store, NEW, archive)
    assert promotion.waiting(facts, store, [NEW]) == {"changing": {"films": FILMS, "of": FILMS}}
    assert promotion.waiting(facts, store, [NEW], "auto") == {}
    assert models.named(facts, "changing") == NEW and promotions.of(facts, "changing")[0].how == "automatic"
