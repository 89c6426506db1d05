"""Decoded films kept for later models: the very same pixels, bounded, and good enough for the very same vectors."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.core.facts import images, jobs
from services.core.store import VectorStore
from services.core.types import Film, Job, JobState
from services.engine.supervisor import EngineProcess
from services.ingest import fill
from services.ingest.claim import claimed
from services.ingest.looks import pixel_sha256
from services.ingest.pixel_cache import PixelCache, pack, unpack
from tests.kit.encoders import TinyEncoder, tiny_registry
from tests.kit.films import write_dicom
from tests.kit.ingesting import Room, room, write_pictures

RNG = np.random.default_rng(0)


def film(side: int = 64, shallow: bool = False) -> Film:
    display = RNG.integers(0, 256, (side, side + 3), dtype=np.uint8)
    full = display.astype(np.uint16) * np.uint16(257) if shallow else RNG.integers(0, 65536, display.shape, np.uint16)
    return Film(display, full)


@pytest.mark.parametrize("shallow", [True, False])
def test_a_film_comes_back_to_the_last_bit(shallow: bool) -> None:
    given = film(shallow=shallow)
    back = unpack(pack(given))
    assert np.array_equal(back.display, given.display) and np.array_equal(back.full, given.full)
    assert (back.display.dtype, back.full.dtype) == (np.uint8, np.uint16)
    assert pixel_sha256(back) == pixel_sha256(given)


def test_the_oldest_go_when_the_bound_is_reached(tmp_path: Path) -> None:
    films = [film() for _ in range(10)]
    size = max(len(pack(one)) for one in films)
    cache = PixelCache(tmp_path, 5 * size)
    for age, one in enumerate(films):
        cache.put(pixel_sha256(one), pack(one))
        os.utime(next(tmp_path.glob(f"*/{pixel_sha256(one)}")), (age, age))
        assert cache.size() <= 5 * size
    kept = [cache.get(pixel_sha256(one)) is not None for one in films]
    assert kept == sorted(kept) and 4 <= sum(kept) <= 5  # the last ones
    assert not PixelCache(tmp_path / "tiny", 10).put(pixel_sha256(films[0]), pack(films[0]))
    assert not (tmp_path / "tiny").exists()


def test_damaged_and_unknown_films_are_not_there(tmp_path: Path) -> None:
    cache, one = PixelCache(tmp_path, 2**20), film()
    digest = pixel_sha256(one)
    cache.put(digest, pack(one))
    [path] = tmp_path.glob("*/*")
    for damage in (b"", b"HPX1", pack(film()), path.read_bytes()[:-40]):
        path.write_bytes(damage)
        assert cache.get(digest) is None and not path.exists()
    assert cache.get("0" * 64) is None
    cache.put(digest, pack(one))
    cache.delete([digest, digest, ""])
    assert cache.get(digest) is None


def work(opened: Room, **spec: object) -> Job:
    job = jobs.submit(opened.facts, fill.KIND, spec)
    worker = opened.worker()
    worker.start()
    try:
        done = opened.wait(job.job_id)
    finally:
        worker.stop()
    assert done.state is JobState.SUCCEEDED, done.error
    return done


class OneByOne(TinyEncoder):
    """Sums of a batch depend on its size in their last bits; one film at a time they do not."""

    def encode_images(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        parts = [super(OneByOne, self).encode_images(np.asarray([one])) for one in batch]
        return np.concatenate(parts)


def test_a_later_model_makes_the_same_vectors_without_the_source(
    tmp_path: Path, engine: EngineProcess, store: VectorStore
) -> None:
    films = tmp_path / "films"
    write_pictures(films, 5)
    write_dicom(films, 4)
    one, two, check = TinyEncoder(), OneByOne("later", 24), OneByOne("check", 24)
    check._matrix = two._matrix
    with room(tmp_path / "data", engine.url, tiny_registry(one, two, check)) as opened:
        done = opened.ingest(films, models=("tiny", "check"), cache_pixels=True)
        assert done.progress.counts == {"stored": 9}
        for path in films.iterdir():
            path.unlink()
        filled = work(opened, model="later")
        assert filled.progress.counts == {"stored": 9} and filled.result["waiting"] == {}
        ids, by_cache = opened.store.vectors(two.spec)
        same_ids, by_file = opened.store.vectors(check.spec)
        assert ids == same_ids and np.array_equal(by_cache, by_file)
        opened.everywhere()
        assert work(opened, model="later").progress.counts == {}  # nothing is lacking any more


def test_films_that_are_not_cached_are_reported(tmp_path: Path, engine: EngineProcess, store: VectorStore) -> None:
    write_pictures(tmp_path / "a", 3)
    write_pictures(tmp_path / "b", 2, seed=1)
    with room(tmp_path / "data", engine.url, tiny_registry(TinyEncoder(), TinyEncoder("later", 24))) as opened:
        opened.ingest(tmp_path / "a", dataset="a", models=("tiny",), cache_pixels=True)
        opened.ingest(tmp_path / "b", dataset="b", models=("tiny",))
        done = work(opened, model="later")
        assert done.progress.counts == {"stored": 3, "quarantined": 2}
        lacking = {item.image_id for item in opened.items(done) if item.reason == "NOT_CACHED"}
        assert lacking == {i for i in images.ids_of(opened.facts) if i not in images.ids_of(
            opened.facts, opened.registry.get("later").spec.fingerprint)}  # fmt: skip
        assert work(opened, model="later", dataset="a").progress.counts == {}


def test_a_dataset_that_somebody_holds_is_filled_when_it_is_free(
    tmp_path: Path, engine: EngineProcess, store: VectorStore
) -> None:
    for name in ("a", "b"):
        write_pictures(tmp_path / name, 2, seed=ord(name))
    with room(tmp_path / "data", engine.url, tiny_registry(TinyEncoder(), TinyEncoder("later", 24))) as opened:
        for name in ("a", "b"):
            opened.ingest(tmp_path / name, dataset=name, models=("tiny",), cache_pixels=True)
        later = opened.registry.get("later").spec
        worker = opened.worker()
        with claimed(opened.facts, opened.settings.data_dir, "b", lambda: False) as held:
            assert held
            job = jobs.submit(opened.facts, fill.KIND, {"model": "later"})
            worker.start()
            while len(images.ids_of(opened.facts, later.fingerprint)) < 2:
                time.sleep(0.05)
            time.sleep(0.5)
            assert jobs.get(opened.facts, job.job_id).state is JobState.RUNNING
            assert len(images.ids_of(opened.facts, later.fingerprint)) == 2, "the films of the dataset that is free"
        assert opened.wait(job.job_id).progress.counts == {"stored": 4}
        worker.stop()


def test_nothing_is_kept_unasked_nor_of_films_that_are_not_taken(
    tmp_path: Path, engine: EngineProcess, store: VectorStore
) -> None:
    names = write_pictures(tmp_path / "films", 3)
    with room(tmp_path / "data", engine.url, tiny_registry(TinyEncoder())) as opened:
        opened.ingest(tmp_path / "films")
        assert not (tmp_path / "data" / "pixels").exists()
        write_pictures(tmp_path / "other", 3, seed=9)
        (tmp_path / "other" / names[0]).replace(tmp_path / "films" / names[0])
        write_pictures(tmp_path / "films" / "more", 1, seed=5)
        job = opened.ingest(tmp_path / "films", cache_pixels=True)
        assert job.progress.counts == {"unchanged": 2, "conflict": 1, "stored": 1}
        kept = {path.name for path in (tmp_path / "data" / "pixels").glob("*/*")}
        records = images.get(opened.facts, images.ids_of(opened.facts)).values()
        assert len(kept) == 1 and kept < {record.pixel_sha256 for record in records}
