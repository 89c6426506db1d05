"""Stored pixels to films: every readable encoding against a plain computation on the whole array."""

from __future__ import annotations

import struct
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from services.ingest.decode import decode
from services.ingest.looks import phash
from services.ingest.reasons import BadFilm, Reason
from tests.kit.films import chest_dataset, ramp, saved, stored_bytes
from tests.kit.ingesting import FIXTURES, REAL_CXR

RAMP = (np.arange(64 * 64, dtype=np.uint16) % 4096).reshape(64, 64)


@pytest.fixture(scope="module")
def fixtures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not FIXTURES.exists():
        pytest.skip("the generator of DICOM fixtures is not here")
    out = tmp_path_factory.mktemp("fixtures")
    subprocess.run([sys.executable, FIXTURES, out], check=True, capture_output=True)
    return out


def plainly(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """display and full, computed on the whole array step by step as the order says."""
    d = pydicom.dcmread(path)
    stored = d.pixel_array
    if stored.ndim == 3:
        stored = stored[..., 0]
    padded = stored == d.PixelPaddingValue if "PixelPaddingValue" in d else np.zeros(stored.shape, bool)
    modality = apply_modality_lut(stored, d).astype(float)
    shown = apply_voi_lut(modality.astype(int) if "VOILUTSequence" in d else modality, d, index=0).astype(float)
    planes = []
    for values, top in ((shown, 255), (modality, 65535)):
        low, high = values[~padded].min(), values[~padded].max()
        unit = np.clip((values - low) / (high - low), 0, 1)
        if d.PhotometricInterpretation == "MONOCHROME1":
            unit = 1 - unit
        unit[padded] = 0
        planes.append(unit * top)
    return planes[0], planes[1]


def assert_plain(path: Path) -> None:
    film = decode(path.read_bytes()).film
    display, full = plainly(path)
    assert film.display.dtype == np.uint8 and film.full.dtype == np.uint16
    np.testing.assert_allclose(film.display, display, atol=0.5001)
    np.testing.assert_allclose(film.full, full, atol=0.5001)


def test_every_readable_fixture_is_what_a_plain_computation_gives(fixtures: Path) -> None:
    paths = sorted(fixtures.glob("ok_*.dcm"))
    assert len(paths) >= 25
    for path in paths:
        assert_plain(path)


@pytest.mark.skipif(not REAL_CXR.exists(), reason="the real films are not here")
def test_real_dicom_is_what_a_plain_computation_gives() -> None:
    for path in sorted((REAL_CXR / "dicom").glob("*.dcm")):
        assert_plain(path)


def test_a_film_and_its_monochrome1_twin_look_the_same() -> None:
    straight = decode(stored_bytes(RAMP)).film
    twin = decode(stored_bytes(4095 - RAMP, PhotometricInterpretation="MONOCHROME1")).film
    np.testing.assert_array_equal(straight.display, twin.display)
    np.testing.assert_array_equal(straight.full, twin.full)
    assert straight.display[0, 0] == 0 and straight.display[-1, -1] == 255, "bone bright, not inverted"


def test_presentation_lut_shape_does_not_invert_a_second_time() -> None:
    tags = {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}
    assert decode(stored_bytes(RAMP, **tags)).film.display[0, 0] == 255


def test_nor_with_a_voi_lut_whose_window_says_otherwise() -> None:
    """The table counts, not the window beside it, and the film is inverted once, after the table."""
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 12]
    table.LUTData = np.minimum(4095, 2 * np.arange(4096)).astype("<u2").tobytes()
    tags = {"VOILUTSequence": [table], "PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}
    film = decode(stored_bytes(RAMP, **tags)).film
    shown = np.rint(255 * (1 - np.minimum(4095, 2.0 * RAMP) / 4095))
    assert np.abs(film.display - shown).max() <= 1
    assert film.full[0, 0] == 65535 and film.full[-1, -1] == 0, "the full range knows no table"


@pytest.mark.parametrize(("photometric", "shape"), [("MONOCHROME2", "INVERSE"), ("MONOCHROME1", "IDENTITY")])
def test_a_header_that_contradicts_itself_about_white_is_refused(photometric: str, shape: str) -> None:
    with pytest.raises(BadFilm) as caught:
        decode(stored_bytes(RAMP, PhotometricInterpretation=photometric, PresentationLUTShape=shape))
    assert caught.value.reason is Reason.CONTRADICTORY_GREYS
    assert decode(stored_bytes(RAMP, PresentationLUTShape="IDENTITY")).film.display[0, 0] == 0


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 5, 11])
@pytest.mark.parametrize("pixels", [True, False])
def test_presentation_states_are_no_films(kind: int, pixels: bool) -> None:
    """Greyscale, colour, pseudo-colour, blending, XA/XRF and advanced ones; with pixels, too, which they never have."""
    state = chest_dataset(RAMP, SOPClassUID=f"1.2.840.10008.5.1.4.1.1.11.{kind}", Modality="PR")
    state.PresentationLUTShape = "INVERSE"
    if not pixels:
        for name in ("PixelData", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit"):
            delattr(state, name)
    with pytest.raises(BadFilm) as caught:
        decode(saved(state))
    assert caught.value.reason is Reason.PRESENTATION_STATE


def test_padding_is_black_and_does_not_stretch_the_film() -> None:
    pixels = np.tile(np.linspace(1000, 2000, 64).astype(np.uint16), (64, 1))
    pixels[:8] = 60_000 // 16  # a collimated border, far brighter than the film
    padded = decode(stored_bytes(pixels, PixelPaddingValue=3750, WindowWidth=None)).film
    assert (padded.display[:8] == 0).all() and padded.display[8:].min() == 0 and padded.display[8:].max() == 255
    assert padded.full[8:].max() == 65535
    ranged = {"PixelPaddingValue": 3700, "PixelPaddingRangeLimit": 3800, "WindowWidth": None}
    np.testing.assert_array_equal(decode(stored_bytes(pixels, **ranged)).film.display, padded.display)


def test_signed_padding_written_unsigned() -> None:
    pixels = np.tile(np.linspace(-500, 500, 64).astype(np.int16), (64, 1))
    pixels[:4] = -2000
    d = chest_dataset(pixels, PixelRepresentation=1, WindowWidth=None)
    d.add_new(0x00280120, "US", 65536 - 2000)
    film = decode(saved(d)).film
    assert (film.display[:4] == 0).all() and film.display[4:].max() == 255 and film.display[4:, 0].max() == 0


def test_full_ignores_the_window() -> None:
    narrow = decode(stored_bytes(RAMP, WindowCenter=2000, WindowWidth=100)).film
    wide = decode(stored_bytes(RAMP, WindowCenter=2048, WindowWidth=4096)).film
    np.testing.assert_array_equal(narrow.full, wide.full)
    assert (narrow.display != wide.display).any()


def test_the_first_of_several_windows_counts() -> None:
    several = decode(stored_bytes(RAMP, WindowCenter=[2000, 3000], WindowWidth=[900, 10])).film
    one = decode(stored_bytes(RAMP, WindowCenter=2000, WindowWidth=900)).film
    np.testing.assert_array_equal(several.display, one.display)


def test_pixels_above_bits_stored_are_not_wrapped() -> None:
    lying = decode(stored_bytes(RAMP, BitsStored=10, HighBit=9)).film
    np.testing.assert_array_equal(lying.full, decode(stored_bytes(RAMP)).film.full)


def test_overlay_in_the_high_bits_is_masked_off() -> None:
    marked = RAMP.copy()
    marked[:10, :10] |= 1 << 12
    d = chest_dataset(marked)
    d.add_new(0x60000102, "US", 12)
    np.testing.assert_array_equal(decode(saved(d)).film.display, decode(stored_bytes(RAMP)).film.display)


def test_16_bit_png_is_scaled_not_clipped() -> None:
    values = np.linspace(300, 4095, 64 * 64).astype(np.uint16).reshape(64, 64)
    film = decode(picture(Image.fromarray(values))).film
    assert film.display.min() == 0 and film.display.max() == 255 and len(np.unique(film.display)) == 256
    assert film.full.min() == 0 and film.full.max() == 65535


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_grey_pictures_of_every_mode_are_the_same_film(mode: str) -> None:
    grey = np.arange(64 * 64, dtype=np.uint32).reshape(64, 64) // 16
    image = Image.fromarray(grey.astype(np.uint8))
    film = decode(picture(image.convert(mode))).film
    np.testing.assert_array_equal(film.display, grey)
    np.testing.assert_array_equal(film.full, grey * 257)


def test_exif_orientation_is_ignored() -> None:
    image = Image.fromarray(np.tile(np.arange(64, dtype=np.uint8), (96, 1)))
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(picture(image, exif=exif.tobytes())).film.display.shape == (96, 64)


def test_jpeg_is_read() -> None:
    image = Image.fromarray(np.tile(np.arange(0, 256, 2, dtype=np.uint8), (128, 1)))
    out = BytesIO()
    image.save(out, "JPEG", quality=95)
    np.testing.assert_allclose(decode(out.getvalue()).film.display, np.asarray(image), atol=4)


def test_thumbnail_is_small_grey_jpeg_without_metadata() -> None:
    pixels = (np.arange(600 * 400, dtype=np.uint32) % 4096).astype(np.uint16).reshape(600, 400)
    thumbnail = Image.open(BytesIO(decode(stored_bytes(pixels)).thumbnail))
    assert (thumbnail.format, thumbnail.mode, thumbnail.height) == ("JPEG", "L", 512)
    assert abs(thumbnail.width - 341) <= 1
    assert not thumbnail.getexif() and not set(thumbnail.info) & {"exif", "xmp", "icc_profile", "comment"}


def test_phash_sees_a_small_change_as_small_and_a_mirror_as_large() -> None:
    coarse = Image.fromarray(np.random.default_rng(3).integers(0, 256, (12, 12), dtype=np.uint8))
    film = np.asarray(coarse.resize((256, 256), Image.Resampling.BICUBIC))
    one, brighter, mirrored = (
        int(phash(decode(picture(Image.fromarray(a))).film), 16)
        for a in (film, np.clip(film.astype(int) + 3, 0, 255).astype(np.uint8), film[:, ::-1])
    )
    assert (one ^ brighter).bit_count() <= 4
    assert (one ^ mirrored).bit_count() >= 16


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"WindowWidth": 0}, Reason.BAD_WINDOW),
        ({"WindowCenter": -90_000, "WindowWidth": 10}, Reason.BAD_WINDOW),
        ({"Modality": "MR"}, Reason.WRONG_MODALITY),
        ({"PresentationIntentType": "FOR PROCESSING"}, Reason.FOR_PROCESSING),
        ({"BodyPartExamined": "SKULL"}, Reason.WRONG_BODY_PART),
        ({"BurnedInAnnotation": "YES"}, Reason.BURNED_IN_TEXT),
        ({"NumberOfFrames": 2}, Reason.MULTIFRAME),
        ({"Rows": 63}, Reason.LENGTH_MISMATCH),
        ({"Rows": 65}, Reason.TRUNCATED),
        ({"Rows": 65_535, "Columns": 65_535}, Reason.TOO_LARGE),
        ({"Rows": 0}, Reason.BROKEN_HEADER),
        ({"BitsAllocated": 32}, Reason.UNSUPPORTED_ENCODING),
        ({"BitsStored": 17}, Reason.BROKEN_HEADER),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, Reason.COLOUR),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, Reason.WRONG_SOP_CLASS),
    ],
)
def test_gate(tags: dict[str, object], reason: Reason) -> None:
    with pytest.raises(BadFilm) as refused:
        decode(stored_bytes(RAMP, **tags))
    assert refused.value.reason is reason


def test_headers_are_refused_at_a_depth_of_32_sequences() -> None:
    for depth in (1, 20):
        decode(nested(depth))
    for depth in (40, 5_000):
        with pytest.raises(BadFilm) as refused:
            decode(nested(depth))
        assert refused.value.reason is Reason.NESTED_TOO_DEEP


def nested(depth: int) -> bytes:
    """A film with `depth` sequences of undefined length inside one another, in front of PatientID."""
    film = stored_bytes(ramp())
    opened = struct.pack("<HH2sHIHHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
    closed = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    at = film.index(struct.pack("<HH2s", 0x0010, 0x0020, b"LO"))
    return film[:at] + opened * depth + closed * depth + film[at:]


def picture(image: Image.Image, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, "PNG", **options)
    return out.getvalue()
