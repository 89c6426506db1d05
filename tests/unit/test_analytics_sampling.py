"""One sample for every model: by strata, capped by patient, deterministic, kept by name, held against the archive."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from services.analytics import frame, sample, variables
from services.analytics.progress import Progress
from services.analytics.sampling.asked import EQUAL, PROPORTIONAL, SamplingAsked
from services.analytics.sampling.draw import Draw, allocate
from services.analytics.sampling.represent import divergence, likeness
from services.analytics.variables import Variable
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, models, open_facts, sets
from services.core.filters import parse, to_qdrant
from services.core.store import VectorStore, payload
from services.core.types import ImageRecord
from tests.kit import analyses
from tests.kit.records import make_record, make_spec, stored, unit_vectors

SHARP, BLUNT = make_spec("sharp"), make_spec("blunt")


def record(n: int) -> ImageRecord:
    """Few laterals, some ages unknown, up to 12 films of a patient."""
    said = {"edema": ("present", "absent", "absent")[n % 3]} if n % 5 else {}
    view = "LATERAL" if n % 10 == 0 else ("PA", "AP")[n % 2]
    return make_record(
        f"film-{n}", patient_id=f"p{n // 12 if n < 240 else n // 2}", view=view, sex="FM"[n // 12 % 2],
        age=float(n % 97) if n % 7 else None, study_date=f"20{10 + n % 9}-01-01", labels=said,
    )  # fmt: skip


def fill(facts: Facts, films: list[int]) -> None:
    marks = [SHARP, BLUNT]
    for spec in marks:
        models.register(facts, spec)
    images.commit(facts, [stored(record(n), marks if n % 4 else [SHARP]) for n in films])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=12), st.integers(0, 400), st.sampled_from([EQUAL, PROPORTIONAL])
)
def test_an_allocation_gives_away_all_and_no_more_than_there_is(available: list[int], size: int, how: str) -> None:
    there = np.array(available)
    given_ = allocate(there, size, how)
    assert given_.sum() == min(size, there.sum())
    assert (given_ <= there).all() and (given_ >= 0).all()
    if how == EQUAL:  # whoever has less than another by more than one has nothing left
        assert all(given_[s] == there[s] for s in np.flatnonzero(given_ < given_.max() - 1))
    elif there.sum() >= size:
        assert np.abs(given_ - size * there / max(there.sum(), 1)).max() < 1


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 30), st.randoms(use_true_random=False))
def test_the_distance_is_scipys(values: int, chance: random.Random) -> None:
    p, q = (np.array([chance.choice([0, 0, 1, 5, 1000]) for _ in range(values)], float) for _ in range(2))
    if not p.sum() or not q.sum():
        assert np.isnan(divergence(p, q))
        return
    expected = jensenshannon(p, q, base=2)
    assert np.sqrt(divergence(p, q)) == pytest.approx(0.0 if np.isnan(expected) else expected, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 80),
    st.integers(1, 60),
    st.integers(0, 3),
    st.sampled_from([EQUAL, PROPORTIONAL]),
    st.integers(0, 99),
)
def test_no_patient_gives_more_than_the_cap_and_no_film_that_could_be_had_is_left(
    films: int, size: int, cap: int, how: str, seed: int
) -> None:
    random_ = np.random.default_rng(seed)
    patients = random_.integers(0, max(1, films // 3), films).astype(np.int32)
    strata = Variable("s", ["a", "b", "c"], random_.integers(0, 3, films).astype(np.int32))
    members = random_.random(films) < 0.9
    made = Draw(random_.permutation(films).astype(np.uint64), patients, cap)
    made.take(strata, members, size, how)
    drawn = made.done()
    assert len(set(drawn.rows.tolist())) == len(drawn.rows) and members[drawn.rows].all()
    assert list(drawn.rows) == sorted(drawn.rows)
    used = np.bincount(patients[drawn.rows], minlength=patients.max() + 1)
    free = members.copy()
    free[drawn.rows] = False
    if cap:
        assert used.max(initial=0) <= cap
        free &= used[patients] < cap
    assert len(drawn.rows) == size or (len(drawn.rows) < size and not free.any())
    names = [drawn.strata[s].name for s in drawn.stratum]
    assert names == [strata.values[code] for code in strata.codes[drawn.rows]]
    assert all(one.drawn == names.count(one.name) for one in drawn.strata)


def test_the_same_films_on_every_machine_and_most_of_them_when_the_archive_grows(facts: Facts, tmp_path: Path) -> None:
    from services.analytics.sampling.work import draw

    order = list(range(400))
    random.Random(1).shuffle(order)
    other = open_facts(f"sqlite:///{tmp_path / 'other.db'}")
    fill(facts, list(range(400)))
    fill(other, order)
    asked = SamplingAsked(by=("view", "age_band", "labels.edema"), sample_size=100, per_patient=2, seed=5)

    def drawn(where: Facts, given_: SamplingAsked = asked) -> set[str]:
        archive = frame.load(where, "", [], given_.fields, Progress())
        rows = draw(archive, np.ones(len(archive), bool), given_).rows
        return {archive.ids[row] for row in rows}

    first = drawn(facts)
    assert len(first) == 100
    assert drawn(other) == first
    assert drawn(facts, SamplingAsked(**{**vars(asked), "seed": 6})) != first
    fill(other, list(range(400, 440)))
    assert len(drawn(other) & first) >= 70
    # Without strata and caps it is the sample that every other analysis draws.
    plain, _ = sample.draw(facts, "", [], 50, 5, Progress())
    assert drawn(facts, SamplingAsked(sample_size=50, seed=5)) == set(plain.ids)
    other.close()


def test_proportional_keeps_shares_equal_evens_them_and_quotas_say_how_many(facts: Facts, tmp_path: Path) -> None:
    fill(facts, list(range(400)))
    made = analyses.make(tmp_path, facts, None, models=["sharp"], sample_size=100, sampling={"by": ["view"]})  # type: ignore[arg-type]
    shares = pq.read_table(made.folder / "strata.parquet").to_pandas().set_index("name")
    assert shares.drawn.to_dict() == {"view AP": 50, "view LATERAL": 10, "view PA": 40}
    assert shares.weight.tolist() == [4.0, 4.0, 4.0]
    assert "view" not in made.metrics["differs"]
    made = analyses.make(
        tmp_path, facts, None, models=["sharp", "blunt"], sample_size=90,  # type: ignore[arg-type]
        sampling={"by": ["view"], "allocation": "equal"},
    )  # fmt: skip
    even = pq.read_table(made.folder / "strata.parquet").to_pandas().set_index("name")
    assert even.drawn.to_dict() == {"view AP": 35, "view LATERAL": 20, "view PA": 35}  # 20 laterals both models hold
    assert "view" in made.metrics["differs"]
    assert "view LATERAL" in made.metrics["weak_strata"]
    films = pq.read_table(made.folder / "drawn.parquet").to_pandas()
    assert films.weight.sum() == pytest.approx(300)
    made = analyses.make(
        tmp_path, facts, None, models=["sharp"],  # type: ignore[arg-type]
        sampling={"quotas": ["60: labels.edema = present", "60: labels.edema = absent"], "per_patient": 3},
    )  # fmt: skip
    drawn = pq.read_table(made.folder / "sample.parquet").to_pandas()
    assert drawn["label.edema"].value_counts().to_dict() == {"present": 60, "absent": 60}
    assert drawn.patient.value_counts().max() <= 3
    assert "Strata were not drawn by their share" in made.report


def test_a_sample_is_a_cohort_for_every_filter(facts: Facts, store: VectorStore, tmp_path: Path) -> None:
    records = [record(n) for n in range(60)]
    for spec in (SHARP, BLUNT):
        models.register(facts, spec)
        store.ensure(spec)
        ids = [one.image_id for one in records]
        store.upsert(spec, ids, unit_vectors(60), [payload(one) for one in records])
    images.commit(facts, [stored(one, [SHARP, BLUNT]) for one in records])
    asked = {"models": ["sharp", "blunt"], "sample_size": 30, "sampling": {"name": "thirty", "by": ["sex", "view"]}}
    made = analyses.make(tmp_path, facts, store, **asked)
    mine = pq.read_table(made.folder / "sample.parquet")["image_id"].to_pylist()
    kept = sets.get(facts, "thirty")
    assert (kept.kind, kept.state, kept.films) == ("cohort", "ready", 30)
    assert store.vectors(SHARP, to_qdrant(parse('cohort = "thirty"')))[0] == mine
    drawn, _ = sample.draw(facts, 'cohort = "thirty"', [BLUNT], 0, 0, Progress())
    assert drawn.ids == mine
    again = analyses.make(tmp_path, facts, store, **made.json("manifest.json")["asked"])
    assert again.metrics == made.metrics
    with pytest.raises(HilumError, match="cohort of this name") as caught:
        analyses.make(tmp_path, facts, store, **{**asked, "sample_size": 29})
    assert caught.value.code is ErrorCode.ALREADY_EXISTS
    images.commit(facts, [stored(record(n), [SHARP, BLUNT]) for n in range(100, 160)])
    with pytest.raises(HilumError, match="has changed since"):
        analyses.make(tmp_path, facts, store, **asked)


def test_a_variable_has_one_code_for_archive_and_sample(facts: Facts) -> None:
    fill(facts, list(range(200)))
    archive = frame.load(facts, "", [], variables.FIELDS, Progress())
    bands = variables.variable(archive, "age_band")
    age = archive.table["age"].to_numpy()
    assert bands.values == ["below 18", "18 to below 40", "40 to below 60", "60 to below 80", "80 and above"]
    assert bands.counts()[-1] == np.isnan(age).sum()
    assert bands.counts()[1] == ((age >= 18) & (age < 40)).sum()
    assert variables.variable(archive, "year").values == [str(year) for year in range(2010, 2019)]
    edema = variables.variable(archive, "labels.edema")
    assert edema.counts().tolist() == variables.variable(archive, "labels.edema.table").counts().tolist()
    assert variables.variable(archive, "labels.gout").counts().tolist() == [0, 0, 0, 200]
    both = variables.crossed([variables.variable(archive, "view"), edema], 200)
    assert both.counts()[:-1].sum() == 200
    assert "view LATERAL, labels.edema unknown" in both.values
    part = archive.take(np.arange(0, 200, 3))
    whole = dict(zip(archive.ids, bands.codes, strict=True))
    assert [whole[i] for i in part.ids] == variables.variable(part, "age_band").codes.tolist()


def test_a_draw_of_some_people_is_seen_to_be_unlike(facts: Facts) -> None:
    fill(facts, list(range(400)))
    archive = frame.load(facts, "", [], variables.FIELDS, Progress())
    every = variables.every(archive)
    men = np.flatnonzero(np.array(archive.table["sex"].to_pylist()) == "M")
    found = {one.variable.name: one for one in likeness(every, men, archive.patients[men], 0, Progress())}
    assert found["sex"].differs
    assert found["sex"].most(1)[0] == "M"
    assert found["sex"].distance.high == pytest.approx(found["sex"].distance.value)  # whoever is drawn is a man
    assert found["view"].distance.low <= found["view"].distance.value < found["view"].distance.high
    assert not found["year"].differs


@pytest.mark.slow
def test_the_interval_covers_what_other_patients_would_have_given() -> None:
    """Samples of patients from a population whose shares are shifted: 95 % intervals of the distance cover its mean
    over many samples."""
    random_ = np.random.default_rng(3)
    people, per = 4000, 3
    kind = np.repeat(random_.choice(4, people, p=[0.4, 0.3, 0.2, 0.1]), per)
    stray = random_.random(len(kind)) < 0.3
    kind[stray] = random_.integers(0, 4, stray.sum())
    one = Variable("kind", list("abcd"), kind.astype(np.int32))
    chance = np.where(np.repeat(kind[::per] == 0, per), 0.1, 0.05)[::per]
    seen, spans = [], []
    for trial in range(150):
        taken = np.flatnonzero(random_.random(people) < chance)
        rows = (taken[:, None] * per + np.arange(per)).ravel()
        found = likeness([one], rows, np.repeat(np.arange(len(taken)), per).astype(np.int32), trial, Progress())[0]
        seen.append(found.distance.value)
        spans.append((found.distance.low, found.distance.high))
    middle = np.mean(seen)
    covered = np.mean([low <= middle <= high for low, high in spans])
    assert 0.9 <= covered <= 0.99, covered


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"by": ("shoe_size",)}, "told apart by"), ({"allocation": "fair"}, "allocation is"),
        ({"name": "a b"}, "name of a cohort"),
        ({"quotas": ("many: sex = F",)}, "a quota is a number"), ({"quotas": ("0: sex = F",)}, "at least one"),
        ({"quotas": ("5: sex = F",), "sample_size": 4}, "not both"), ({"per_patient": -1}, "per_patient"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused_with_a_reason(asked: dict[str, object], says: str) -> None:
    with pytest.raises(HilumError, match=says) as caught:
        SamplingAsked(**asked)  # type: ignore[arg-type]
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT
