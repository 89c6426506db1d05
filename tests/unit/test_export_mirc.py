"""MIRCdocuments: against the schema, by another library than wrote them, and against what RSNA's receivers do."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree
from PIL import Image

from services.query.teaching.export import mirc as written
from services.query.teaching.export.case import Case
from services.query.teaching.mirc_import import read_mirc
from tests.kit import exported

SCHEMA = etree.RelaxNG(etree.parse(Path(written.__file__).with_name("mircdocument.rng")))
XML = etree.XMLParser(resolve_entities=False, no_network=True)


def opened(case: Case) -> tuple[etree._Element, dict[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(written.mirc(case))) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    return etree.fromstring(files.pop("case.xml"), XML), files


def checked(case: Case) -> tuple[etree._Element, dict[str, bytes]]:
    root, files = opened(case)
    assert SCHEMA.validate(root), SCHEMA.error_log
    return root, files


def test_a_case_fits_the_schema_and_says_all_of_it() -> None:
    root, _ = checked(exported.case())
    assert root.findtext("title") == "Large left pleural effusion"
    assert [root.findtext(f"author/{part}") for part in ("name", "affiliation")] == ["Ada Author", "A Hospital"]
    headings = [section.get("heading") for section in root.findall("section")]
    assert headings == [
        "History",
        "Findings",
        "Diagnosis",
        "Differential diagnosis",
        "Discussion",
        "Follow-up",
        "Credits",
    ]
    assert [item.text for item in root.findall("section[@heading='Differential diagnosis']/ul/li")] == [
        "Lobar collapse", "Consolidation",
    ]  # fmt: skip
    assert root.find("section[@heading='History']/p/b").text == "two weeks"
    for name, text in {"anatomy": "Pleura", "category": "Chest", "level": "Primary", "modality": "DX"}.items():
        assert root.findtext(name) == text
    assert root.findtext("differential-diagnosis") == "Lobar collapse; Consolidation"
    assert root.findtext("references/reference") == "Light RW. N Engl J Med 2002."
    assert root.findtext("publication-date") == "2026-11-22" and root.findtext("rights") == "CC BY 4.0"
    followed = root.find("section[@heading='Follow-up']")
    assert [p.text for p in followed.findall("p")][:2] == ["Drained.", "Film 2."]
    assert followed.find("p/show").get("image") == "2"


def test_patients_have_sex_and_age_and_nothing_else() -> None:
    root, _ = checked(exported.case(films=[{}, {"person": "q", "sex": "F", "age": 0.5}]))
    told = [{child.tag: "".join(child.itertext()).strip() for child in one.iter()} for one in root.findall("patient")]
    assert [(one["pt-sex"], one.get("years"), one.get("months")) for one in told] == [
        ("male", "63", None), ("female", None, "6"),
    ]  # fmt: skip
    assert not {"pt-name", "pt-id", "pt-mrn", "pt-race"} & {child.tag for child in root.iter()}


def test_pictures_are_there_as_they_are_named_and_sized() -> None:
    case = exported.case()
    root, files = checked(case)
    named = {one.get("src") for one in root.iter("image", "alternative-image")}
    assert named == set(files)
    for one in root.iter("image", "alternative-image"):
        with Image.open(io.BytesIO(files[one.get("src")])) as picture:
            assert picture.format == "JPEG" and not set(picture.info) & {"exif", "comment", "icc_profile", "xmp"}
            if one.get("w"):
                assert picture.size == (int(one.get("w")), int(one.get("h")))
    plain, marked = (Image.open(io.BytesIO(files[f"film-01{kind}.jpg"])) for kind in ("", "-marked"))
    assert (plain.mode, marked.mode) == ("L", "RGB")
    captions = [one.text for one in root.iter("image-caption") if one.get("display") == "always"]
    assert captions == [f"Film {n} · PA · Licence: CC BY 4.0. A Hospital." for n in (1, 2)]


def test_what_nobody_may_change_stays_and_its_marks_lie_over_it() -> None:
    root, files = checked(exported.case(films=[{"licence": "CC BY-NC-ND 4.0", "changeable": False}]))
    drawn = root.find("image-section/image/alternative-image[@role='annotation']")
    assert (drawn.get("type"), drawn.get("src")) == ("svg", "film-01-marks.svg")
    svg = etree.fromstring(files["film-01-marks.svg"], XML)
    assert svg.find("{*}image").get("href") == "film-01.jpg" and svg.findall(".//{*}circle")
    assert "film-01-marked.jpg" not in files


def test_who_may_is_written_as_receivers_read_it() -> None:
    root, _ = checked(exported.case())
    told = {name: root.findtext(f"authorization/{name}") or "" for name in ("owner", "read", "update", "export")}
    assert told == {"owner": "ada", "read": "*", "update": "[grace],[alan]", "export": ""}
    named = replace(exported.case(), owner="m*a,[l]", read=("b ob;", ""))
    root, _ = checked(named)
    assert root.findtext("authorization/owner") == "mal" and root.findtext("authorization/read") == "[bob]"


def test_an_unknown_asks_and_its_title_tells_nothing() -> None:
    root, _ = checked(exported.quiz())
    assert root.findtext("alternative-title") == "A breathless man"
    assert "effusion" not in "".join(root.find("alternative-abstract").itertext()).casefold()
    answers = {
        "".join(one.find("answer-body").itertext()).strip(): "".join(one.find("response").itertext()).strip()
        for one in root.iter("answer")
    }
    assert answers == {
        "Consolidation": "No: Pleural effusion.", "Lobar collapse": "No: Pleural effusion.", "Pleural effusion": "Yes.",
    }  # fmt: skip


@pytest.mark.parametrize("text", exported.HOSTILE)
def test_hostile_words_stay_words(text: str) -> None:
    root, files = checked(exported.hostile(text))
    assert not {child.tag for child in root.iter()} & {"script", "img", "svg", "iframe", "style", "object"}
    assert all("/" not in name and "\\" not in name and ".." not in name for name in files)
    # The receiver's page writes the title into a script, within double quotes.
    assert not set('"<>\\\n') & set(root.findtext("title") + root.findtext("alternative-title"))


def test_the_schema_refuses_what_must_not_leave() -> None:
    root, _ = checked(exported.case())
    for path, name in (("patient", "pt-name"), ("patient", "pt-mrn"), (".", "phi"), ("authorization", "delete")):
        broken = etree.fromstring(etree.tostring(root))
        etree.SubElement(broken.find(path), name).text = "Doe"
        assert not SCHEMA.validate(broken), name
    broken = etree.fromstring(etree.tostring(root))
    broken.find("image-section/image").set("src", "../film-01.jpg")
    assert not SCHEMA.validate(broken)


def test_the_same_case_is_the_same_bytes() -> None:
    assert written.mirc(exported.case()) == written.mirc(exported.case())


def test_what_is_written_reads_back_as_it_was() -> None:
    """Our own reader of MIRCdocuments: the other's files are its trade, ours must be easy."""
    case = exported.case()
    found = read_mirc(written.mirc(case), list)
    plain = ("title", "alternative_title", "history", "findings", "diagnosis", "differential", "discussion", "anatomy",
             "pathology", "organ_system", "modality", "category", "level", "keywords", "authors", "references",
             "rights")  # fmt: skip
    for name in plain:
        assert getattr(found.document, name) == getattr(case.document, name), name
    assert [one.heading for one in found.document.sections] == ["Follow-up", "Credits"]
    assert list(found.pictures) == [film.jpeg for film in case.films]
    assert "CC BY 4.0" in found.document.images[0].caption and "Meniscus" in found.document.images[0].caption
