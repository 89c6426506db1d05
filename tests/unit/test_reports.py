"""Reports by words, by meaning and by film: of phantoms, whose truth is known, with the bundled encoder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, models, open_facts
from services.core.filters import parse
from services.core.models import ModelSpec
from services.core.store import VectorStore, payload
from services.core.store.reports import WORDS, meaning
from services.core.types import Film, ImageRecord, Report
from services.encoders.registry import Registry
from services.engine.supervisor import EngineProcess
from services.ingest.decode_pool import DecodePool
from services.ingest.encode_api import EncodeApi
from services.ingest.report_index import ReportIndex
from services.phantom.film import display, render
from services.phantom.population import Study, population
from services.phantom.reports import report_rng, write_report
from services.phantom.truth import SEEN, SURE
from services.query.asked import Exclude
from services.query.by import StoredFilm, UploadedFilm, Words
from services.query.reports import How, ReportQuery, SearchReports, rankings, report_query
from services.transport.encode_client import EncodeClient
from tests.kit.archive import png
from tests.kit.records import make_record, stored

CLIP = "hilum-cxr-clip"
SEED = 60  # neither the encoder's training nor its validation patients
FILMS = 72


@dataclass
class Hospital:
    """Studies with a film and a report each, indexed."""

    studies: dict[str, Study]
    films: dict[str, ImageRecord]  # study → its film
    facts: Facts
    store: VectorStore
    index: ReportIndex
    search: SearchReports
    spec: ModelSpec

    def ask(self, text: str = "", film: str = "", **asked: object) -> list[str]:
        """Studies, best first, each once."""
        by = Words(text) if text else StoredFilm(self.films[film].image_id)
        return list(dict.fromkeys(hit.key.study_id for hit in self.search(ReportQuery(by, **asked)).hits))  # type: ignore[arg-type]

    def texts(self, study: str) -> tuple[str, str]:
        told = images.reports_of(self.facts, "demo", study)
        return told["findings"], told["impression"]

    def worst(self, study: str, finding: str) -> float:
        return self.studies[study].films[0].findings.worst(finding)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    home = tmp_path_factory.mktemp("reports")
    settings = Settings(home, models=(CLIP,))
    registry, facts, pool = Registry.open(settings), open_facts(settings.facts), DecodePool(1)
    with EngineProcess(home / "engine", log_file=home / "engine.log", index_after=100) as engine:
        store = VectorStore(engine.url)
        encoder = registry.get(CLIP)
        studies = {f"s-{study.patient}-{study.index}": study for study in population(FILMS, SEED)}
        shown = {name: display(render(study.films[0], 160)) for name, study in studies.items()}
        films = {
            name: make_record(
                name, patient_id=f"p-{study.patient}", study_id=name, view=study.films[0].view, sex=study.sex
            )
            for name, study in studies.items()
        }
        pixels = [encoder.preprocess(Film(grey, grey.astype(np.uint16) * 257)) for grey in shown.values()]
        store.ensure(encoder.spec)
        ids = [film.image_id for film in films.values()]
        store.upsert(encoder.spec, ids, encoder.encode_images(pixels), [payload(film) for film in films.values()])
        models.register(facts, encoder.spec)
        images.commit(facts, [stored(film, [encoder.spec]) for film in films.values()])
        images.save_reports(facts, [report for name, study in studies.items() for report in told(name, study)])
        index = ReportIndex(settings, facts, store, registry)
        assert index.index("demo", lambda: False) == set()
        api = EncodeApi(facts, registry, pool)
        search = SearchReports(facts, store, EncodeClient.local(api))
        yield Hospital(studies, films, facts, store, index, search, encoder.spec)
        api.close()
        store.close()
    pool.close()
    facts.close()


def told(name: str, study: Study) -> list[Report]:
    written = write_report(study.films[0], report_rng(study.films[0]))
    return [
        Report("demo", name, "findings", written.findings.words),
        Report("demo", name, "impression", written.impression.words),
    ]


@pytest.mark.parametrize("how", [How.WORDS, How.FUSED])
@pytest.mark.parametrize("finding", ["effusion", "pneumothorax", "consolidation"])
def test_what_is_said_stands_before_what_is_denied(hospital: Hospital, how: How, finding: str) -> None:
    """Most reports that name a finding deny it."""
    named = {study for study in hospital.studies if finding in " ".join(hospital.texts(study)).lower()}
    there = {study for study in named if hospital.worst(study, finding) >= SURE}
    denied = {study for study in named if hospital.worst(study, finding) < SEEN}
    assert len(there) > 1 and len(denied) >= 5
    found = [study for study in hospital.ask(finding, how=how, limit=200) if study in there | denied]
    assert set(found[: len(there)]) == there
    found = [study for study in hospital.ask(f"no {finding}", how=how, limit=200) if study in there | denied]
    assert set(found[: len(denied) if how is How.WORDS else 5]) <= denied


def test_every_hit_shows_the_sentence_that_answers_and_the_films(hospital: Hospital) -> None:
    answer = hospital.search(ReportQuery(Words("no pneumothorax"), limit=5))
    assert len(answer.hits) == 5 and answer.indexed == 2 * len(hospital.studies)
    for hit in answer.hits:
        assert all("no" in one.lower() or "neg" in one.lower() or "free of" in one.lower() for one in hit.sentences)
        assert hit.sentences and all(sentence in hit.text for sentence in hit.sentences)
        assert [image.record.image_id for image in hit.images] == [hospital.films[hit.key.study_id].image_id]
    [spec] = answer.provenance.models
    assert spec == hospital.spec and answer.provenance.versions["words"]


def test_meaning_finds_other_words_for_the_same(hospital: Hospital) -> None:
    """None of these reports has the word that is asked for."""
    for asked, finding in (("hydrothorax", "effusion"), ("big heart", "cardiomegaly")):
        hits = hospital.search(ReportQuery(Words(asked), how=How.MEANING, limit=40)).hits
        others = [hit for hit in hits if not set(asked.split()) & set(hit.text.lower().replace(".", " ").split())][:5]
        right = [hit for hit in others if hospital.worst(hit.key.study_id, finding) >= SEEN]
        assert len(others) == 5 and len(right) >= 4, asked
        assert all(hit.lexical_rank == 0 and hit.meaning_rank > 0 for hit in hits)


def test_a_film_finds_its_report(hospital: Hospital) -> None:
    """Recall of a film's own report among all; chance is 10 of as many as there are."""
    found = [study in hospital.ask(film=study, exclude=Exclude.NONE, limit=20)[:10] for study in hospital.studies]
    chance = 10 / len(found)
    assert np.mean(found) > 3 * chance and np.mean(found) > 0.5


def test_the_same_patients_reports_do_not_count(hospital: Hospital) -> None:
    study = next(s for s in hospital.studies if any(_mates(hospital, s)))
    mates, limit = set(_mates(hospital, study)), 2 * len(hospital.studies)
    by_patient = hospital.ask(film=study, limit=limit)
    by_study = hospital.ask(film=study, exclude=Exclude.STUDY, limit=limit)
    assert not {study, *mates} & set(by_patient)
    assert study not in by_study and mates <= set(by_study)
    assert {study, *mates} <= set(hospital.ask(film=study, exclude=Exclude.NONE, limit=limit))


def _mates(hospital: Hospital, study: str) -> Iterator[str]:
    mine = hospital.films[study].patient_id
    return (name for name, film in hospital.films.items() if film.patient_id == mine and name != study)


def test_an_uploaded_film_is_asked_with_as_it_is(hospital: Hospital) -> None:
    study = next(iter(hospital.studies))
    file = png(display(render(hospital.studies[study].films[0], 160)))
    asked = hospital.search(ReportQuery(UploadedFilm(file), exclude=Exclude.NONE)).hits
    stored = hospital.search(ReportQuery(StoredFilm(hospital.films[study].image_id), exclude=Exclude.NONE)).hits
    assert [hit.key for hit in asked][:5] == [hit.key for hit in stored][:5]


@pytest.mark.parametrize("listed", [1_024, 3])
def test_filters_on_films_choose_reports(hospital: Hospital, monkeypatch: pytest.MonkeyPatch, listed: int) -> None:
    """A narrow filter is told to the engine, of a wide one what is read is sifted: the same answer."""
    monkeypatch.setattr(rankings, "_LISTED", listed)
    monkeypatch.setattr(rankings, "_POOLED", 5)
    answer = hospital.search(ReportQuery(Words("effusion"), filter="sex = F", section="impression", limit=12))
    assert {hit.key.section for hit in answer.hits} == {"impression"}
    assert {hospital.films[hit.key.study_id].sex for hit in answer.hits} == {"F"} and len(answer.hits) == 12
    every = hospital.search(ReportQuery(Words("effusion"), section="impression", limit=200)).hits
    women = [hit.key for hit in every if hospital.films[hit.key.study_id].sex == "F"]
    lexical = [key for key in women if key in {hit.key for hit in answer.hits if hit.lexical_rank}]
    assert [hit.key for hit in answer.hits if hit.lexical_rank][: len(lexical)] == lexical


def test_a_filter_that_was_not_seen_to_its_end_is_told(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_LISTED", 3), ("_POOLED", 5), ("DEEPEST", 20)):
        monkeypatch.setattr(rankings, name, value)
    answer = hospital.search(ReportQuery(Words("effusion"), filter="sex = F", limit=60))
    assert 0 < len(answer.hits) < 60 and any("narrow it" in note for note in answer.provenance.notes)


def test_nobody_sees_reports_of_films_that_he_may_not_see(hospital: Hospital) -> None:
    within, study = parse("sex = F"), next(s for s, film in hospital.films.items() if film.sex == "M")
    answer = hospital.search(ReportQuery(Words("effusion"), limit=100), within=within)
    assert {hospital.films[hit.key.study_id].sex for hit in answer.hits} == {"F"}
    assert answer.indexed == 2 * sum(film.sex == "F" for film in hospital.films.values())
    with pytest.raises(HilumError) as caught:
        hospital.search(ReportQuery(StoredFilm(hospital.films[study].image_id)), within=within)
    assert caught.value.code is ErrorCode.NOT_FOUND


def test_a_report_seeks_films(hospital: Hospital) -> None:
    study = next(iter(hospital.studies))
    findings, impression = hospital.texts(study)
    assert report_query(hospital.facts, "demo", study) == impression
    assert report_query(hospital.facts, "demo", study, "findings") == findings
    with pytest.raises(HilumError) as caught:
        report_query(hospital.facts, "demo", study, "history")
    assert caught.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"model": "nobody"}, ErrorCode.UNKNOWN_MODEL),
        ({"filter": "nonsense = 3"}, ErrorCode.INVALID_FILTER),
        ({"how": How.WORDS, "model": CLIP}, ErrorCode.INVALID_ARGUMENT),
        ({"limit": 1_001}, ErrorCode.INVALID_ARGUMENT),
    ],
)
def test_what_cannot_be_asked_is_refused(hospital: Hospital, asked: dict[str, object], code: ErrorCode) -> None:
    with pytest.raises(HilumError) as caught:
        hospital.search(ReportQuery(Words("edema"), **asked))  # type: ignore[arg-type]
    assert caught.value.code is code
    with pytest.raises(HilumError, match="a film has no words"):
        ReportQuery(UploadedFilm(b"x"), how=How.WORDS)


def test_words_that_nobody_wrote_find_nothing(hospital: Hospital) -> None:
    assert hospital.ask("zygomatic", how=How.WORDS) == [] == hospital.ask("the of and", how=How.WORDS)


def test_only_what_is_new_is_indexed_again(hospital: Hospital) -> None:
    """Last, as it changes the reports."""
    looked: list[tuple[int, int]] = []
    again = lambda: hospital.index.index("demo", lambda: False, lambda *seen: looked.append(seen))  # noqa: E731
    assert again() == set() and sum(new for _, new in looked) == 0
    assert sum(done for done, _ in looked) == hospital.index.work("demo") == 4 * len(hospital.studies)

    study = next(iter(hospital.studies))
    images.save_reports(hospital.facts, [Report("demo", study, "impression", "A quetzalcoatlus in the left lung.")])
    images.commit(hospital.facts, [stored(replace(hospital.films[study], patient_id="p-other"), [hospital.spec])])
    looked.clear()
    again()
    assert sum(new for _, new in looked) == 4  # two sections, in two collections: one for its text, one for its patient
    assert hospital.ask("quetzalcoatlus", how=How.WORDS) == [study]
    asked = SearchReports(hospital.facts, hospital.store, None)  # type: ignore[arg-type] # words need no encoder
    assert asked(ReportQuery(Words("quetzalcoatlus"), how=How.WORDS)).hits[0].sentences

    images.save_reports(hospital.facts, [Report("demo", study, "impression", " . ")])
    again()
    assert hospital.ask("quetzalcoatlus", how=How.WORDS) == []
    assert hospital.store.count_reports(WORDS) == hospital.store.count_reports(meaning(hospital.spec))
    assert hospital.store.count_reports(WORDS) == 2 * len(hospital.studies) - 1


def test_no_text_of_a_report_leaves_sql(hospital: Hospital) -> None:
    for collection in (WORDS, meaning(hospital.spec)):
        points, _ = hospital.store._at(collection).scroll(collection, limit=1_000, with_payload=True)
        assert len(points) > 80
        assert all(set(point.payload) <= {"dataset", "patient_id", "study_id", "section"} for point in points)
