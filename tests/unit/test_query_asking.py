"""The other ways to ask: mixtures, studies, regions, groups, caps, copies, priors, modes, pages, and why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.core.blobs import Blobs
from services.core.calibration import Curve
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, calibrations, densities, images, recalls
from services.core.facts.calibrations import Calibration
from services.core.facts.densities import Density
from services.core.store import Scored, VectorStore
from services.core.types import Report
from services.engine.supervisor import EngineProcess
from services.query.asked import Exclude, GroupBy, Hubs, Mode, Ranking, SearchQuery, Showing
from services.query.by import FilmRegion, Mixture, ReportWords, StoredFilm, StudyFilms, UploadedFilm, Words, examples
from services.query.fusion import Fusion
from services.query.images import Images
from services.query.search import Search
from services.query.search.pages import Pages
from services.query.search.recall import recall_of
from services.query.search.why_not import WhyNot
from tests.kit.archive import Archive, png, spot
from tests.kit.places import PlacesEncoder

ENCODERS = [PlacesEncoder("tiny"), PlacesEncoder("mute", 24, 1, False)]


@pytest.fixture(scope="module")
def store(engine: EngineProcess) -> Iterator[VectorStore]:
    opened = VectorStore(engine.url)
    yield opened
    for name in opened.collections():
        opened.drop(name)
    opened.close()


@pytest.fixture
def archive(facts: Facts, store: VectorStore, tmp_path: Path) -> Iterator[Archive]:
    made = Archive(facts, store, Blobs(tmp_path / "blobs"), ENCODERS)
    made.open()
    yield made
    made.clear()
    made.close()


@pytest.fixture
def searching(archive: Archive) -> Iterator[Search]:
    made = Search(archive.facts, archive.store, archive.encode, Images(archive.facts, archive.blobs))
    yield made
    made.close()


@pytest.fixture
def found(archive: Archive, searching: Search) -> Callable[..., list[str]]:
    """Ids of the answers, best first."""

    def ask(by, **options) -> list[str]:
        archive.settle()
        return [hit.image.record.image_id for hit in searching(SearchQuery(by, **options)).hits]

    return ask


def across(archive: Archive, count: int, row: float = 0.5, prefix: str = "film", **fields) -> list[str]:
    """Films whose bright spot wanders from left to right."""
    places = [(f"{prefix}-{i}", spot(row, 0.1 + 0.8 * i / (count - 1))) for i in range(count)]
    return [archive.add(key, picture, **fields).image_id for key, picture in places]


def test_positive_examples_attract_and_negative_ones_repel(archive: Archive, found) -> None:
    films = across(archive, 9)
    middle = found(examples((StoredFilm(films[3]), StoredFilm(films[5])), ()), limit=1)
    assert middle == [films[4]]
    away = found(examples((StoredFilm(films[4]),), (StoredFilm(films[8]), StoredFilm(films[7]))), limit=3)
    beside = {films[3], films[5]}
    assert away[0] == films[3] and set(found(StoredFilm(films[4]), limit=2)) == beside, "away from the right"
    with pytest.raises(HilumError):
        examples((), (StoredFilm(films[0]),))


def test_a_film_and_words_weigh_as_they_are_told_to(archive: Archive, found) -> None:
    films = across(archive, 9)
    query, words = StoredFilm(films[4]), Words("left")
    by_words = found(Mixture(((query, 0.01), (words, 1.0))), models=("tiny",), limit=3)
    by_film = found(Mixture(((query, 1.0), (words, 0.01))), models=("tiny",), limit=2)
    assert set(by_words) <= set(films[:4]) and set(by_film) == {films[3], films[5]}
    from_words = found(Mixture(((query, 1.0), (words, -1.0))), models=("tiny",), limit=1)
    assert set(from_words) <= set(films[5:])


def test_a_study_seeks_studies_view_by_view(archive: Archive, found, searching: Search) -> None:
    def study(number: int, frontal: float, lateral: float | None) -> list[str]:
        views = [("PA", spot(0.5, frontal))] + ([("LATERAL", spot(0.9, lateral))] if lateral is not None else [])
        return [
            archive.add(f"{number}-{view}", picture, view=view, patient_id=f"p{number}", study_id=f"s{number}").image_id
            for view, picture in views
        ]

    study(0, 0.2, 0.2)
    both, frontal_only, wrong_side = study(1, 0.22, 0.22), study(2, 0.25, None), study(3, 0.2, 0.9)
    asked = StudyFilms("demo", "s0")
    answer = found(asked, models=("tiny",), showing=Showing(group_by=GroupBy.STUDY), limit=3)
    assert answer[:2] == both, "the frontal film first, its lateral film beside it"
    assert answer.index(frontal_only[0]) < answer.index(wrong_side[0])
    with pytest.raises(HilumError) as missing:
        found(StudyFilms("demo", "s9"))
    assert missing.value.code is ErrorCode.NOT_FOUND


def test_a_region_is_compared_for_itself(archive: Archive, found) -> None:
    left, right = archive.add("l", spot(0.5, 0.1)), archive.add("r", spot(0.5, 0.9))
    both = np.maximum(spot(0.25, 0.1), spot(0.25, 0.6))
    half = UploadedFilm(png(both))
    assert found(FilmRegion(half, 0.0, 0.0, 0.5, 0.5), models=("tiny",), limit=1) == [left.image_id]
    assert found(FilmRegion(half, 0.0, 0.0, 0.65, 0.5), models=("tiny",), limit=1) == [right.image_id]
    for box in ((0.6, 0, 0.5, 1), (0, 0, 0.001, 1), (-0.1, 0, 0.5, 0.5), (0, float("nan"), 0.5, 0.5)):
        with pytest.raises(HilumError):
            FilmRegion(half, *box)


def test_few_of_each_patient_and_groups(archive: Archive, found) -> None:
    mine = across(archive, 8, patient_id="p1", study_id="s1")
    other = across(archive, 3, row=0.55, prefix="other", patient_id="p2", study_id="s2")
    capped = found(Words("left"), showing=Showing(per_patient=2), limit=4)
    assert len(set(capped) & set(mine)) == 2 and len(set(capped) & set(other)) == 2
    groups = found(Words("left"), showing=Showing(group_by=GroupBy.PATIENT, group_size=2), limit=2)
    assert [image_id in mine for image_id in groups] in ([True, True, False, False], [False, False, True, True])


def test_copies_are_folded_into_their_best(archive: Archive, searching: Search) -> None:
    for key in ("a", "b"):
        archive.add(key, spot(0.5, 0.3), pixel_sha256="c" * 64, patient_id=key)
    archive.add("c", spot(0.5, 0.7))
    archive.settle()
    folded = searching(SearchQuery(Words("left")))
    assert len(folded.hits) == 2 and len(folded.hits[0].copies) == 1
    assert len(searching(SearchQuery(Words("left"), showing=Showing(fold=False))).hits) == 3


def test_priors_stand_apart_in_time_order(archive: Archive, searching: Search) -> None:
    dates = {"now": "2024-05-01", "first": "2019-01-01", "undated": None, "later": "2023-01-01"}
    films = {key: archive.add(key, patient_id="p", study_id=key, study_date=date) for key, date in dates.items()}
    stranger = archive.add("stranger", patient_id="q")
    archive.settle()
    answer = searching(SearchQuery(StoredFilm(films["now"].image_id), showing=Showing(priors=True)))
    assert [hit.image.record.image_id for hit in answer.hits] == [stranger.image_id]
    order = [films[key].image_id for key in ("first", "later", "undated")]
    assert [hit.image.record.image_id for hit in answer.priors] == order and answer.priors[0].same_patient


def test_typical_atypical_and_look_alike(archive: Archive, found, searching: Search) -> None:
    sick = [
        archive.add(f"s{i}", spot(0.5, 0.3 + 0.01 * i), labels={"edema": "present", "fracture": "absent"}).image_id
        for i in range(5)
    ]
    odd = archive.add("odd", spot(0.1, 0.9), labels={"edema": "present"}).image_id
    for i in range(12):
        archive.add(f"well{i}", spot(0.9, 0.05 * i), labels={"edema": "absent"})
    twin = archive.add("twin", spot(0.5, 0.31), labels={"edema": "absent", "fracture": "present"}).image_id
    archive.add("silent", spot(0.5, 0.32), labels={"fracture": "present"})
    archive.add("doubt", spot(0.5, 0.33), labels={"edema": "uncertain", "fracture": "present"})
    typical = found(None, ranking=Ranking(Mode.TYPICAL, "edema"), limit=1)
    assert typical[0] in sick
    assert found(None, ranking=Ranking(Mode.ATYPICAL, "Edema"), limit=1) == [odd]
    assert found(StoredFilm(sick[0]), ranking=Ranking(Mode.LOOKALIKE)) == [twin], "stated absent, and something else"
    for by, ranking in ((None, Ranking()), (StoredFilm(odd), Ranking(Mode.DISAGREE))):
        with pytest.raises(HilumError):
            SearchQuery(by, ranking=ranking)
    with pytest.raises(HilumError):
        Ranking(Mode.TYPICAL)


def test_disagreement_brings_films_that_one_model_alone_finds_near(archive: Archive, searching: Search) -> None:
    across(archive, 30, prefix="a")
    across(archive, 30, row=0.2, prefix="b")
    archive.settle()
    query = SearchQuery(Words("left"), models=("tiny", "mute"), ranking=Ranking(Mode.DISAGREE))
    with pytest.raises(HilumError):
        searching(query)  # mute knows no words
    film = searching(SearchQuery(Words("left"), limit=1)).hits[0].image.record.image_id
    answer = searching(SearchQuery(StoredFilm(film), models=("tiny", "mute"), ranking=Ranking(Mode.DISAGREE), limit=5))
    scores = [hit.score for hit in answer.hits]
    assert scores == sorted(scores, reverse=True) and scores[0] > 0
    assert all("tiny" in hit.why and "mute" in hit.why for hit in answer.hits)


def test_diversity_trades_nearness_for_difference(archive: Archive, found) -> None:
    close = across(archive, 6, row=0.5, prefix="x")
    far = [archive.add(f"far{i}", spot(0.1, 0.2 + 0.3 * i)).image_id for i in range(3)]
    query = StoredFilm(close[0])
    near = found(query, limit=4)
    varied = found(query, limit=4, ranking=Ranking(diversity=0.8))
    assert varied[0] == near[0] and len(set(varied) & set(far)) > len(set(near) & set(far))


def test_hubs_are_corrected_by_what_was_measured(archive: Archive, found, searching: Search) -> None:
    films = across(archive, 8)
    query = {"by": StoredFilm(films[0]), "models": ("tiny",), "limit": 7}
    assert found(**query)[0] == films[1]
    with pytest.raises(HilumError) as refused:
        searching(SearchQuery(**query, ranking=Ranking(hubs=Hubs.CSLS)))
    assert "hilum analyze hubs" in refused.value.client_message
    rows = [(image_id, Density(0.9999 if image_id == films[1] else -0.5, 9)) for image_id in films]
    densities.save(archive.facts, archive.spec("tiny").fingerprint, rows)
    for how in (Hubs.CSLS, Hubs.SCALING):
        assert found(**query, ranking=Ranking(hubs=how))[0] == films[2]


def test_fusion_heeds_weights(archive: Archive, searching: Search) -> None:
    across(archive, 20, prefix="a")
    across(archive, 20, row=0.2, prefix="b")
    film = archive.add("q", spot(0.4, 0.4)).image_id
    archive.settle()

    def ids(models, **ranking) -> list[str]:
        answer = searching(SearchQuery(StoredFilm(film), models=models, ranking=Ranking(**ranking), limit=8))
        return [hit.image.record.image_id for hit in answer.hits]

    alone = {name: ids((name,)) for name in ("tiny", "mute")}
    assert alone["tiny"] != alone["mute"]
    for fusion in Fusion:
        for name, theirs in alone.items():
            weights = {other: 0.0 for other in alone if other != name}
            assert ids(("tiny", "mute"), fusion=fusion, weights=weights) == theirs


def test_pages_neither_skip_nor_repeat_while_films_come_and_go(archive: Archive, searching: Search) -> None:
    films = across(archive, 12)
    archive.settle()
    pages = Pages(searching, archive.facts)
    whole = [hit.image.record.image_id for hit in searching(SearchQuery(Words("left"), limit=12)).hits]
    page = pages(SearchQuery(Words("left"), limit=12, showing=Showing(page_size=5)), lambda: False)
    seen = [hit.image.record.image_id for hit in page.hits]
    archive.add("new", spot(0.5, 0.1))
    archive.settle()
    while page.next_token:
        token = page.next_token
        page = pages.next(token)
        assert pages.next(token) == page, "a page can be read again"
        seen += [hit.image.record.image_id for hit in page.hits]
    assert seen == whole and set(seen) == set(films)
    for token in ("bm9uZQ/", "eA", "%%"):
        with pytest.raises(HilumError):
            pages.next(token)


def test_why_not_names_what_stopped_a_film(archive: Archive, searching: Search) -> None:
    films = across(archive, 8, view="PA")
    mine = archive.add("mine", spot(0.5, 0.11), patient_id="p", view="PA")
    prior = archive.add("prior", spot(0.5, 0.12), patient_id="p", view="PA")
    lateral = archive.add("side", spot(0.5, 0.1), view="LATERAL")
    mute = archive.add("mute-only", only=["mute"], view="PA")
    twin = archive.add("twin", spot(0.5, 0.1), pixel_sha256="d" * 64, view="PA")
    copy = archive.add("copy", spot(0.5, 0.1), pixel_sha256="d" * 64, view="PA")
    archive.settle()
    why_not = WhyNot(archive.facts, archive.store, searching)
    query = SearchQuery(StoredFilm(mine.image_id), ("tiny",), 'view = "PA" AND dataset = "demo"', limit=3)

    def codes(image_id: str) -> list[str]:
        return [reason.code for reason in why_not(query, image_id, lambda: False)]

    assert codes(prior.image_id) == ["excluded"] and codes(mine.image_id) == ["excluded"]
    [reason] = why_not(query, lateral.image_id, lambda: False)
    assert (reason.code, reason.clause) == ("filter", 'view = "PA"')
    assert codes(mute.image_id) == ["not-held"]
    assert {codes(twin.image_id)[0], codes(copy.image_id)[0]} == {"found", "copy"}
    [far] = why_not(query, films[7], lambda: False)
    assert far.code == "below-limit" and far.rank > 3
    assert codes("00000000-0000-5000-8000-000000000000") == ["unknown"]
    assert query.exclude is Exclude.PATIENT


def test_the_recall_of_the_index_is_sampled(archive: Archive, searching: Search) -> None:
    across(archive, 15)
    archive.settle()
    sampling = Search(archive.facts, archive.store, archive.encode, Images(archive.facts, archive.blobs), 1.0)
    for where in ("", "dataset = demo"):
        sampling(SearchQuery(Words("left"), filter=where, limit=10))
    sampling.close()  # waits for what was sampled
    fingerprint = archive.spec("tiny").fingerprint
    assert recalls.told(archive.facts, fingerprint, False) == recalls.Recall(1, 1.0, 1.0)
    assert recalls.told(archive.facts, fingerprint, True) == recalls.Recall(1, 1.0, 1.0)
    assert recall_of(["a", "b"], [Scored("a", 1), Scored("c", 0.9)]) == 0.5


def test_scores_say_what_they_mean_and_when_nothing_is_comparable(archive: Archive, searching: Search) -> None:
    films = across(archive, 8)
    archive.settle()
    by_film, by_words = SearchQuery(StoredFilm(films[0]), ("tiny",)), SearchQuery(Words("pleural effusion"), ("tiny",))
    assert all(hit.meaning is None for hit in searching(by_film).hits)
    with pytest.raises(HilumError) as unknown:
        searching(replace(by_film, ranking=Ranking(at_least=0.5)))
    assert "hilum analyze calibrate" in unknown.value.client_message
    mark = archive.spec("tiny").fingerprint
    curve = Curve((-1.0, 1.0), (0.0, 1.0), (0.0, 0.9), (0.1, 1.0), threshold=0.0)
    calibrations.save(archive.facts, mark, "film", [Calibration("film", "", "", curve, {})])
    answer = searching(by_film)
    for hit in answer.hits:
        assert hit.meaning and hit.meaning.probability == pytest.approx((hit.score + 1) / 2, abs=1e-6)
        assert hit.meaning.low <= hit.meaning.probability <= hit.meaning.high and hit.meaning.model == "tiny"
    assert not answer.nothing_comparable
    likely = searching(replace(by_film, ranking=Ranking(at_least=0.55))).hits
    assert 0 < len(likely) < len(answer.hits) and all(hit.score >= 0.1 for hit in likely)
    out_of_reach = replace(curve, threshold=float("inf"))
    calibrations.save(archive.facts, mark, "film", [Calibration("film", "", "", out_of_reach, {})])
    assert searching(by_film).nothing_comparable
    calibrations.save(archive.facts, mark, "words", [Calibration("words", "pleural_effusion", "", curve, {})])
    assert {hit.meaning.finding for hit in searching(by_words).hits if hit.meaning} == {"pleural_effusion"}
    for text in ("no pleural effusion", "pleural effusion and edema"):
        assert all(hit.meaning is None for hit in searching(replace(by_words, by=Words(text))).hits)


def test_a_stored_report_seeks_films_and_not_its_patients_own(archive: Archive, found) -> None:
    mine = archive.add("mine", spot(0.5, 0.1), patient_id="p", study_id="s")
    films = across(archive, 8)
    images.save_reports(
        archive.facts, [Report("demo", "s", "findings", "right"), Report("demo", "s", "impression", "left")]
    )
    by_words = found(Words("left"), limit=3, showing=Showing(fold=False), filter="NOT patient_id = p")
    assert found(ReportWords("demo", "s"), limit=3) == by_words and mine.image_id not in by_words
    assert found(ReportWords("demo", "s", "findings"), limit=3)[0] in films[4:]
    with pytest.raises(HilumError) as missing:
        found(ReportWords("demo", "nothing"))
    assert missing.value.code is ErrorCode.NOT_FOUND
