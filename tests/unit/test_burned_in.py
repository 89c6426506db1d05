"""Writing in films: suspected by its shape, blanked where a device is known for it, looked into by OCR where there is
one, and treated as the installation wants it."""

from __future__ import annotations

import csv
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from services.core.errors import HilumError
from services.core.types import Film
from services.ingest import words
from services.ingest.burned_in import BurnedIn, has_words
from services.ingest.decode import WITH_WRITING, decode
from services.ingest.pictures import film_from_picture
from services.ingest.reasons import BadFilm, Reason
from services.ingest.words import suspected
from services.phantom.film import display, render
from services.phantom.population import population
from tests.kit.films import chest_dataset, saved
from tests.kit.ingesting import REAL_CXR

WORDS = ("DOE^JANE 1961-02-03", "MRN 123-45-6789", "Smith, Bob", "03-FEB-1961 12:30", "12345678")


def film(pixels: NDArray[np.uint8]) -> Film:
    return Film(pixels, pixels.astype(np.uint16) * 257)


def phantoms(count: int, size: int = 512) -> list[NDArray[np.uint8]]:
    films = [one for study in population(count, 77) for one in study.films]
    return [np.asarray(display(render(one, size))).astype(np.uint8) for one in films[:count]]


def with_words(pixels: NDArray[np.uint8], text: str, height: int, where: tuple[float, float]) -> NDArray[np.uint8]:
    """`text` in the colour that stands out at `where`, in fractions of the film."""
    image = Image.fromarray(pixels)
    y, x = (int(f * side) for f, side in zip(where, pixels.shape, strict=True))
    under = pixels[y : y + height, x : x + 6 * height].mean()
    font = ImageFont.load_default(height)
    ImageDraw.Draw(image).text((x, y), text, fill=255 if under < 128 else 0, font=font)
    return np.asarray(image)


def test_words_on_phantoms_are_suspected_and_phantoms_are_not() -> None:
    """Phantoms carry side markers and devices, but no words."""
    plain = phantoms(24)
    assert sum(suspected(film(pixels)) for pixels in plain) == 0
    rng, found = np.random.default_rng(0), 0
    for pixels in plain:
        where = (float(rng.choice([0.02, 0.5, 0.92])), float(rng.uniform(0.02, 0.4)))
        found += suspected(film(with_words(pixels, str(rng.choice(WORDS)), int(rng.integers(14, 28)), where)))
    assert found >= 22  # measured: 24


def test_markers_of_up_to_three_letters_are_no_words() -> None:
    for pixels in phantoms(4):
        for text in ("L", "R", "PA"):
            assert not suspected(film(with_words(pixels, text, 24, (0.05, 0.05))))


def test_large_films_are_looked_at_in_one_size_and_small_ones_not_at_all() -> None:
    [pixels] = phantoms(1)
    large = np.kron(pixels, np.ones((4, 4), dtype=np.uint8))
    assert not suspected(film(large))
    assert suspected(film(with_words(large, WORDS[0], 60, (0.02, 0.02))))
    assert not suspected(film(with_words(pixels[:100, :100], WORDS[1], 10, (0.02, 0.02))))


def test_real_films_that_are_suspected_have_words_in_them() -> None:
    """The nine of 216 that are suspected say Bettaufnahme, liegend, PORTABLE and ET/OG: looked at, one by one."""
    if not REAL_CXR.exists():
        pytest.skip("the real films are not here")
    with (REAL_CXR / "labels.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if int(row["width"]) >= 128][::6]
    assert sum(suspected(film_from_picture((REAL_CXR / row["file"]).read_bytes())) for row in rows) <= 4


def dicom(pixels: NDArray[np.uint8], **tags: object) -> bytes:
    return saved(chest_dataset(pixels, **tags))


def test_the_policy_of_the_installation() -> None:
    [pixels] = phantoms(1)
    plain, written = dicom(pixels), dicom(with_words(pixels, WORDS[0], 20, (0.02, 0.02)), BurnedInAnnotation=None)
    stated = dicom(pixels, BurnedInAnnotation="YES")
    assert decode(plain).stated.burned_in == "no"
    found = decode(written)
    assert found.stated.burned_in == "suspected"
    assert BurnedIn().settled(found) is found and BurnedIn("flag").settled(found) is found
    with pytest.raises(BadFilm) as refused:
        BurnedIn("refuse").settled(found)
    assert refused.value.reason is Reason.WRITING_SUSPECTED
    with pytest.raises(BadFilm) as refused:
        decode(stated, BurnedIn("refuse").how("auto"))
    assert refused.value.reason is Reason.BURNED_IN_TEXT
    assert BurnedIn("flag").how("dicom") == f"dicom{WITH_WRITING}"
    assert decode(stated, BurnedIn("flag").how("auto")).stated.burned_in == "yes"


def test_a_known_devices_places_are_black() -> None:
    pixels = np.full((2592, 2208), 60, np.uint8)
    pixels[1000:1400, 500:900] = 200
    pixels[:80], pixels[2512:] = 130, 130
    known = decode(dicom(pixels, Manufacturer="Canon Inc.", ManufacturerModelName="CXDI"))
    assert not known.film.display[:80].any() and not known.film.full[2512:].any()
    assert known.film.display[80:2512].any(axis=1).any()
    other = decode(dicom(pixels, Manufacturer="Canon Inc.", ManufacturerModelName="Other"))
    assert other.film.display[:80].all()


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_tesseract_looks_into_suspicions() -> None:
    plain, *_ = phantoms(1, 768)
    written = with_words(plain, "JANE DOE 1961", 30, (0.02, 0.1))
    assert has_words(film(written)) and not has_words(film(plain))
    bars = plain.copy()
    for i in range(8):  # a row of things that are no letters
        bars[20:40, 100 + 14 * i : 108 + 14 * i] = 255
        bars[23:37, 103 + 14 * i : 105 + 14 * i] = 0
    assert suspected(film(bars)) and not has_words(film(bars))
    assert BurnedIn(ocr=True).settled(decode(dicom(bars))).stated.burned_in == "suspected"
    assert BurnedIn("flag", ocr=True).settled(decode(dicom(written))).stated.burned_in == "yes"
    with pytest.raises(BadFilm) as refused:
        BurnedIn(ocr=True).settled(decode(dicom(written)))
    assert refused.value.reason is Reason.WORDS_READ


def test_ocr_without_the_program_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HilumError, match="tesseract"):
        BurnedIn(ocr=True)


def test_a_picture_is_looked_at_too() -> None:
    [pixels] = phantoms(1)
    out = BytesIO()
    Image.fromarray(with_words(pixels, WORDS[1], 20, (0.02, 0.02))).save(out, "PNG")
    assert decode(out.getvalue()).stated.burned_in == "suspected"


@pytest.mark.parametrize("shape", [(128, 300), (131, 129)])
def test_what_lies_around_a_pixel_is_scipys_grey_opening(shape: tuple[int, int]) -> None:
    shown = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    assert (words._opened(shown) == ndimage.grey_opening(shown, size=(13, 13))).all()
