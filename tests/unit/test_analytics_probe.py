"""Probes agree with scikit-learn and scipy on the same folds; no patient is ever on both sides of a test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from services.analytics import resample, sample
from services.analytics.probe import classify, cross, draw, keep, scores, shortcuts, trust
from services.analytics.probe.compared import compare
from services.analytics.probe.cross import Probed
from services.analytics.probe.draw import Task
from services.analytics.probe.scores import ACCURACY, AUROC, Measured
from services.core.errors import ErrorCode, HilumError
from services.core.labels import Label, LabelState
from tests.kit.records import make_record

# The averages of the benchmark study, from its own rows above them: (mean, half-width) of labels, and of "Average".
STUDY = {
    "accuracy, MIMIC, MedImageInsight": (((.75, .0073), (.84, .014), (.90, .026), (.70, .016)), (.80, .0087)),
    "accuracy, MIMIC, CXR-Foundation": (((.75, .0075), (.85, .024), (.88, .0098), (.70, .023)), (.80, .0088)),
    "accuracy, NIH, MedImageInsight": (((.78, .016), (.85, .019), (.83, .014), (.85, .019)), (.83, .0087)),
    "accuracy, NIH, CXR-Foundation": (((.75, .023), (.83, .013), (.83, .0080), (.89, .013)), (.82, .0076)),
    "AUROC, MIMIC, MedImageInsight": (((.83, .0069), (.92, .011), (.96, .012), (.78, .019)), (.87, .0065)),
    "AUROC, MIMIC, CXR-Foundation": (((.82, .013), (.92, .014), (.94, .0060), (.77, .017)), (.86, .0066)),
    "AUROC, NIH, MedImageInsight": (((.86, .0079), (.92, .012), (.90, .011), (.92, .012)), (.90, .0054)),
    "AUROC, NIH, CXR-Foundation": (((.82, .012), (.91, .015), (.90, .011), (.96, .010)), (.90, .0061)),
}  # fmt: skip


@st.composite
def archives(draw_: st.DrawFn) -> tuple[list[tuple[int, bool, int]], int, int]:
    """Films as (patient, has it, look), folds and seed; looks repeat, also across patients."""
    films = draw_(
        st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.integers(0, 400)), min_size=90, max_size=200)
    )
    return films, draw_(st.integers(2, 6)), draw_(st.integers(0, 2**31 - 1))


def tasks_of(films: list[tuple[int, bool, int]], folds: int, seed: int, per_side: int = 1000) -> list[Task]:
    records = [
        make_record(f"f{n}", patient_id=f"p{who}", labels={"edema": "present" if has else "absent"})
        for n, (who, has, _) in enumerate(films)
    ]
    look = {record.image_id: str(films[n][2]) for n, record in enumerate(records)}
    drawn = sample.assemble(sorted(records, key=lambda record: record.image_id))
    tasks, _ = draw.draw(drawn, [], per_side, seed, False)
    rows = {int(row): look[drawn.ids[row]] for task in tasks for row in task.rows}
    return draw.assign(tasks, rows, folds, seed)[0] if tasks else []


@settings(max_examples=40, deadline=None)
@given(archives())
@example(([(n % 7, n % 3 == 0, n) for n in range(120)], 5, 0))
@example(([(n, n % 2 == 0, n // 2) for n in range(120)], 5, 0))  # every film is another patient's, too
def test_no_patient_is_in_two_folds(archive: tuple[list[tuple[int, bool, int]], int, int]) -> None:
    films, folds, seed = archive
    by_id = {make_record(f"f{n}").image_id: film for n, film in enumerate(films)}
    ids = sorted(by_id)
    for task in tasks_of(films, folds, seed):
        seen: dict[tuple[str, int], set[int]] = {}
        for row, fold in zip(task.rows, task.fold, strict=True):
            who, _, look = by_id[ids[row]]
            for name in (("patient", who), ("look", look)):
                seen.setdefault(name, set()).add(int(fold))
        assert all(len(in_folds) == 1 for in_folds in seen.values())
        assert set(task.fold.tolist()) == set(range(folds))
        assert all(0 < task.y[task.fold == n].sum() < (task.fold == n).sum() for n in range(folds))
        assert [by_id[ids[row]][1] for row in task.rows] == task.y.tolist()
        assert task.y.sum() * 2 == len(task.y) == len(set(task.rows.tolist()))


def test_a_leaked_patient_is_refused() -> None:
    people, fold = np.repeat(np.arange(10, dtype=np.int32), 3), np.repeat(np.arange(10, dtype=np.int8) % 5, 3)
    draw.check(people, fold)
    leaked = fold.copy()
    leaked[4] = (leaked[4] + 1) % 5
    left = fold.copy()
    left[0:3] = -1
    for bad in (leaked, left):
        with pytest.raises(HilumError, match="two folds") as told:
            draw.check(people, bad)
        assert told.value.code is ErrorCode.INTERNAL


def test_patients_give_one_film_each_before_any_gives_two() -> None:
    films = [(0, True, n) for n in range(60)] + [(1 + n, True, 100 + n) for n in range(25)]
    films += [(200 + n, False, 200 + n) for n in range(80)]
    (task,) = tasks_of(films, 5, 3, per_side=26)
    people = [0 if n < 60 else n for n in range(85)]
    assert task.each == 26
    assert len(set(task.people[task.y].tolist())) == len(set(people))  # 25 patients of one film, and the one of sixty
    again, other = tasks_of(films, 5, 3, per_side=26)[0], tasks_of(films, 5, 4, per_side=26)[0]
    assert (again.rows == task.rows).all() and (again.fold == task.fold).all()
    assert set(other.rows.tolist()) != set(task.rows.tolist())


def test_unknown_and_uncertain_are_on_no_side() -> None:
    states = ["present"] * 30 + ["absent"] * 25 + ["uncertain"] * 30 + [""] * 30
    records = [
        make_record(f"f{n}", patient_id=f"p{n}", labels={"edema": state} if state else {"hernia": "present"})
        for n, state in enumerate(states)
    ]
    films = sample.assemble(records)
    (task,), refused = draw.draw(films, [], 1000, 0, False)
    assert (task.absent, task.present, task.each) == (25, 30, 25)
    assert {int(films.labels["edema"][row]) for row in task.rows} == {0, 1}
    assert [(one.label, one.present, one.reason) for one in refused] == [
        ("hernia", 30, "stated absent of no film here: what is not stated is unknown, not absent")
    ]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 6))
def test_auroc_and_accuracy_are_those_of_scikit_learn(seed: int, films: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    y, score = random.random(films) < 0.5, random.integers(0, levels, films) / levels
    weight = random.integers(0, 4, (5, films)).astype(np.float64)
    mine, right = scores.auroc(y, score, weight), scores.accuracy(y, score, weight)
    for row, each in enumerate(weight):
        there = each > 0
        if len(set(y[there].tolist())) < 2:
            assert np.isnan(mine[row])
            continue
        assert mine[row] == pytest.approx(roc_auc_score(y, score, sample_weight=each), abs=1e-9)
        assert mine[row] == pytest.approx(
            roc_auc_score(np.repeat(y, each.astype(int)), np.repeat(score, each.astype(int)))
        )
        assert right[row] == pytest.approx(accuracy_score(y, score >= 0.5, sample_weight=each), abs=1e-9)


def test_auroc_within_strata_compares_like_with_like() -> None:
    random = np.random.default_rng(0)
    y, strata, score = random.random(300) < 0.5, random.integers(0, 3, 300), random.random(300)
    right = pairs = 0.0
    for a in np.flatnonzero(y):
        for b in np.flatnonzero(~y):
            if strata[a] == strata[b]:
                pairs += 1
                right += (score[a] > score[b]) + 0.5 * (score[a] == score[b])
    assert scores.auroc(y, score, strata=strata)[0] == pytest.approx(right / pairs, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.3, 1.0), min_size=2, max_size=20))
def test_the_half_width_is_that_of_student(values: list[float]) -> None:
    if np.std(values) < 1e-9:
        return
    low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    assert scores.half_width(values) == pytest.approx((high - low) / 2, rel=1e-9)


@pytest.mark.parametrize("name", STUDY)
def test_averages_are_formed_as_the_study_formed_them(name: str) -> None:
    labels, (mean, half) = STUDY[name]
    found = scores.average([m for m, _ in labels], [h for _, h in labels])
    assert found[0] == pytest.approx(mean, abs=0.0101)  # of rounded rows
    assert found[1] == pytest.approx(half, abs=0.00016)


def test_cells_are_written_as_in_the_study() -> None:
    assert scores.study(0.7512, 0.00734) == "0.75 ± 0.0073"
    assert scores.study(0.9, 0.0259) == "0.90 ± 0.026"
    assert scores.study(0.83, 0.00799) == "0.83 ± 0.0080"
    assert scores.study(1.0, 0.0) == "1.00 ± 0.0000"
    assert scores.study(float("nan"), 0.1) == "–"


def made(films: int, dim: int, signal: float, seed: int = 0, each: int = 2) -> tuple[np.ndarray, Task]:
    """Unit vectors with a direction for the finding, and their task; patients of `each` films."""
    random = np.random.default_rng(seed)
    y, people = np.tile([True, False], films // 2), (np.arange(films) // each).astype(np.int32)
    raw = random.standard_normal((films, dim))
    raw[:, 0] += signal * (2.0 * y - 1)
    vectors = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    fold = draw.split(y, people, 5, seed)
    return vectors, Task("edema", "demo", np.arange(films), y, films // 2, films // 2, people, fold)


def test_cross_validation_is_that_of_scikit_learn_on_the_same_folds() -> None:
    vectors, task = made(240, 12, 0.7)
    weight = np.ones((1, 240))
    found = cross.probe(vectors, task, ["logistic"], 0, weight)
    accuracies, areas = [], []
    for number in range(5):
        learn, test = task.fold != number, task.fold == number
        inner = StratifiedGroupKFold(3, shuffle=True, random_state=number)
        search = GridSearchCV(
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, tol=1e-8)),
            {"logisticregression__C": classify.PENALTIES}, scoring="neg_log_loss", cv=inner,
        ).fit(vectors[learn].astype(np.float64), task.y[learn], groups=task.people[learn])  # fmt: skip
        assert found.penalties[number] == search.best_params_["logisticregression__C"]
        promise = search.predict_proba(vectors[test].astype(np.float64))[:, 1]
        assert np.abs(found.promise["logistic"][test] - promise).max() < 1e-5  # L-BFGS stops at another digit
        accuracies.append(accuracy_score(task.y[test], promise > 0.5))
        areas.append(roc_auc_score(task.y[test], promise))
    figures = found.figures["logistic"]
    assert figures[ACCURACY].folds == pytest.approx(accuracies, abs=1e-9)
    assert figures[AUROC].folds == pytest.approx(areas, abs=1e-9)
    assert figures[AUROC].mean == pytest.approx(np.mean(areas))
    interval = stats.t.interval(0.95, 4, np.mean(areas), stats.sem(areas))
    assert figures[AUROC].half == pytest.approx((interval[1] - interval[0]) / 2)


def test_both_classifiers_find_what_is_there_and_nothing_else() -> None:
    for signal, low, high in ((2.0, 0.93, 1.0), (0.0, 0.3, 0.7)):
        vectors, task = made(160, 6, signal)
        weight = resample.weights(80, 200, 0)[:, task.people]
        found = cross.probe(vectors, task, ["logistic", "mlp"], 0, weight)
        for figures in found.figures.values():
            assert low < figures[AUROC].mean <= high
            assert figures[AUROC].estimate.low <= figures[AUROC].mean <= figures[AUROC].estimate.high
        assert list(found.curve)[:3] == [20, 50, 100]
        assert found.curve[20][AUROC].mean <= found.curve[max(found.curve)][AUROC].mean + 0.1


def test_a_curve_learns_from_parts_of_its_folds() -> None:
    _, task = made(240, 4, 1.0)
    among = task.fold != 2
    small, large = cross.first(task, among, 20), cross.first(task, among, 100)
    assert set(small.tolist()) < set(large.tolist()) <= set(np.flatnonzero(among).tolist())
    assert task.y[small].sum() == 10


def test_intervals_know_patients() -> None:
    random = np.random.default_rng(0)
    people = np.repeat(np.arange(30, dtype=np.int32), 20)
    y = np.tile([True, False], 300)
    promise = np.clip(0.5 + 0.25 * (2 * y - 1) + 0.5 * random.standard_normal(30)[people], 0, 1)  # patients err alike
    fold = (people % 5).astype(np.int8)
    wide = scores.by_fold(y, promise, fold, resample.weights(30, 500, 0)[:, people])[ACCURACY].estimate
    narrow = scores.by_fold(y, promise, fold, resample.weights(600, 500, 0))[ACCURACY].estimate
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_bootstrap_draws_are_films_repeated() -> None:
    _, task = made(120, 6, 0.5)
    drawn = resample.weights(60, 20, 1)
    promise = np.random.default_rng(0).random(120)
    found = scores.by_fold(task.y, promise, task.fold, drawn[:, task.people])[AUROC]
    for number, each in enumerate(drawn):
        folds = []
        for fold in range(5):
            films = [f for f in np.flatnonzero(task.fold == fold) for _ in range(int(each[task.people[f]]))]
            if len(set(task.y[films].tolist())) == 2:
                folds.append(roc_auc_score(task.y[films], promise[films]))
        assert found.draws[number] == pytest.approx(np.mean(folds), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_step_by_step(values: dict[str, float]) -> None:
    corrected = scores.holm({**values, "\0none": float("nan")})
    assert np.isnan(corrected.pop("\0none"))
    for level in (0.01, 0.05, 0.2, 0.7):
        rejected, ordered = set(), sorted(values, key=lambda name: values[name])
        for rank, name in enumerate(ordered):  # Holm's own procedure: stop at the first that stands
            if values[name] > level / (len(values) - rank):
                break
            rejected.add(name)
        near = {n for n in values if abs(corrected[n] - level) < 1e-9}
        assert {n for n, p in corrected.items() if p <= level} - near == rejected - near


def test_one_model_is_told_better_than_another_and_like_itself() -> None:
    (sharp, task), (blunt, _) = made(200, 6, 2.0), made(200, 6, 0.4)
    weight = resample.weights(100, 300, 0)[:, task.people]
    probed = {
        name: {task.key: cross.probe(vectors, task, ["logistic"], 0, weight)}
        for name, vectors in (("sharp", sharp), ("blunt", blunt), ("sharp again", sharp))
    }
    told = {(d.one, d.other): d for d in compare(probed, ["logistic"]) if d.task and d.measure == AUROC}
    better = told["sharp", "blunt"]
    assert better.found.estimate.low > 0.1
    assert better.p < better.p_holm < 0.001
    same = told["sharp", "sharp again"]
    assert same.found.mean == 0
    assert np.isnan(same.p)


def test_errors_of_promises() -> None:
    _, task = made(200, 4, 0.0)
    promise = np.random.default_rng(0).random(200)
    found = trust.errors(task, promise, np.ones((3, 200)))
    assert found["brier"].value == pytest.approx(brier_score_loss(task.y, promise), abs=1e-12)
    order = np.argsort(promise)
    away = [abs(promise[part].mean() - task.y[part].mean()) for part in np.split(order, 10)]
    assert found["ece"] == pytest.approx(np.mean(away), abs=1e-12)
    honest = Probed(task, promise={"logistic": np.where(task.y, 0.9, 0.1)})
    bins = trust.reliability([honest], "logistic", 0)
    assert [round(b.promised, 6) for b in bins] == [0.1] * 5 + [0.9] * 5
    assert bins[0].seen.value == 0


def test_a_fact_that_tells_the_label_is_named_and_like_is_held_against_like() -> None:
    random = np.random.default_rng(0)
    _, task = made(400, 4, 0.0, each=1)
    scanner = np.where(random.random(400) < 0.9, task.y, ~task.y)
    records = [
        make_record(f"f{n}", view="PA", device="mobile" if scanner[n] else "wall", sex="FM"[random.integers(2)])
        for n in range(400)
    ]
    facts = shortcuts.facts(records)
    assert set(facts) == {"device", "sex"}
    weight = resample.weights(400, 300, 0)[:, task.people]
    device, sex = shortcuts.find(task, facts, weight)
    assert (device.fact, device.named, sex.named) == ("device", True, False)
    assert device.alone.mean == pytest.approx(0.9, abs=0.05)
    reads_scanner = scanner + 0.01 * random.random(400)
    whole = scores.by_fold(task.y, reads_scanner, task.fold, weight)[AUROC]
    among = shortcuts.within(task, reads_scanner, facts["device"], weight)
    assert whole.mean > 0.85
    assert among.estimate.low < 0.5 < among.estimate.high
    one = replace(device, alone=Measured(np.array([0.5]), np.full(5, 0.5)))
    assert not one.named


def test_kept_probes_are_applied_by_anybody(tmp_path: Path) -> None:
    vectors, task = made(200, 6, 1.0)
    fitted = cross.whole(vectors, task, 0)
    path = tmp_path / "probe.safetensors"
    keep.write(path, "rad-dino", "abc", {"demo/edema": (fitted, {"films": 200})})
    found = keep.read(path)["demo/edema"]
    assert (found.promise(vectors) == fitted.promise(vectors)).all()
    assert found.promise(vectors) == pytest.approx(1 / (1 + np.exp(-(vectors @ found.weight + found.bias))), abs=1e-6)
    assert roc_auc_score(task.y, found.promise(vectors)) > 0.8
    told = keep.about(path)
    assert (told["model"], told["fingerprint"], told["probes"]["demo/edema"]["films"]) == ("rad-dino", "abc", 200)
    (tmp_path / "other").write_bytes(b"\x80\x04K\x01.")  # a pickle is no probe
    with pytest.raises(HilumError, match="holds no probes"):
        keep.read(tmp_path / "other")


def test_who_says_absent_by_convention_is_told() -> None:
    from services.analytics.probe import cautions

    _, task = made(40, 4, 0.0)
    records = [
        make_record(
            f"f{n}",
            labels=[Label("edema", LabelState.PRESENT if has else LabelState.ABSENT, "mined", implicit=not has)],
        )
        for n, has in enumerate(task.y)
    ]
    assert cautions.sources(task, records) == ("mined", 1.0)
    assert "absent by the dataset's convention" in cautions.convention({"edema, demo": 1.0})[0]
    assert cautions.convention({"edema, demo": 0.2}) == []
