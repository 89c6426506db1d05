"""The decode pool outlives crashing, hanging and greedy decoders, and gives every film its own answer."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from services.core.errors import ErrorCode, HilumError
from services.ingest.decode import decode
from services.ingest.decode_pool import Bounds, DecodePool
from services.ingest.reasons import BadFilm, Reason
from tests.kit.films import ramp, stored_bytes
from tests.kit.ingesting import status_kib

HOSTILE = "tests.kit.hostile_decoder"


@pytest.fixture(scope="module")
def pool() -> Iterator[DecodePool]:
    opened = DecodePool(2, Bounds(memory=768 * 2**20, cpu=1, wall=2.5), HOSTILE)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        (b"SEGV", Reason.DECODER_CRASHED),
        (b"EXIT", Reason.DECODER_CRASHED),
        (b"HANG", Reason.DECODER_TIMEOUT),
        (b"SPIN", Reason.DECODER_TIMEOUT),
        (b"HOG!", Reason.OUT_OF_MEMORY),
    ],
)
def test_poison_is_refused_and_the_next_film_is_decoded(pool: DecodePool, poison: bytes, reason: Reason) -> None:
    with pytest.raises(BadFilm) as refused:
        pool.decode(poison)
    assert refused.value.reason is reason
    assert pool.decode(stored_bytes(ramp())).film.display.shape == (64, 64)


def test_a_crash_is_tried_twice(pool: DecodePool) -> None:
    pool.decode(stored_bytes(ramp()))
    before = set(pool.pids())
    with pytest.raises(BadFilm):
        pool.decode(b"SEGV")
    assert len(before & set(pool.pids())) <= len(before) - 1, "the child that crashed is gone"


def test_good_films_between_poison_come_back_whole_and_in_order(pool: DecodePool) -> None:
    films = [stored_bytes(ramp(seed=i)) for i in range(12)]
    mixed = [b"SEGV" if i % 5 == 2 else film for i, film in enumerate(films)]

    def one(data: bytes) -> bytes | Reason:
        try:
            return pool.decode(data).film.display.tobytes()
        except BadFilm as error:
            return error.reason

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(one, mixed))
    expected = [
        Reason.DECODER_CRASHED if i % 5 == 2 else decode(film).film.display.tobytes() for i, film in enumerate(films)
    ]
    assert answers == expected


def test_a_killed_child_costs_no_film(pool: DecodePool) -> None:
    pool.decode(stored_bytes(ramp()))
    for pid in pool.pids():
        os.kill(pid, signal.SIGKILL)
    assert pool.decode(stored_bytes(ramp())).film.display.shape == (64, 64)


def test_pixels_survive_the_journey_exactly() -> None:
    pool = DecodePool(1)
    try:
        for seed in range(3):
            data = stored_bytes(ramp(200, seed))
            here, there = decode(data), pool.decode(data)
            np.testing.assert_array_equal(here.film.display, there.film.display)
            np.testing.assert_array_equal(here.film.full, there.film.full)
            assert (here.stated, here.sop_uid, here.pixel_sha256, here.phash, here.thumbnail) == (
                there.stated, there.sop_uid, there.pixel_sha256, there.phash, there.thumbnail,
            )  # fmt: skip
    finally:
        pool.close()


def test_children_load_no_torch_and_little_else() -> None:
    pool = DecodePool(1)
    try:
        pool.decode(stored_bytes(ramp()))
        [pid] = pool.pids()
        assert "libtorch" not in Path(f"/proc/{pid}/maps").read_text()
        assert status_kib(pid, "VmHWM") < 160 * 1024
    finally:
        pool.close()


def test_children_end_with_the_pool_and_with_their_parent(tmp_path: Path) -> None:
    pool = DecodePool(2)
    pool.decode(stored_bytes(ramp()))
    pids = pool.pids()
    pool.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    with pytest.raises(HilumError) as refused:
        pool.decode(stored_bytes(ramp()))
    assert refused.value.code is ErrorCode.CANCELLED

    (tmp_path / "film.dcm").write_bytes(stored_bytes(ramp()))
    code = (
        "import sys, os, signal; from services.ingest.decode_pool import DecodePool; pool = DecodePool(1);"
        f"pool.decode(open({str(tmp_path / 'film.dcm')!r}, 'rb').read()); print(pool.pids()[0], flush=True);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    import subprocess

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=Path.cwd())
    orphan = Path(f"/proc/{int(ended.stdout)}/stat")
    deadline = time.monotonic() + 10
    while orphan.exists() and orphan.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline, "a decode child outlived its parent"
        time.sleep(0.05)


def test_closing_frees_callers_that_wait() -> None:
    pool = DecodePool(1, Bounds(wall=60), HOSTILE)
    errors: list[BaseException] = []

    def hang() -> None:
        try:
            pool.decode(b"HANG")
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=hang)
    thread.start()
    while not pool.pids():
        time.sleep(0.02)
    time.sleep(0.3)
    pool.close()
    thread.join(10)
    assert not thread.is_alive() and isinstance(errors[0], HilumError)
