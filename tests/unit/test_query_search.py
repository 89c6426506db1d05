"""Search over a real engine and real facts: exclusion, filling up, choosing models, provenance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.core import filters
from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, models
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from services.query.asked import Exclude, Mode, Ranking, SearchAnswer, SearchQuery
from services.query.by import RawVector, StoredFilm, UploadedFilm, Words
from services.query.images import Images
from services.query.search import Search, notes
from tests.kit.archive import Archive, film, png, spot
from tests.kit.places import PlacesEncoder

Ask = Callable[..., SearchAnswer]


@pytest.fixture
def archive(facts: Facts, store: VectorStore, tmp_path: Path) -> Iterator[Archive]:
    made = Archive(
        facts, store, Blobs(tmp_path / "blobs"), [PlacesEncoder("tiny"), PlacesEncoder("mute", 24, 1, False)]
    )
    made.open()
    yield made
    made.clear()
    made.close()


@pytest.fixture(scope="module")
def store(engine: EngineProcess) -> Iterator[VectorStore]:
    """One store for the module: its collections are slow to make."""
    opened = VectorStore(engine.url)
    yield opened
    for name in opened.collections():
        opened.drop(name)
    opened.close()


@pytest.fixture
def search(archive: Archive) -> Iterator[Callable[..., SearchAnswer]]:
    made = Search(archive.facts, archive.store, archive.encode, Images(archive.facts, archive.blobs))

    def ask(query: SearchQuery, **options) -> SearchAnswer:
        archive.settle()
        return made(query, **options)

    yield ask
    made.close()


def ids(answer) -> list[str]:
    return [hit.image.record.image_id for hit in answer.hits]


def row(archive: Archive, count: int, **fields) -> list[str]:
    """Films whose bright spot wanders from left to right; the first is the leftmost."""
    return [archive.add(f"film-{i}", spot(0.5, 0.1 + 0.8 * i / (count - 1)), **fields).image_id for i in range(count)]


def refused(code: ErrorCode, call) -> str:
    with pytest.raises(HilumError) as caught:
        call()
    assert caught.value.code is code
    return caught.value.client_message


def test_a_film_finds_its_neighbours_and_never_itself(archive: Archive, search: Ask) -> None:
    films = row(archive, 8)
    for exclude in Exclude:
        answer = search(SearchQuery(StoredFilm(films[0]), limit=3, exclude=exclude))
        assert ids(answer) == films[1:4]
    scores = [hit.score for hit in answer.hits]
    assert scores == sorted(scores, reverse=True)
    assert all(-1.001 <= score <= 1.001 for score in scores)


def test_words_find_what_they_describe(archive: Archive, search: Ask) -> None:
    films = row(archive, 6)
    assert set(ids(search(SearchQuery(Words("left"), limit=3)))) == set(films[:3])
    assert set(ids(search(SearchQuery(Words("right"), limit=3)))) == set(films[3:])


def test_an_uploaded_film_and_a_raw_vector_find_the_same(archive: Archive, search: Ask) -> None:
    row(archive, 6)
    picture = spot(0.5, 0.3)
    encoder = archive.encoders[0]
    vector = encoder.encode_images(encoder.preprocess(film(picture))[None])[0]
    by_film = search(SearchQuery(UploadedFilm(png(picture)), models=("tiny",)))
    by_vector = search(SearchQuery(RawVector(vector), models=("tiny",)))
    assert ids(by_film) == ids(by_vector)
    assert len(by_film.hits) == 6


def test_the_patients_other_films_are_no_finding_unless_asked_for(archive: Archive, search: Ask) -> None:
    first = archive.add("a1", spot(0.5, 0.50), patient_id="p-1", study_id="s-1")
    same_study = archive.add("a2", spot(0.5, 0.51), patient_id="p-1", study_id="s-1")
    later = archive.add("a3", spot(0.5, 0.52), patient_id="p-1", study_id="s-2")
    namesake = archive.add("b1", spot(0.5, 0.53), dataset="other", patient_id="p-1", study_id="s-1")
    nobody = archive.add("c1", spot(0.5, 0.54))

    def found(exclude: Exclude) -> dict[str, bool]:
        answer = search(SearchQuery(StoredFilm(first.image_id), exclude=exclude))
        return {hit.image.record.image_id: hit.same_patient for hit in answer.hits}

    strangers = {namesake.image_id: False, nobody.image_id: False}
    assert found(Exclude.PATIENT) == strangers
    assert found(Exclude.STUDY) == {later.image_id: True, **strangers}
    assert found(Exclude.NONE) == {same_study.image_id: True, later.image_id: True, **strangers}


def test_a_film_of_nobody_known_excludes_its_study_and_itself(archive: Archive, search: Ask) -> None:
    first = archive.add("a1", spot(0.5, 0.50), study_id="s-1")
    archive.add("a2", spot(0.5, 0.51), study_id="s-1")
    stranger = archive.add("b1", spot(0.5, 0.52))
    assert ids(search(SearchQuery(StoredFilm(first.image_id)))) == [stranger.image_id]


def test_an_uploaded_file_that_the_archive_holds_is_recognised(archive: Archive, search: Ask) -> None:
    picture = spot(0.5, 0.5)
    known = archive.add("a1", picture, patient_id="p-1")
    prior = archive.add("a2", spot(0.5, 0.52), patient_id="p-1")
    stranger = archive.add("b1", spot(0.5, 0.9), patient_id="p-2")
    assert ids(search(SearchQuery(UploadedFilm(png(picture))))) == [stranger.image_id]
    everything = search(SearchQuery(UploadedFilm(png(picture)), exclude=Exclude.NONE))
    assert ids(everything) == [known.image_id, prior.image_id, stranger.image_id]
    assert [hit.same_patient for hit in everything.hits] == [True, True, False]
    assert everything.hits[0].score == pytest.approx(1.0, abs=1e-3)


def test_films_not_committed_are_hidden_and_the_answer_is_still_full(archive: Archive, search: Ask) -> None:
    for i in range(40):  # nearer to the words than any committed film
        archive.add(f"torn-{i}", spot(0.5, 0.2), commit=False)
    films = row(archive, 8)
    answer = search(SearchQuery(Words("left"), limit=5))
    assert len(answer.hits) == 5
    assert set(ids(answer)) <= set(films)


def test_a_model_answers_only_with_films_whose_vectors_it_has_committed(archive: Archive, search: Ask) -> None:
    both = archive.add("a", spot(0.5, 0.3))
    archive.add("b", spot(0.5, 0.4), torn=["mute"])
    query = UploadedFilm(png(spot(0.5, 0.45)))
    assert ids(search(SearchQuery(query, models=("mute",)))) == [both.image_id]
    answer = search(SearchQuery(query, models=("tiny",)))
    assert {hit.image.models for hit in answer.hits} == {("tiny",), ("tiny", "mute")}


def test_several_models_are_fused_and_say_where_each_put_a_film(archive: Archive, search: Ask) -> None:
    films = row(archive, 10)
    answer = search(SearchQuery(StoredFilm(films[0]), models=("mute", "tiny"), limit=4))
    assert len(answer.hits) == 4
    for hit in answer.hits:
        assert {place.model for place in hit.places} == {"tiny", "mute"}
        assert hit.score == pytest.approx(sum(1 / (60 + place.rank) for place in hit.places))
    assert [spec.name for spec in answer.provenance.models] == ["mute", "tiny"]


def test_a_filter_narrows_and_the_limit_is_filled_from_what_it_leaves(archive: Archive, search: Ask) -> None:
    pa = [archive.add(f"pa-{i}", spot(0.5, 0.1 * i), view="PA", age=40.0 + i).image_id for i in range(5)]
    for i in range(5):
        archive.add(f"ap-{i}", spot(0.5, 0.1 * i + 0.01), view="AP", age=60.0)
    answer = search(SearchQuery(Words("left"), filter="view = PA AND age >= 42", limit=10))
    assert set(ids(answer)) == set(pa[2:])


def test_exact_and_approximate_agree_on_a_small_archive(archive: Archive, search: Ask) -> None:
    films = row(archive, 12)
    exact = search(SearchQuery(StoredFilm(films[3]), exact=True))
    assert exact.provenance.exact
    assert ids(exact) == ids(search(SearchQuery(StoredFilm(films[3]))))


def test_provenance_names_the_encoder_and_the_whole_filter_in_force(archive: Archive, search: Ask) -> None:
    film = archive.add("a1", spot(0.5, 0.5), patient_id='p "1"', view="PA")
    answer = search(SearchQuery(StoredFilm(film.image_id), filter='view="PA"   AND age>40'))
    how = answer.provenance
    assert [(spec.name, spec.fingerprint) for spec in how.models] == [("tiny", archive.spec("tiny").fingerprint)]
    assert how.filter.startswith('view = "PA" AND age > 40 AND NOT image_id = ')
    assert filters.describe(filters.parse(how.filter)) == how.filter, "what is shown can be asked again"
    assert how.exclude is Exclude.PATIENT
    assert how.versions["qdrant-client"]
    assert how.time.endswith("Z")
    assert how.elapsed_ms > 0


def test_a_finding_that_no_film_states_is_named_when_nothing_is_left(archive: Archive, search: Ask) -> None:
    row(archive, 3, labels={"edema": "present"})
    misspelt = search(SearchQuery(Words("left"), filter="labels.edma = present OR labels.fracture:*"))
    assert ids(misspelt) == []
    assert misspelt.provenance.notes == (
        "no film states labels.edma; the closest that films state is labels.edema",
        "no film states labels.fracture",
    )
    assert search(SearchQuery(Words("left"), filter="labels.edema = absent")).provenance.notes == ()
    assert search(SearchQuery(Words("left"), filter="NOT labels.edma = present")).provenance.notes == ()
    typical = search(SearchQuery(None, ranking=Ranking(Mode.TYPICAL, "edma"))).provenance.notes
    assert "no film states labels.edma; the closest that films state is labels.edema" in typical


def test_what_models_of_phantoms_say_of_films_of_people_is_called_into_question(archive: Archive, search: Ask) -> None:
    row(archive, 2)
    person = search(SearchQuery(Words("left"))).hits[0]
    made = replace(person.image.record, manufacturer="Hilum", device="Analytic phantom")
    phantom = replace(person, image=replace(person.image, record=made))
    small, other = replace(archive.spec("tiny"), name="hilum-cxr-clip"), archive.spec("mute")
    assert notes.beyond([other], [person]) == notes.beyond([small], [phantom]) == notes.beyond([small], []) == ()
    (said,) = notes.beyond([small, other], [phantom, person])
    assert "hilum-cxr-clip was trained on phantoms alone" in said and "hilum models list" in said


def test_words_need_a_model_with_a_text_tower(archive: Archive, search: Ask) -> None:
    row(archive, 2)
    message = refused(ErrorCode.FAILED_PRECONDITION, lambda: search(SearchQuery(Words("left"), models=("mute",))))
    assert "tiny" in message
    assert ids(search(SearchQuery(Words("left"))))  # the default is one that can


def test_the_default_model_is_one_that_holds_the_film(archive: Archive, search: Ask) -> None:
    film = archive.add("a", only=["mute"])
    other = archive.add("b")
    answer = search(SearchQuery(StoredFilm(film.image_id)))
    assert [spec.name for spec in answer.provenance.models] == ["mute"]
    assert ids(answer) == [other.image_id]


def test_an_encoder_that_changed_since_is_not_compared_with_old_vectors(archive: Archive, search: Ask) -> None:
    row(archive, 2)
    models.register(archive.facts, PlacesEncoder("tiny", seed=7).spec)
    message = refused(ErrorCode.FAILED_PRECONDITION, lambda: search(SearchQuery(Words("left"), models=("tiny",))))
    assert "ingest" in message


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (np.full(32, np.nan), ErrorCode.INVALID_ARGUMENT),
        (np.full(32, np.inf), ErrorCode.INVALID_ARGUMENT),
        (np.zeros(32), ErrorCode.INVALID_ARGUMENT),
        (np.ones(31), ErrorCode.FAILED_PRECONDITION),
        (np.ones(0), ErrorCode.FAILED_PRECONDITION),
    ],
)
def test_vectors_that_cannot_be_compared_are_refused(archive: Archive, search: Search, values, code) -> None:
    refused(code, lambda: search(SearchQuery(RawVector(values.astype(np.float32)), models=("tiny",))))


def test_questions_that_cannot_be_asked_are_refused() -> None:
    bad = ErrorCode.INVALID_ARGUMENT
    refused(bad, lambda: StoredFilm("../../etc"))
    refused(bad, lambda: Words("  "))
    refused(ErrorCode.PAYLOAD_TOO_LARGE, lambda: Words("x" * 5000))
    refused(bad, lambda: UploadedFilm(b""))
    refused(ErrorCode.PAYLOAD_TOO_LARGE, lambda: UploadedFilm(bytes(64 * 2**20 + 1)))
    refused(bad, lambda: SearchQuery(Words("a"), limit=-1))
    refused(bad, lambda: SearchQuery(Words("a"), limit=1001))
    refused(bad, lambda: SearchQuery(Words("a"), models=("x", "x")))
    refused(bad, lambda: SearchQuery(RawVector(np.ones(2, np.float32))))


def test_an_empty_archive_says_so(facts: Facts, store: VectorStore, tmp_path: Path) -> None:
    archive = Archive(facts, store, Blobs(tmp_path / "blobs"), [])
    search = Search(facts, store, archive.encode, Images(facts, archive.blobs))
    assert "ingest" in refused(ErrorCode.FAILED_PRECONDITION, lambda: search(SearchQuery(Words("left"))))
    search.close()
    archive.close()


def test_a_client_that_went_away_stops_the_work(archive: Archive, search: Ask) -> None:
    row(archive, 2)
    refused(ErrorCode.CANCELLED, lambda: search(SearchQuery(Words("left")), cancelled=lambda: True))
