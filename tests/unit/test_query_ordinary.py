"""What is brought to ask with and is no film like those there are, by the encoders that come with Hilum."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from sqlalchemy import select

from hilum.v1 import reports_pb2
from services.core.access import Access
from services.core.blobs import Blobs
from services.core.calibration import FILM, Curve
from services.core.config import Settings
from services.core.errors import HilumError
from services.core.facts import calibrations, images, open_facts, schema
from services.core.facts.calibrations import Calibration
from services.core.store import VectorStore
from services.core.types import Report
from services.encoders.registry import Registry
from services.engine.supervisor import EngineProcess
from services.ingest.report_index import ReportIndex
from services.phantom.film import display, render
from services.phantom.population import population
from services.query.asked import Ranking, SearchAnswer, SearchQuery
from services.query.by import By, FilmRegion, Mixture, StoredFilm, UploadedFilm, Words
from services.query.images import Images
from services.query.reports.api import ReportsApi
from services.query.search import Search, ordinary
from services.transport.edge import Call
from tests.kit.archive import Archive, png

MODELS = ("hilum-cxr-clip", "hilum-cxr-dino")
SEED = 61  # neither the encoders' training nor their validation patients
FILMS, PATIENTS, SIZE = 100, 36, 128  # of the patients, those whose films stay; the others' are brought
Grey = NDArray[np.uint8]


@pytest.fixture(scope="module")
def ward(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Films of patients; others of other patients, to be brought; every cosine is told to mean something."""
    home: Path = tmp_path_factory.mktemp("ordinary")
    facts, store = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url)
    registry = Registry.open(Settings(home, models=MODELS))
    archive = Archive(facts, store, Blobs(home / "blobs"), [registry.get(name) for name in MODELS])
    archive.open()
    films = [(study, film) for study in population(FILMS, SEED) for film in study.films]
    stay = sorted({study.patient for study, _ in films})[:PATIENTS]
    for number, (study, film) in enumerate(films):
        if study.patient in stay:
            shown = display(render(film, SIZE))
            whose = {"patient_id": f"p{study.patient}", "study_id": f"s-{number}"}
            archive.add(str(number), shown, dataset="ward", view=film.view, **whose)
    archive.settle()
    brought = [display(render(film, SIZE)) for study, film in films if study.patient not in stay]
    curve = Curve((0.0, 1.0), (0.1, 0.9), (0.0, 0.8), (0.2, 1.0), threshold=-1.0)
    for encoder in archive.encoders:
        calibrations.save(facts, encoder.spec.fingerprint, FILM, [Calibration(FILM, "", "", curve, {})])
    images.save_reports(facts, [Report("ward", "s-0", "impression", "Large left effusion.")])
    assert ReportIndex(Settings(home, models=MODELS), facts, store, registry).index("ward", lambda: False) == set()
    pictures = Images(facts, archive.blobs)
    search = Search(facts, store, archive.encode, pictures)

    def ask(by: By, **asked: object) -> SearchAnswer:
        return search(SearchQuery(by, **{"models": MODELS, "limit": 3, **asked}))  # type: ignore[arg-type]

    reports = ReportsApi(facts, store, archive.encode, search.ordinary)
    yield SimpleNamespace(ask=ask, search=search, reports=reports, facts=facts, brought=brought)
    search.close()
    archive.close()
    store.close()
    facts.close()


def noise(seed: int) -> Grey:
    return np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE), dtype=np.uint8)


def hand() -> Grey:
    """Five fingers with their bones, a palm, a wrist: a film, and not of a chest."""
    picture = Image.new("L", (256, 256), 12)
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle([80, 125, 175, 215], 22, fill=90)
    draw.rectangle([98, 205, 156, 256], fill=85)
    for left, top in ((84, 60), (108, 35), (132, 40), (156, 66)):
        draw.rounded_rectangle([left - 10, top, left + 10, 165], 9, fill=85)
        for upper, lower in ((top + 6, top + 28), (top + 32, top + 62), (top + 66, 132), (138, 185)):
            draw.rounded_rectangle([left - 4, upper, left + 4, lower], 3, fill=195)
    draw.line([172, 190, 216, 122], fill=85, width=20)
    draw.line([172, 188, 212, 126], fill=195, width=8)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(1.5)).resize((SIZE, SIZE)))


def lines() -> Grey:
    """A page of writing, as somebody drops the wrong file."""
    picture = Image.new("L", (SIZE, SIZE), 245)
    draw = ImageDraw.Draw(picture)
    for row in range(8, SIZE, 9):
        draw.line([10, row, 30 + 7 * (row % 13), row], fill=30, width=3)
    return np.asarray(picture)


STRANGE: dict[str, Callable[[], Grey]] = {
    "white noise": lambda: noise(0), "more of it": lambda: noise(1), "a hand": hand, "a page": lines,
    "a ramp": lambda: np.tile(np.linspace(0, 255, SIZE).astype(np.uint8), (SIZE, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_chest_film_is_told_and_compares_with_nothing(ward: SimpleNamespace, name: str) -> None:
    answer = ward.ask(UploadedFilm(png(STRANGE[name]())))
    assert answer.nothing_comparable and "is it a chest X-ray" in answer.warnings[0]
    assert len(answer.hits) == 3 and not any(hit.meaning for hit in answer.hits), "nearest, and of no known meaning"
    assert not ward.ask(UploadedFilm(png(STRANGE[name]())), ranking=Ranking(at_least=0.01)).hits


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_film_is_refused(ward: SimpleNamespace, level: int) -> None:
    with pytest.raises(HilumError, match="nothing to see"):
        ward.ask(UploadedFilm(png(np.full((SIZE, SIZE), level, dtype=np.uint8))))


def test_an_encoder_alone_would_not_have_told(ward: SimpleNamespace) -> None:
    """Why pictures are looked at: to the encoder of words, noise is as near as films are."""
    answer = ward.ask(UploadedFilm(png(noise(0))), models=MODELS[:1])
    of_films = [ward.ask(UploadedFilm(png(film)), models=MODELS[:1]).hits[0].score for film in ward.brought]
    assert answer.hits[0].score > np.percentile(of_films, 1)


def test_a_film_the_wrong_way_round_is_told_so(ward: SimpleNamespace) -> None:
    for film in ward.brought[:6]:
        [inverted] = ward.ask(UploadedFilm(png(255 - film))).warnings
        assert "would if it were inverted" in inverted
        [turned] = ward.ask(UploadedFilm(png(np.rot90(film).copy()))).warnings
        assert "would if it were turned by" in turned


def test_films_of_other_patients_are_ordinary(ward: SimpleNamespace) -> None:
    told = [ward.ask(UploadedFilm(png(film))) for film in ward.brought]
    assert len(told) >= 20 and not any(answer.warnings or answer.nothing_comparable for answer in told)
    assert all(hit.meaning for answer in told for hit in answer.hits)


def test_another_window_or_a_border_makes_no_other_film(ward: SimpleNamespace) -> None:
    for film in ward.brought[:6]:
        darker = (255 * (film / 255.0) ** 1.4).astype(np.uint8)
        assert not ward.ask(UploadedFilm(png(darker))).warnings
        assert not ward.ask(UploadedFilm(png(np.pad(film, 4)))).warnings


def test_films_are_looked_at_wherever_they_are_brought(ward: SimpleNamespace) -> None:
    odd, held = UploadedFilm(png(noise(3))), min(images_of(ward))
    assert ward.ask(Mixture(((Words("left effusion"), 1.0), (odd, 0.5))), models=MODELS[:1]).warnings
    assert ward.ask(FilmRegion(odd, 0.1, 0.1, 0.5, 0.5), models=MODELS[:1]).warnings
    for by in (StoredFilm(held), Words("left effusion")):
        assert not ward.ask(by, models=MODELS[:1]).warnings


def test_who_seeks_reports_is_told_too(ward: SimpleNamespace) -> None:
    def notes(film: Grey) -> list[str]:
        asked = reports_pb2.SearchReportsRequest(image=png(film), model=MODELS[0])
        return list(ward.reports.search_reports(asked, Call("t")).provenance.notes)

    assert any("looks like no film of this archive" in note for note in notes(noise(0)))
    assert not notes(ward.brought[0])


def test_what_is_ordinary_is_judged_by_films_that_may_be_seen(ward: SimpleNamespace) -> None:
    """Somebody who may see nothing learns nothing: too few films, no judgement."""
    condition = Access(frozenset({"elsewhere"})).condition()
    answer = ward.search(SearchQuery(UploadedFilm(png(noise(0))), models=MODELS), access=condition)
    assert not answer.hits and not answer.warnings


def test_shapes_know_neither_brightness_nor_contrast() -> None:
    picture = np.random.default_rng(0).uniform(0, 200, (32, 32)).astype(np.float32)
    np.testing.assert_allclose(ordinary.shape(picture), ordinary.shape(0.3 * picture + 40), atol=1e-5)
    assert not ordinary.shape(np.full((32, 32), 7, np.float32)).any()


def images_of(ward: SimpleNamespace) -> set[str]:
    with ward.facts.read() as db:
        return set(db.scalars(select(schema.images.c.image_id)))
