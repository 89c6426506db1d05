"""Slides, PDF and Anki decks, each opened by another program than wrote it."""

from __future__ import annotations

import io
import json
import re
import shutil
import sqlite3
import subprocess
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pypdf
import pytest
from lxml import etree
from PIL import Image
from pptx import Presentation

from services.query.teaching.export.case import Case
from services.query.teaching.export.formats import FORMATS, file_name, made
from tests.kit import exported

CREDIT = "Licence: CC BY 4.0. A Hospital."
LEFT_OUT = "Film 3 is left out: its licence (PhysioNet Credentialed Health Data License 1.5.0) forbids handing it on."


# -- slides -------------------------------------------------------------------------------------------------------


def slides(case: Case) -> list[Any]:
    return list(Presentation(io.BytesIO(made("pptx", case))).slides)


def words(slide: Any) -> str:
    return "\n".join(shape.text_frame.text for shape in slide.shapes if shape.has_text_frame)


def test_slides_go_from_history_over_films_to_the_answer() -> None:
    shown = [words(slide) for slide in slides(exported.case())]
    assert shown[0].startswith("Large left pleural effusion\nAda Author") and shown[1].startswith(
        "History\nA man of 63"
    )
    order = [next(n for n, text in enumerate(shown) if begin in text) for begin in ("Film 1", "Answer", "References")]
    assert order == sorted(order) and "Diagnosis\nPleural effusion" in shown[order[1]]
    assert LEFT_OUT in shown[-1]


def test_an_unknown_tells_nothing_before_it_is_asked() -> None:
    shown = [words(slide) for slide in slides(exported.quiz())]
    asked = shown.index("Your diagnosis?")
    assert "effusion" not in " ".join(shown[:asked]).casefold() and "meniscus" not in " ".join(shown[:asked]).casefold()
    assert "Pleural effusion" in " ".join(shown[asked:])


def test_every_film_has_its_credit_beside_it_and_its_words_in_the_notes() -> None:
    found = [slide for slide in slides(exported.case()) if any(shape.shape_type == 13 for shape in slide.shapes)]
    assert len(found) == 4  # two films, before and after the answer
    for slide in found:
        assert CREDIT in words(slide) and CREDIT in slide.notes_slide.notes_text_frame.text
    assert "Key image: Meniscus" in found[0].notes_slide.notes_text_frame.text


def test_marks_are_shapes_where_they_belong() -> None:
    slide = next(s for s in slides(exported.case()) if "Key image" in words(s))
    picture = next(shape for shape in slide.shapes if shape.shape_type == 13)
    ring = next(shape for shape in slide.shapes if shape.shape_type == 1)
    centre = ((ring.left + ring.width / 2 - picture.left) / picture.width,
              (ring.top + ring.height / 2 - picture.top) / picture.height)  # fmt: skip
    assert centre == pytest.approx((0.3, 0.3), abs=1e-3) and ring.width / picture.width == pytest.approx(0.2, abs=1e-3)


def test_a_long_text_is_parted_and_none_of_it_lost() -> None:
    said = " ".join(f"word{n}" for n in range(900))
    shown = [words(s) for s in slides(exported.case({**exported.TOLD, "discussion": said}))]
    parts = [text for text in shown if text.startswith("Answer")]
    assert len(parts) > 4 and all(len(text) < 1300 for text in parts)
    assert re.findall(r"word\d+", " ".join(parts)) == said.split()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice Impress is not installed")
@pytest.mark.parametrize("text", ["", exported.HOSTILE[0], exported.HOSTILE[12]])
def test_libreoffice_opens_the_slides(text: str, tmp_path: Path) -> None:
    case = exported.hostile(text) if text else exported.case()
    (tmp_path / "case.pptx").write_bytes(made("pptx", case))
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    subprocess.run(
        ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", tmp_path, tmp_path / "case.pptx"],
        check=True, capture_output=True, timeout=180,
    )  # fmt: skip
    read = pypdf.PdfReader(tmp_path / "case.pdf")
    assert len(read.pages) == len(slides(case))
    assert "Credits" in read.pages[-1].extract_text()
    if not text:
        assert "Large left pleural effusion" in read.pages[0].extract_text()
        assert read.pages[2].images


# -- PDF ----------------------------------------------------------------------------------------------------------


def read(case: Case) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(made("pdf", case)), strict=True)


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_pdf_says_all_and_whose_the_films_are() -> None:
    paper = read(exported.case())
    said = flat(" ".join(page.extract_text() for page in paper.pages))
    for text in ("A man of 63, breathless for two weeks.", "Pleural effusion", "Lobar collapse", "Follow-up", LEFT_OUT,
                 "Key image: Meniscus", "Light RW. N Engl J Med 2002."):  # fmt: skip
        assert text in said, text
    assert said.count(CREDIT) == 3  # under each film, and in the credits
    assert (paper.metadata.title, paper.metadata.author) == ("Large left pleural effusion", "Ada Author")
    pictures = [image.image for page in paper.pages for image in page.images]
    for film, picture in zip(exported.case().films, pictures, strict=True):
        assert np.abs(np.asarray(picture.convert("L"), int) - film.pixels).mean() < 3


def test_an_unknown_on_paper_answers_on_another_page() -> None:
    paper = read(exported.quiz())
    assert paper.metadata.title == "A breathless man"
    assert "effusion" not in paper.pages[0].extract_text().casefold()
    assert "Answer: Large left pleural effusion" in flat(paper.pages[1].extract_text())


def test_many_films_fill_pages_and_all_are_there() -> None:
    picture = exported.TOLD["images"][0]
    told = {**exported.TOLD, "images": [{**picture, "key": f"k{n}", "caption": f"caption {n}"} for n in range(17)]}
    paper = read(exported.case(told))
    said = flat(" ".join(page.extract_text() for page in paper.pages))
    assert sum(len(page.images) for page in paper.pages) == 17
    assert all(f"caption {n}" in said for n in range(17))


# -- Anki ---------------------------------------------------------------------------------------------------------


def deck(case: Case, tmp_path: Path) -> tuple[list[sqlite3.Row], dict[str, bytes], dict[str, Any]]:
    """Its notes, its pictures by name, its decks."""
    with zipfile.ZipFile(io.BytesIO(made("anki", case))) as archive:
        (tmp_path / "collection").write_bytes(archive.read("collection.anki2"))
        media = {name: archive.read(number) for number, name in json.loads(archive.read("media")).items()}
    with sqlite3.connect(tmp_path / "collection") as db:
        db.row_factory = sqlite3.Row
        assert db.execute("pragma integrity_check").fetchone()[0] == "ok"
        decks = json.loads(db.execute("select decks from col").fetchone()[0])
        notes = db.execute("select guid, mid, flds from notes order by id").fetchall()
        assert db.execute("select count(*) from cards").fetchone()[0] == len(notes)
    return notes, media, decks


def test_a_card_asks_with_the_film_and_answers_behind_it(tmp_path: Path) -> None:
    notes, media, decks = deck(exported.case(), tmp_path)
    assert len(notes) == 1 and "Teaching files::A breathless man" in {one["name"] for one in decks.values()}
    front, back = notes[0]["flds"].split("\x1f")
    assert "breathless for <strong>two weeks</strong>" in front and CREDIT in front
    assert "effusion" not in front.casefold() and "meniscus" not in front.casefold()
    assert "<h3>Diagnosis</h3><p>Pleural effusion</p>" in back and "Above 200 ml" in back and "left out" in back
    shown = re.findall(r'<img src="([^"]+)">', front + back)
    assert set(shown) == set(media) and len(shown) == 3  # two films, and one with its marks
    assert all(Image.open(io.BytesIO(data)).format == "JPEG" for data in media.values())


def test_another_export_updates_the_same_card(tmp_path: Path) -> None:
    one, _, decks = deck(exported.case(), tmp_path)
    two, _, later = deck(exported.case({**exported.TOLD, "diagnosis": "Empyema"}, version=9), tmp_path)
    assert [(note["guid"], note["mid"]) for note in one] == [(note["guid"], note["mid"]) for note in two]
    assert decks.keys() == later.keys() and one[0]["flds"] != two[0]["flds"]
    other, _, _ = deck(exported.case(file_id="another"), tmp_path)
    assert other[0]["guid"] != one[0]["guid"]


def test_patients_have_cards_of_their_own(tmp_path: Path) -> None:
    notes, _, _ = deck(exported.case(films=[{}, {"person": "q"}]), tmp_path)
    assert len({note["guid"] for note in notes}) == 2
    assert [re.findall("Film [12]", note["flds"].split("\x1f")[0]) for note in notes] == [["Film 1"], ["Film 2"]]


class Tags(HTMLParser):
    """Every tag with its attributes, as a browser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen |= {tag} | {f"{tag} {name}" for name, _ in attrs}


@pytest.mark.parametrize("text", exported.HOSTILE)
def test_hostile_words_are_no_commands_of_anki(text: str, tmp_path: Path) -> None:
    notes, media, decks = deck(exported.hostile(text), tmp_path)
    fields = notes[0]["flds"]
    assert not re.search(r"\[sound:|\[latex|\{\{|\\\(", fields)
    text_alone = {"p", "ul", "ol", "li", "strong", "em", "h2", "h3"}
    assert Tags(fields).seen <= text_alone | {"img", "img src", "p class"}
    assert all(re.fullmatch(r"hilum-\d+-[0-9a-f]{12}\.jpg", name) for name in media)
    assert not any(one["name"].count("::") > 1 for one in decks.values())


def test_cards_say_which_part_of_the_file_a_film_belongs_to(tmp_path: Path) -> None:
    notes, _, _ = deck(exported.case(films=[{}, {"part": "Follow-up"}]), tmp_path)
    back = notes[0]["flds"].split("\x1f")[1]
    assert "<h3>Film 2 · PA: Part</h3><p>Follow-up</p>" in back and "<p>Drained.</p><p>Film 2.</p>" in back


# -- all of them --------------------------------------------------------------------------------------------------


ONE_BY_ONE = [exported.EVERYTHING, *(pytest.param(text, marks=pytest.mark.slow) for text in exported.HOSTILE)]


@pytest.mark.parametrize("text", ONE_BY_ONE)
def test_hostile_words_leave_a_pdf_without_actions(text: str) -> None:
    paper = read(exported.hostile(text))
    root = paper.trailer["/Root"]
    assert not {"/AA", "/Names", "/AcroForm"} & set(root) and not isinstance(root.get("/OpenAction"), dict)
    assert paper.pages and not any({"/Annots", "/AA"} & set(page) for page in paper.pages)


@pytest.mark.parametrize("text", ONE_BY_ONE)
def test_hostile_words_leave_slides_that_open(text: str) -> None:
    data = made("pptx", exported.hostile(text))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for part in archive.namelist():
            if part.endswith((".xml", ".rels")):
                etree.fromstring(archive.read(part))
            assert b'TargetMode="External"' not in archive.read(part)
    assert len(slides(exported.hostile(text))) >= 5


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("text", exported.HOSTILE)
def test_no_title_leads_out_of_a_folder(name: str, text: str) -> None:
    assert re.fullmatch(
        r"[a-z0-9][a-z0-9-]*\.(mirc\.zip|tce\.zip|html|pptx|pdf|apkg)", file_name(name, exported.hostile(text))
    )


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_carries_licences_and_what_was_left_out(name: str) -> None:
    case = exported.case(films=[{"licence": "Odd terms 7", "right": "Consent of the patient"}])
    packed = list(exported.inside(made(name, case), name))
    if name == "pdf":
        said = flat(" ".join(page.extract_text() for page in read(case).pages))
        texts = [said.encode()]
    else:
        texts = [re.sub(rb"</a:t></a:r>.*?<a:t>", b"", data) for _, data in packed]
    for text in (
        b"Odd terms 7",
        b"Consent of the patient",
        b"A Hospital",
        b"PhysioNet Credentialed Health Data License",
    ):
        assert any(text in data for data in texts), text
