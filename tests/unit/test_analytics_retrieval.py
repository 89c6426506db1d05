"""Measures agree with trec_eval's to 1e-6; chance is what random orders get; known structure is found."""

from __future__ import annotations

from pathlib import Path

import ir_measures
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, P, R, nDCG

from services.analytics import sample
from services.analytics.progress import Progress
from services.analytics.resample import means
from services.analytics.retrieval import measures, rankings, relevance
from services.analytics.retrieval.rankings import RANDOM, Space
from services.analytics.retrieval.significance import paired
from services.core.blobs import Blobs
from services.core.errors import HilumError
from services.core.facts import Facts, searches
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from tests.kit import clustered
from tests.kit.analyses import make
from tests.kit.archive import Archive, spot
from tests.kit.places import PlacesEncoder
from tests.kit.records import make_record, make_spec
from tests.kit.served import served


@st.composite
def answers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    """Scores with many ties, grades of all films, and a depth that may be beyond the answer."""
    films = draw(st.integers(1, 30))
    scores = draw(st.lists(st.integers(0, 6), min_size=films, max_size=films))
    grades = draw(st.lists(st.integers(0, 3), min_size=films, max_size=films))
    return np.array(scores, dtype=np.float32), np.array(grades), draw(st.integers(1, 12))


@settings(max_examples=150, deadline=None)
@given(answers(), st.integers(0, 5))
def test_measures_are_those_of_trec_eval(answer: tuple[np.ndarray, np.ndarray, int], missing: int) -> None:
    scores, grades, k = answer
    order = np.lexsort((np.arange(len(scores)), -scores))  # our order of equal scores, told to the other side by rank
    every = np.concatenate([grades, np.full(missing, 2)])  # relevant films that the answer has not
    if not every.any():
        return
    gains, ideal = np.zeros((1, k), np.float32), np.zeros((1, k), np.float32)
    gains[0, : len(scores)] = grades[order][:k]
    ideal[0, : len(every)] = np.sort(every)[::-1][:k]
    relevant = np.array([(every > 0).sum()])
    judged = {f"f{n}": int(grade) for n, grade in enumerate(every)}
    run = {f"f{film}": float(-rank) for rank, film in enumerate(order)}
    other = {
        str(m.measure): m.value
        for m in ir_measures.iter_calc([nDCG @ k, AP @ k, P @ k, R @ k], {"q": judged}, {"q": run})
    }
    binary = ir_measures.iter_calc([nDCG @ k], {"q": {f: int(g > 0) for f, g in judged.items()}}, {"q": run})
    assert measures.ndcg(gains, ideal, k)[0] == pytest.approx(other[f"nDCG@{k}"], abs=1e-6)
    assert measures.ndcg(gains, ideal, k, graded=False)[0] == pytest.approx(next(iter(binary)).value, abs=1e-6)
    assert measures.precision(gains, relevant, k)[0] == pytest.approx(other[f"P@{k}"], abs=1e-6)
    assert measures.recall(gains, relevant, k)[0] == pytest.approx(other[f"R@{k}"], abs=1e-6)
    of_all = measures.average_precision(gains, relevant, k, reachable=False)[0]
    assert of_all == pytest.approx(other[f"AP@{k}"], abs=1e-6)
    reached = measures.average_precision(gains, relevant, k)[0]
    assert reached == pytest.approx(of_all * relevant[0] / min(relevant[0], k))
    assert 0 <= reached <= 1 + 1e-9


def test_nothing_relevant_has_no_value() -> None:
    gains, none = np.zeros((2, 3), np.float32), np.array([0, 2])
    found = measures.all_at(gains, np.array([[0, 0, 0], [1, 1, 0]], np.float32), none, 3)
    assert all(np.isnan(values[0]) and values[1] == 0 for values in found.values())


@pytest.mark.parametrize("k", [1, 4, 30])
def test_chance_is_the_mean_over_random_orders(k: int) -> None:
    grades = np.array([3, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0], np.float32)
    random = np.random.default_rng(0)
    orders = np.stack([random.permutation(grades) for _ in range(20_000)])
    gains = np.zeros((len(orders), k), np.float32)
    gains[:, : len(grades)] = orders[:, :k]
    best = np.zeros((1, k), np.float32)
    best[0, : len(grades)] = grades[:k]
    relevant = np.full(len(orders), 4)
    drawn = measures.all_at(gains, np.repeat(best, len(orders), axis=0), relevant, k)
    exact = measures.by_chance(np.array([12]), np.array([4]), np.array([grades.mean()]), best, k)
    for name, values in drawn.items():
        assert exact[name][0] == pytest.approx(values.mean(), abs=5 * values.std() / 140 + 1e-9), name


def test_rankings_leave_out_the_patient_and_what_is_unjudged_and_break_ties_by_id() -> None:
    states = ["present", "present", "absent", None, "present", "absent"]
    people = ["p0", "p1", "p2", "p3", "p4", "p0"]
    records = [
        make_record(f"f{n}", patient_id=person, labels={"edema": state} if state else {})
        for n, (state, person) in enumerate(zip(states, people, strict=True))
    ]
    films = sample.assemble(records)
    (whole, edema) = relevance.by_findings(films, ["edema"])
    assert list(np.flatnonzero(whole.asks)) == [0, 1, 4]
    assert edema.grades(np.array([0]), films.patients).tolist() == [[-1, 1, 0, -1, 1, -1]]  # own patient: films 0 and 5
    unit = np.array([[1, 0]] * 4 + [[0, 1]] * 2, np.float32)  # films 0 to 3 are alike
    found = rankings.evaluate(
        [Space("m", unit)], [whole, edema], np.array([0, 1, 4]), films.patients, [1, 2, 3], [""], False, 0, Progress()
    )["edema"]
    assert found.first["m"][0].tolist() == [1, 2, 4, -1, -1]
    assert found.values["P@1"]["m"].tolist() == [1, 1, 0]
    assert found.values["mAP@3"]["m"][0] == pytest.approx((1 + 2 / 3) / 2)
    assert found.first["m"][2].tolist() == [5, 0, 1, 2, -1]


def test_a_fused_ranking_is_the_sum_of_reciprocal_ranks() -> None:
    random = np.random.default_rng(0)
    units = [
        u / np.linalg.norm(u, axis=1, keepdims=True) for u in random.standard_normal((2, 40, 6)).astype(np.float32)
    ]
    records = [make_record(f"f{n}", labels={"edema": ["present", "absent"][n % 2]}) for n in range(40)]
    films = sample.assemble(records)
    questions = relevance.by_findings(films, ["edema"])[:1]
    found = rankings.evaluate(
        [Space(f"m{n}", u) for n, u in enumerate(units)], questions, np.array([0]), films.patients, [5], [""], True, 0,
        Progress(),
    )["any"]  # fmt: skip
    score = np.zeros(40)
    for unit in units:
        order = [f for f in np.argsort(-(unit @ unit[0]), kind="stable") if f != 0]
        for rank, film in enumerate(order, 1):
            score[film] += 1 / (60 + rank)
    assert found.first["fused"][0].tolist() == np.argsort(-score, kind="stable")[:5].tolist()


def test_how_far_a_ranking_is_read_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    unit = random.standard_normal((300, 8)).astype(np.float32)
    states = random.choice(np.array(["present", "absent", ""], dtype=object), 300, p=[0.05, 0.05, 0.9])
    films = sample.assemble([make_record(f"f{n}", labels={"edema": s} if s else {}) for n, s in enumerate(states)])
    questions, found = relevance.by_findings(films, ["edema"]), []
    for reach in (1, 64):
        monkeypatch.setattr(rankings, "_REACH", reach)
        scores = rankings.evaluate(
            [Space("m", unit)], questions, np.flatnonzero(questions[0].asks), films.patients, [3], [""], False, 0,
            Progress(),
        )  # fmt: skip
        found.append((scores["edema"].first["m"].tolist(), scores["any"].values["nDCG@3"]["m"].tolist()))
    assert found[0] == found[1]
    assert -1 not in np.array(found[0][0])


def test_intervals_and_tests_know_patients() -> None:
    random = np.random.default_rng(1)
    patients = np.repeat(np.arange(40, dtype=np.int32), 25)
    person = random.standard_normal(40)
    alike = person[patients] + 0.01 * random.standard_normal(1000)
    wide = means(alike[:, None], patients, 0)[0]
    narrow = means(alike[:, None], np.arange(1000, dtype=np.int32), 0)[0]
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)  # a thousand films of forty people are forty
    assert (wide.high - wide.low) / 3.92 == pytest.approx(person.std() / np.sqrt(40), rel=0.2)
    nothing = paired(alike, np.zeros(1000), patients, 0)
    assert nothing["p_permutation"] == pytest.approx(nothing["p_t"], abs=0.05)
    something = paired(alike + 2, np.zeros(1000), patients, 0)
    assert something["p_permutation"] == pytest.approx(1e-4, abs=1e-4)
    assert paired(alike, alike, patients, 0)["p_t"] is None


@pytest.fixture
def archive(tmp_path: Path, facts: Facts, store: VectorStore) -> Path:
    specs = [make_spec("sharp", 24), make_spec("blunt", 16)]
    clustered.fill(facts, store, Blobs(tmp_path / "blobs"), specs, 240)
    return tmp_path


def test_an_archive_of_known_structure(archive: Path, facts: Facts, store: VectorStore) -> None:
    asked = {"models": ["sharp", "blunt"], "k": 5, "retrieval": {"fuse": True, "correct": True, "queries": 100}}
    run = make(archive, facts, store, **asked)
    found = run.metrics
    assert set(found) == {"sharp", "blunt", "fused", RANDOM} | {
        f"{n}, {m}" for n in ("sharp", "blunt", "fused") for m in ("csls", "scaling")
    }
    sharp = found["sharp"]["groups"]["any"]
    assert sharp["nDCG@10"]["value"] > 0.9  # kinds are apart, and findings go by kind
    assert sharp["nDCG@10"]["low"] <= sharp["nDCG@10"]["value"] <= sharp["nDCG@10"]["high"]
    chance = found[RANDOM]["groups"]["any"]["P@1"]["value"]
    assert chance < 0.7
    test = found["sharp"]["against"][RANDOM]["P@1"]
    assert test["p_permutation"] < 0.001
    assert test["p_t"] < 0.001
    assert test["difference"]["low"] > 0
    assert set(found["fused"]["against"]) == {RANDOM, "sharp", "blunt"}
    assert {"by edema", "by pleural_effusion", "of sex F", "of view PA"} <= set(found["sharp"]["groups"])
    manifest = run.json("manifest.json")
    assert manifest["queries"] == 100
    assert manifest["kind"] == "retrieval"
    table = pq.read_table(run.folder / "queries.parquet").to_pydict()
    mine = [v for v, r in zip(table["nDCG@10"], table["retriever"], strict=True) if r == "sharp"]
    assert np.mean(mine) == pytest.approx(sharp["nDCG@10"]["value"])
    assert "by chance" in run.report
    assert "randomisation" in run.report
    again = make(archive, facts, store, **manifest["asked"])
    assert again.metrics == found


def test_other_notions_of_relevance(archive: Path, facts: Facts, store: VectorStore) -> None:
    run = make(archive, facts, store, models=["sharp"], k=5, retrieval={"relevance": "view"})
    assert run.metrics["sharp"]["groups"]["any"]["P@1"]["low"] > 0.95  # the kinds of this archive go by view
    run = make(archive, facts, store, models=["sharp"], k=5, retrieval={"relevance": "patient"})
    assert run.json("manifest.json")["queries"] == 240
    found = run.metrics["sharp"]["groups"]["any"]["recall@10"]["value"]
    assert 2 * 10 / 239 < found < 0.35  # the other film of the patient is one of the 60 of its kind


def test_what_people_marked_is_relevant(archive: Path, facts: Facts, store: VectorStore) -> None:
    """Marks that follow the kinds of this archive: the sharp model puts them first, a random order does not."""
    rows = [(clustered.record(n).image_id, clustered.kind_of(n)) for n in range(240)]
    random, judged = np.random.default_rng(3), {}
    for asking in random.choice(len(rows), 30, replace=False):
        image_id, kind = rows[asking]
        kept = searches.save(facts, "local", "t", {"query": {"image_id": image_id}})
        shown = [rows[other] for other in random.choice(len(rows), 12, replace=False) if other != asking]
        grades = {other: 3 if theirs == kind else 0 for other, theirs in shown}
        searches.mark(facts, "local", kept.search_id, grades)
        judged |= {(image_id, other): grade for other, grade in grades.items()}
    searches.save(facts, "local", "words", {"query": {"text": "left"}})
    assert searches.judged(facts, "local") == judged and searches.judged(facts, "somebody") == {}
    run = make(archive, facts, store, models=["sharp"], k=5, retrieval={"relevance": "marks", "depths": [5]})
    found = run.metrics["sharp"]["groups"]["any"]["nDCG@5"]
    assert found["value"] > 0.95 > run.metrics[RANDOM]["groups"]["any"]["nDCG@5"]["value"]
    assert 20 <= run.json("manifest.json")["queries"] <= 30


def test_words_whose_answers_were_marked_ask_too(facts: Facts, engine: EngineProcess, tmp_path: Path) -> None:
    """Marks of searches in words: an encoder that reads them puts the bright left before the right, one that reads none
    leaves them out."""
    store = VectorStore(engine.url)
    archive = Archive(
        facts, store, Blobs(tmp_path / "blobs"), [PlacesEncoder("reads"), PlacesEncoder("mute", 24, 1, False)]
    )
    archive.open()
    films = [archive.add(f"f{n}", spot(0.5, (n + 1) / 21), patient_id=f"p{n}", phash="").image_id for n in range(20)]
    archive.settle()
    for text, right in (("left", films[:6]), ("right", films[-6:])):
        kept = searches.save(facts, "local", text, {"query": {"text": text}})
        searches.mark(facts, "local", kept.search_id, dict.fromkeys(films, 0) | dict.fromkeys(right, 2))
    by_film = searches.save(facts, "local", "film", {"query": {"image_id": films[3]}})
    searches.mark(facts, "local", by_film.search_id, {films[4]: 1, films[2]: 1, films[15]: 0})
    assert searches.judged(facts, "local", "text")["left", films[0]] == 2
    asked = {"k": 5, "retrieval": {"relevance": "marks", "depths": [5], "correct": True}}
    with served([archive.encode_api]) as where:
        run = make(tmp_path, facts, store, encode=where.grpc, models=["reads"], **asked)
        with pytest.raises(HilumError, match="words that all these models read"):
            make(tmp_path, facts, store, encode=where.grpc, models=["reads", "mute"], **asked)
    manifest = run.json("manifest.json")
    assert (manifest["queries"], manifest["words"], manifest["asking_patients"]) == (3, 2, 1)
    assert "1 films of 1 patients and 2 questions in words asked" in run.report
    table = pq.read_table(run.folder / "queries.parquet").to_pydict()
    found = {
        asks: value
        for asks, name, value in zip(table["image_id"], table["retriever"], table["nDCG@5"], strict=True)
        if name == "reads"
    }
    expected = {}
    for text, right in (("left", films[:6]), ("right", films[-6:])):
        [vector] = archive.encoders[0].encode_texts([text])
        ids, unit = store.vectors(archive.encoders[0].spec, ids=films)
        ranked = [ids[n] for n in np.argsort(-(unit @ vector), kind="stable")]
        [value] = ir_measures.iter_calc(
            [nDCG @ 5], {"q": {film: 2 * (film in right) for film in films}},
            {"q": {film: float(-place) for place, film in enumerate(ranked)}},
        )  # fmt: skip
        expected[text] = value.value
    assert {text: found[text] for text in expected} == pytest.approx(expected, abs=1e-6)
    assert expected["left"] == 1
    archive.close()
    store.close()


def test_what_cannot_be_asked_says_why(archive: Path, facts: Facts, store: VectorStore) -> None:
    for asked, says in (
        ({"relevance": "colour"}, "findings, view, patient, marks"),
        ({"relevance": "marks"}, "fewer than two films"),
        ({"depths": [0, 5]}, "depths"),
        ({"fuse": True}, "two models"),
        ({"queries": -1}, "queries"),
    ):
        with pytest.raises(HilumError, match=says):
            make(archive, facts, store, models=["sharp"], k=5, retrieval=asked)
    with pytest.raises(HilumError, match="no finding is stated"):
        make(archive, facts, store, models=["sharp"], k=5, filter="labels.pneumothorax = uncertain", retrieval={})
    with pytest.raises(HilumError, match=r"1 finding is stated present and never absent: .*`universe`"):
        make(archive, facts, store, models=["sharp"], k=5, filter="labels.edema = present", retrieval={})
    with pytest.raises(HilumError, match="no film states 1 of these labels; did you mean edema"):
        make(archive, facts, store, models=["sharp"], k=5, labels=["edemma"], retrieval={})
