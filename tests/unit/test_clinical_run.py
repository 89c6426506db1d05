"""Films and clinical tables together, from asked to report: what was planted is found, and nothing where nothing is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from services.analytics import kinds
from services.analytics.clinical.asked import ClinicalAsked
from services.core.errors import HilumError
from services.core.facts import Facts, images, models, open_facts, sides
from services.core.facts.images import Stored
from services.core.facts.sides import SideColumn, SideTable
from services.core.store import VectorStore, payload
from services.engine.supervisor import EngineProcess
from tests.kit.analyses import Made, make
from tests.kit.records import make_record, make_spec

PATIENTS, DIM = 220, 16
SPEC = make_spec("tiny", DIM)
QUICK: dict[str, Any] = {"draws": 10, "repeats": 1, "methods": ["kmeans"], "reductions": ["pca"], "most_clusters": 3}
LATE = "effusion <script>alert(1)</script>"


def planted(random: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Cells of each patient, and how bad each one's finding is: the hazard is of the finding and a lab value."""
    finding, lab = random.standard_normal(PATIENTS), random.standard_normal(PATIENTS)
    time = random.exponential(np.exp(-1.0 * finding - 1.0 * lab)) * 100
    end = random.uniform(50, 300, PATIENTS)
    cells = {
        "died": (time <= end).astype(float), "days": np.minimum(time, end), "lab": 40 + 10 * lab,
        "chance": (random.random(PATIENTS) < 0.4).astype(float), "luck": random.exponential(100, PATIENTS),
        "noise": random.standard_normal(PATIENTS),
    }  # fmt: skip
    return cells, finding


@pytest.fixture(scope="module")
def archive(
    tmp_path_factory: pytest.TempPathFactory, engine: EngineProcess
) -> Iterator[tuple[Path, Facts, VectorStore]]:
    """Two films a patient: the first shows the finding, the second, a year later, does not any more."""
    home = tmp_path_factory.mktemp("clinical")
    facts, store = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url)
    random = np.random.default_rng(3)
    cells, finding = planted(random)
    records, vectors = [], []
    late = (cells["died"] == 1) ^ (random.random(PATIENTS) < 0.2)  # the sick are filmed in bed, most of them
    for person in range(PATIENTS):
        for film in range(2):
            records.append(make_record(
                f"{person}-{film}", patient_id=f"p{person}", study_id=f"p{person}-s{film}",
                study_date=f"20{20 + film}-01-01", view="AP" if film and late[person] else "PA",
                sex=("F", "M", None)[person % 3], age=float(40 + person % 40),
            ))  # fmt: skip
            vector = 0.25 * random.standard_normal(DIM)
            vector[0] += 1.0
            vector[1] += 0.0 if film else 0.6 * finding[person]
            vectors.append(vector / np.linalg.norm(vector))
    store.ensure(SPEC)
    models.register(facts, SPEC)
    ids = [record.image_id for record in records]
    store.upsert(SPEC, ids, np.array(vectors, dtype=np.float32), [payload(r) for r in records])
    images.commit(facts, [Stored(r, "0" * 64, (SPEC.fingerprint,)) for r in records])
    numbers = tuple(SideColumn(name, name, "number") for name in cells)
    table = SideTable("demo", "clinical", "patient", (*numbers, SideColumn("ward", "ward", "text")))
    sides.add(facts, table, [
        (f"p{n}", {
            "number": {k: float(v[n]) for k, v in cells.items() if k != "noise" or n % 3},
            "text": {"ward": LATE if n % 2 else "home"},
        })
        for n in range(PATIENTS - 4)  # of four patients the table says nothing
    ])  # fmt: skip
    sides.finish(facts, table)
    films = SideTable("demo", "films", "image", (SideColumn("kvp", "kVp", "number"),))
    sides.add(facts, films, [(i, {"number": {"kvp": 80.0 + n % 2 * 40}, "text": {}}) for n, i in enumerate(ids)])
    sides.finish(facts, films)
    yield home, facts, store
    store.drop(SPEC.collection)
    store.close()
    facts.close()


@pytest.fixture(scope="module")
def died(archive: tuple[Path, Facts, VectorStore]) -> Made:
    return make(*archive, models=["tiny"], clinical={
        **QUICK, "methods": ["kmeans", "gmm", "leiden"], "reductions": ["pca", "vae"],
        "outcome": "sides.clinical.died", "time": "side.clinical.days",
        "variables": ["age", "side.clinical.lab", "side.clinical.noise", "side.clinical.ward", "side.films.*"],
    })  # fmt: skip


def test_what_was_planted_is_found(died: Made) -> None:
    found = died.metrics["together"]
    promises = found["promises"]
    assert promises["fused"]["value"] > max(promises["tables"]["value"], promises["vectors"]["value"]) + 0.03
    assert promises["fused"]["over_tables"]["low"] > 0
    assert promises["tables"]["low"] > 0.5 < promises["vectors"]["low"]
    assert found["verdict"].startswith("Films add to tables and tables to films")
    lab, noise = found["alone"]["side.clinical.lab"], found["alone"]["side.clinical.noise"]
    assert 1.8 < lab["ratio"] < 4 and lab["q"] < 1e-6 and noise["q"] > 0.01
    assert min(one["q"] for name, one in found["alone"].items() if name.startswith("tiny ")) < 1e-4
    assert all(promises[space]["apparent"] > promises[space]["value"] - 0.02 for space in promises)
    assert found["missing"]["side.clinical.noise"] == pytest.approx(0.35, abs=0.01)
    assert found["outcome"]["left_out"] == {"outcome unknown": 4}


def test_the_report_says_what_to_beware_of(died: Made) -> None:
    page = died.report
    for words in (
        "immortal time", "side.clinical.noise (3", "tests were made of one outcome", "Number at risk: fused",
        "log-rank", "Optimism" if "Optimism is up to" in page else "apparent", "216 patients", "PH, p",
    ):  # fmt: skip
        assert words in page, words
    assert "<script" not in page
    assert "effusion &lt;script&gt;" in page
    patients = pq.read_table(died.folder / "patients.parquet")
    assert patients.num_rows == PATIENTS
    assert {"fused, kmeans", "fused, VAE, leiden", "tables, gmm"} <= set(patients.column_names)
    assert not {"lab", "died"} & set(patients.column_names)
    manifest = died.json("manifest.json")
    assert manifest["joined"]["film"] == "first"
    assert kinds.parse(manifest["asked"]).as_json() == manifest["asked"]
    assert manifest["versions"]["lifelines"]


def test_a_null_outcome_gives_nothing(archive: tuple[Path, Facts, VectorStore]) -> None:
    found = make(*archive, models=["tiny"], clinical={
        **QUICK, "outcome": "side.clinical.chance", "time": "side.clinical.luck",
        "variables": ["age", "side.clinical.lab", "side.clinical.noise"],
    }).metrics["together"]  # fmt: skip
    assert found["promises"]["fused"]["over_tables"]["low"] <= 0
    assert found["verdict"].startswith(("Nothing is shown", "It is not shown"))
    assert all(one["q"] > 0.05 for one in found["by_cluster"])
    assert all(one["q"] is None or one["q"] > 0.05 for one in found["alone"].values())


def test_an_outcome_without_time_and_the_film_that_stands_for_a_patient(
    archive: tuple[Path, Facts, VectorStore], died: Made
) -> None:
    asked = {**QUICK, "outcome": "side.clinical.died", "variables": ["side.clinical.lab", "side.films.kvp"]}
    made = make(*archive, models=["tiny"], clinical={**asked, "film": "last"})
    found = made.metrics["together"]
    assert found["promises"]["how filmed"]["low"] > 0.6
    assert "But how patients were filmed tells it without a look" in found["verdict"]
    assert "How patients were filmed (view) tells the outcome by itself" in made.report
    assert "how filmed" not in died.metrics["together"]["promises"]  # first films are all PA
    assert found["promises"]["tables"]["low"] > 0.5  # of the AUROC, by the lab value
    assert found["promises"]["vectors"]["value"] < 0.6 < died.metrics["together"]["promises"]["vectors"]["value"]
    assert "side.films.kvp" not in found["alone"]  # the same for every last film
    assert all(one["proportional"] is None for one in found["alone"].values())


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"time": "side.clinical.days"}, "name both"),
        ({"outcome": "clinical.died"}, "side tables"),
        ({"outcome": "side.clinical.nothing"}, "no column"),
        ({"variables": ["side.other.*"]}, "name no column"),
        ({"film": "best"}, "first, last, mean"),
        ({"methods": ["dbscan"]}, "kmeans, gmm, leiden"),
        ({"reductions": ["umap"]}, "pca, vae"),
        ({"outcome": "side.clinical.lab", "time": "side.clinical.lab"}, "two columns"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_any_work(
    archive: tuple[Path, Facts, VectorStore], asked: dict[str, Any], says: str
) -> None:
    with pytest.raises(HilumError, match=says):
        kinds.parse({"models": ["tiny"], "clinical": asked}).check(archive[1])


def test_the_outcome_is_no_variable() -> None:
    asked = ClinicalAsked(models=("m",), outcome="side.c.died", time="side.c.days")
    assert asked.chosen(["side.c.died", "side.c.days", "side.c.lab"]) == ["age", "sex", "side.c.lab"]


def test_a_run_that_was_cut_short_is_taken_up(
    archive: tuple[Path, Facts, VectorStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {**QUICK, "outcome": "side.clinical.died", "variables": ["side.clinical.lab"]}
    with monkeypatch.context() as broken:
        broken.setattr("services.analytics.clinical.report.write", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make(*archive, models=["tiny"], seed=4, clinical=asked)
    for name in ("gain.gains", "groups.find", "associate.alone"):  # nothing of it is done again
        monkeypatch.setattr(f"services.analytics.clinical.{name}", lambda *_: 1 / 0)
    again = make(*archive, models=["tiny"], seed=4, clinical=asked)
    stages = again.json("manifest.json")["continued"]["stages"]
    assert {"promises", "clusters of fused by kmeans", "each variable alone"} <= set(stages)
    assert again.metrics["together"]["promises"]["tables"]["low"] > 0.5
