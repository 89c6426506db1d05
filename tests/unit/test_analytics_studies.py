"""Three tables side by side: what is in them is what the runs measured, and what speaks against them is said."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.analytics import studies
from services.analytics.probe.scores import average, study
from services.analytics.studies import Run
from services.core.blobs import Blobs
from services.core.errors import HilumError
from services.core.facts import open_facts
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from tests.kit import clustered
from tests.kit.analyses import make
from tests.kit.records import make_spec

SPECS = [make_spec("sharp", 12), make_spec("blunt", 12)]
LABELS = ["edema", "pleural_effusion"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, engine: EngineProcess) -> Iterator[dict[str, Run]]:
    home = tmp_path_factory.mktemp("studies")
    facts, store = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url)
    clustered.fill(facts, store, Blobs(home / "blobs"), SPECS, 200)
    asked = {
        "probe": {"folds": 3, "classifiers": ["logistic"], "augment": "off"},
        "retrieval": {"queries": 40, "depths": [1, 5]},
        "structure": {"layouts": ["pca"], "seeds": 1, "draws": 4},
    }
    made = {
        kind: make(home, facts, store, models=["sharp", "blunt"], labels=LABELS, k=8, resolutions=[1.0], **{kind: one})
        for kind, one in asked.items()
    }
    yield {kind: Run(one.json("manifest.json"), one.metrics) for kind, one in made.items()}
    for spec in SPECS:
        store.drop(spec.collection)
    store.close()
    facts.close()


def test_the_tables_are_of_what_was_measured(runs: dict[str, Run]) -> None:
    page, about = studies.page([runs["structure"], runs["probe"], runs["retrieval"]])
    tables = {table["title"]: table for table in page.tables}
    accuracy = tables["accuracy, logistic"]
    assert accuracy["columns"] == ["dataset", "label", "sharp", "blunt"]
    told = runs["probe"].metrics["blunt"]["probes"]["demo"]
    both = [
        (told[label]["logistic"]["accuracy"]["value"], told[label]["logistic"]["accuracy"]["half_width"])
        for label in LABELS
    ]
    assert [row[3] for row in accuracy["rows"]] == [
        *(study(*one) for one in both),
        study(*average(*zip(*both, strict=True))),
    ]
    films = tables["Films like a film"]
    assert films["columns"] == ["", "retriever", "mAP@5", "nDCG@5", "P@1"]
    assert {row[1] for row in films["rows"]} == {"sharp", "blunt", "random films"}
    measured = runs["retrieval"].metrics["sharp"]["groups"]["by edema"]["mAP@5"]["value"]
    assert next(row for row in films["rows"] if row[:2] == ["edema", "sharp"])[2].startswith(f"{measured:.3f} [")
    space = tables["In the space"]["rows"][0]
    assert space[2].startswith(f"{runs['structure'].metrics['sharp']['classes']['silhouette']['value']:.3f}")
    html = page.html(about)
    assert all(run.manifest["run_id"][:8] in html for run in runs.values())
    assert "different films" not in html
    assert "Probes of 2 labels learned from fewer than 100 films a side" in html


def test_what_does_not_fit_together_is_said(runs: dict[str, Run]) -> None:
    other = {**runs["structure"].manifest, "sample_sha256": "0" * 64, "asked": {"filter": "<b>x", "seed": 1}}
    other["models"] = {"sharp": {**other["models"]["sharp"], "fingerprint": "f" * 64}}
    page, about = studies.page([runs["probe"], Run(other, runs["structure"].metrics)])
    html = page.html(about)
    for words in ("Of retrieval there is no run", "different films", "different models", "sharp changed between"):
        assert words in html
    assert "<b>x" not in html
    for wrong in ([], [runs["probe"], runs["probe"]], [Run({**other, "kind": "map"}, {})]):
        with pytest.raises(HilumError, match="one run each"):
            studies.page(wrong)
