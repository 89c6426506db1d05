"""Bad, odd and hostile files: each ends stored or refused with a reason, within bounds, and the batch goes on."""

from __future__ import annotations

import gzip
import io
import logging
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit

from services.core.types import Job, JobState
from services.engine.supervisor import EngineProcess
from services.ingest.decode_pool import DecodePool
from services.ingest.reasons import BadFilm, Reason
from services.ingest.sources.refs import resolve_refs
from tests.kit.films import chest_dataset, ramp, saved, stored_bytes, write_dicom
from tests.kit.ingesting import FIXTURES, Room, room, status_kib, too_deep, write_pictures

REFUSED = {
    "bad_1x1": "TOO_SMALL", "bad_constant": "CONSTANT", "bad_corrupt_j2k": "CORRUPT_PIXELS",
    "bad_ct": "WRONG_MODALITY", "bad_empty": "EMPTY", "bad_hand": "WRONG_BODY_PART",
    "bad_header_only": "BROKEN_HEADER", "bad_mg": "WRONG_MODALITY", "bad_multiframe": "MULTIFRAME",
    "bad_no_preamble": "NOT_AN_IMAGE", "bad_nopixels": "NO_PIXELS", "bad_png_named_dcm": "BROKEN_HEADER",
    "bad_truncated": "TRUNCATED", "bad_ww0": "BAD_WINDOW", "bomb_deflated_512MB": "TOO_LARGE",
    "bomb_dims_mismatch": "TOO_LARGE", "phi_burned_in": "BURNED_IN_TEXT",
    "odd_secondary_capture": "WRONG_MODALITY",  # Modality OT: nobody says that it is a radiograph
}  # fmt: skip
CANARIES = (
    "DOE^JANE", "DOE JANE", "123-45-6789", "St. Elsewhere", "SMITH^BOB", "19610203", "998877", "ACME PRIVATE",
    "Anon^Test", "P000001", "21800506", "2180-05-06", "213014.531",
)  # fmt: skip


@pytest.fixture(scope="module")
def fixtures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not FIXTURES.exists():
        pytest.skip("the generator of DICOM fixtures is not here")
    out = tmp_path_factory.mktemp("fixtures")
    subprocess.run([sys.executable, FIXTURES, out], check=True, capture_output=True)
    return out


@pytest.fixture(scope="module")
def ingested(fixtures: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Room, Job, str, Path]]:
    """All fixtures in one job: the room, the job, everything logged, and the folder with all state."""
    home = tmp_path_factory.mktemp("bad")
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        with (
            EngineProcess(home / "engine", log_file=home / "engine.log") as engine,
            room(home / "data", engine.url) as opened,
        ):
            yield opened, opened.ingest(fixtures, "fixtures"), logged.getvalue(), home
    finally:
        logging.getLogger().removeHandler(handler)


def outcomes(opened: Room, job: Job, source: Path) -> dict[str, tuple[str, str]]:
    items = opened.items(job)
    names = resolve_refs(source, opened.secret, {item.ref for item in items})
    assert len(names) == len(items)
    assert all(item.message for item in items if item.reason)
    return {Path(names[item.ref]).stem: (item.outcome.value, item.reason) for item in items}


def test_every_fixture_ends_as_its_prefix_says(ingested: tuple[Room, Job, str, Path], fixtures: Path) -> None:
    opened, job, _, _ = ingested
    assert job.state is JobState.SUCCEEDED
    ended = outcomes(opened, job, fixtures)
    assert set(ended) == {path.stem for path in fixtures.glob("*.dcm")}
    for name, outcome in ended.items():
        if name in REFUSED:
            assert outcome == ("quarantined", REFUSED[name]), name
        elif not name.startswith("dup_"):
            assert outcome == ("stored", ""), name
    assert ended["dup_a"] == ("stored", "")
    assert ended["dup_b_same_uid_diff_pixels"] == ("conflict", "SAME_KEY_OTHER_PIXELS")
    assert ended["dup_c_same_uid_same_pixels"] == ("duplicate", "SAME_KEY_SAME_PIXELS")
    assert len(opened.everywhere()) == sum(outcome == "stored" for outcome, _ in ended.values())


def test_no_identifier_of_the_fixtures_is_in_any_stored_byte_or_log(
    ingested: tuple[Room, Job, str, Path], fixtures: Path
) -> None:
    _, _, logged, home = ingested
    raw = b"".join(path.read_bytes() for path in fixtures.glob("*.dcm"))
    assert all(canary.encode() in raw for canary in CANARIES[:1] + CANARIES[2:11]), "the fixtures carry identifiers"
    stored = [path for path in home.rglob("*") if path.is_file()]
    assert any(path.name == "facts.db" for path in stored) and any("engine" in path.parts for path in stored)
    forbidden = re.compile(b"|".join(re.escape(c.encode()) for c in (*CANARIES, *(p.stem for p in fixtures.iterdir()))))
    for path in stored:
        data = re.sub(rb"\0{64,}", b"\0", path.read_bytes())  # the engine's files are mostly room for later
        assert not forbidden.search(data), path.name
        assert not forbidden.search(str(path.relative_to(home)).encode())
    assert '"job.started"' in logged and not [canary for canary in CANARIES if canary in logged]


def test_again_and_everything_is_as_it_was(ingested: tuple[Room, Job, str, Path], fixtures: Path) -> None:
    opened, first, _, _ = ingested
    ids = opened.everywhere()
    before = outcomes(opened, first, fixtures)
    after = outcomes(opened, opened.ingest(fixtures, "fixtures"), fixtures)
    assert opened.everywhere() == ids
    assert after == {name: ("unchanged", "") if was[0] == "stored" else was for name, was in before.items()}


def test_memory_and_time_of_the_worst_files(fixtures: Path) -> None:
    pool = DecodePool(1)
    try:
        for path in sorted(fixtures.glob("bomb_*.dcm")) + sorted(fixtures.glob("bad_*.dcm")):
            started = time.monotonic()
            with pytest.raises(BadFilm):
                pool.decode(path.read_bytes())
            assert time.monotonic() - started < 5, path.stem
        [pid] = pool.pids()
        assert status_kib(pid, "VmHWM") < 256 * 1024
    finally:
        pool.close()


def png_bomb() -> bytes:
    """A PNG that claims 30,000 × 30,000 pixels in a few bytes."""
    out = io.BytesIO()
    Image.new("L", (64, 64)).save(out, "PNG")
    data = bytearray(out.getvalue())
    data[16:24] = struct.pack(">II", 30_000, 30_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def text_bomb() -> bytes:
    """A PNG whose compressed text inflates to 64 MB."""
    info, out = PngImagePlugin.PngInfo(), io.BytesIO()
    info.add_text("comment", "x" * (64 * 2**20), zip=True)
    Image.fromarray(np.tile(np.arange(64, dtype=np.uint8), (64, 1))).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def lying_jpeg() -> bytes:
    """Header 64 × 64; the JPEG inside is 8,000 × 8,000."""
    d, out = chest_dataset(ramp().astype(np.uint8)), io.BytesIO()
    Image.new("L", (8_000, 8_000)).save(out, "JPEG")
    d.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    d.PixelData = encapsulate([out.getvalue()])
    d["PixelData"].is_undefined_length = True
    return saved(d)


def lying_j2k() -> bytes:
    """Header 64 × 64; the codestream says 60,000 × 60,000."""
    d = chest_dataset(ramp())
    d.compress(JPEG2000Lossless, generate_instance_uid=False)
    data = bytearray(saved(d))
    at = data.index(b"\xff\x4f\xff\x51") + 8
    data[at : at + 8] = struct.pack(">II", 60_000, 60_000)
    return bytes(data)


def deflated_header_bomb() -> bytes:
    """A deflated file whose header alone inflates to 256 MB before the pixels come."""
    d = chest_dataset(ramp())
    d.add_new(0x00091001, "UN", bytes(256 * 2**20))
    d.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return saved(d)


@pytest.mark.parametrize(
    ("bomb", "reasons"),
    [
        (png_bomb, {Reason.TOO_LARGE}),
        (text_bomb, {Reason.BROKEN_HEADER, Reason.CORRUPT_PIXELS}),
        (lying_jpeg, {Reason.DIMENSIONS_MISMATCH}),
        (lying_j2k, {Reason.DIMENSIONS_MISMATCH}),
        (deflated_header_bomb, {Reason.BROKEN_HEADER, Reason.NO_PIXELS, Reason.WRONG_SOP_CLASS}),
    ],
)
def test_bombs_of_our_own_are_refused_within_256_mib(bomb: object, reasons: set[Reason]) -> None:
    data = bomb()  # type: ignore[operator]
    pool = DecodePool(1)
    try:
        with pytest.raises(BadFilm) as refused:
            pool.decode(data)
        assert refused.value.reason in reasons
        [pid] = pool.pids()
        assert status_kib(pid, "VmHWM") < 256 * 1024
    finally:
        pool.close()


def test_flipped_bytes_never_break_the_pool() -> None:
    seed = int(os.environ.get("HILUM_SEED", random.SystemRandom().randrange(10**9)))
    print(f"HILUM_SEED={seed}")
    rng = random.Random(seed)
    jpeg_2000 = chest_dataset(ramp())
    jpeg_2000.compress(JPEG2000Lossless, generate_instance_uid=False)
    grey = io.BytesIO()
    Image.fromarray(ramp().astype(np.uint8)).save(grey, "PNG")
    whole = [stored_bytes(ramp()), saved(jpeg_2000), grey.getvalue()]
    pool = DecodePool(2)
    good = pool.decode(whole[0]).pixel_sha256
    try:
        for round_ in range(240):
            data = bytearray(whole[round_ % 3])
            for _ in range(rng.choice((1, 4, 40))):
                data[rng.randrange(min(len(data), rng.choice((400, 1500, 10**9))))] = rng.randrange(256)
            if rng.random() < 0.2:
                del data[rng.randrange(len(data)) :]
            try:
                film = pool.decode(bytes(data)).film
                assert film.display.shape == film.full.shape
            except BadFilm as error:
                assert error.reason.message, f"seed {seed}, round {round_}"
        assert pool.decode(whole[0]).pixel_sha256 == good
    finally:
        pool.close()


def test_truncation_at_any_place_is_refused_never_half_read() -> None:
    film = stored_bytes(ramp())
    pool = DecodePool(2)
    try:
        for cut in range(0, len(film), max(1, len(film) // 150)):
            with pytest.raises(BadFilm):
                pool.decode(film[:cut])
    finally:
        pool.close()


def test_names_that_are_no_text_links_to_themselves_and_folders_that_cannot_be_opened(
    tmp_path: Path, engine: EngineProcess, store: object
) -> None:
    source = tmp_path / "source"
    [film] = write_pictures(source, 1)
    odd = os.fsencode(source) + b"/caf\xe9 \xff.png"
    Path(os.fsdecode(odd)).write_bytes((source / film).read_bytes())
    (source / "self.png").symlink_to("self.png")
    (source / "round").symlink_to(".", target_is_directory=True)
    for name in ("scan.tiff", "second.TIF", "films.zip", "films.tar.gz", "labels.csv"):
        (source / name).write_bytes(b"x")
    too_deep(source)
    try:
        with room(tmp_path / "data", engine.url) as opened:
            for outcome in ("stored", "unchanged"):
                job = opened.ingest(source)
                assert job.state is JobState.SUCCEEDED and job.result["passed_over"] == {
                    ".tiff": 1, ".tif": 1, ".zip": 1, ".tar.gz": 1
                }  # fmt: skip
                items = opened.items(job)
                names = resolve_refs(source, opened.secret, {item.ref for item in items})
                [folder] = [name for name in names.values() if name.endswith("/")]
                assert {names[item.ref]: (item.outcome.value, item.reason) for item in items} == {
                    film: (outcome, ""), os.fsdecode(b"caf\xe9 \xff.png"): (outcome, ""),
                    "self.png": ("quarantined", "UNREADABLE_FILE"), folder: ("quarantined", "UNREADABLE_FOLDER"),
                }  # fmt: skip
            assert len(opened.everywhere()) == 2
    finally:
        shutil.rmtree(source)


def test_a_header_that_is_read_says_nothing_to_terminal_or_log(tmp_path: Path) -> None:
    film = tmp_path / "film.dcm"
    film.write_bytes(stored_bytes(ramp(), StudyInstanceUID="1.2.3.4.5.6").replace(b"1.2.3.4.5.6", b"DOE^JANE^Q."))
    code = (
        "import logging, pathlib, sys; logging.basicConfig(level=20); from services.ingest.header import read_header; "
        "print(read_header(pathlib.Path(sys.argv[1]).read_bytes()).elements.StudyInstanceUID)"
    )
    done = subprocess.run([sys.executable, "-c", code, film], capture_output=True, text=True, timeout=60, check=True)
    assert "DOE" in done.stdout and not done.stderr


def test_links_out_of_the_source_and_strange_files(tmp_path: Path, engine: EngineProcess, store: object) -> None:
    source = tmp_path / "source"
    [inside] = write_dicom(source, 1)
    outside = tmp_path / "outside.dcm"
    outside.write_bytes(stored_bytes(ramp(seed=9)))
    (source / "escape.dcm").symlink_to(outside)
    (source / "within.dcm").symlink_to(inside)
    (source / "gone.dcm").symlink_to(tmp_path / "nowhere.dcm")
    (source / "linked").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(source / "pipe.dcm")
    (source / "folder.dcm").mkdir()
    (source / "notes.txt").write_text("not a film")
    (source / ".hidden.dcm").write_bytes(b"x")
    (source / "archive.dcm").write_bytes(gzip.compress(stored_bytes(ramp())))
    with room(tmp_path / "data", engine.url) as opened:
        job = opened.ingest(source)
        ended = outcomes(opened, job, source)
    assert ended == {
        "film-0000": ("stored", ""), "escape": ("quarantined", "OUTSIDE_SOURCE"),
        "within": ("duplicate", "SAME_KEY_SAME_PIXELS"), "gone": ("quarantined", "UNREADABLE_FILE"),
        "pipe": ("quarantined", "EMPTY"), "archive": ("quarantined", "NOT_AN_IMAGE"),
    }  # fmt: skip
