"""Vectors kept between analyses: read once, their owner's alone, bounded, and never older than what the engine has."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest

from services.analytics import vectors
from services.analytics.progress import Progress
from services.core.facts import Facts, images, models
from services.core.pulled import Key, Pulled, read
from services.core.store import VectorStore, payload
from tests.kit.records import make_record, make_spec, stored, unit_vectors

SPEC = make_spec("sharp", 16)
IDS = [f"film-{n}" for n in range(5)]


def key(films: str = "a", state: str = "b") -> Key:
    return Key("f" * 64, films * 64, state * 64)


def test_what_is_kept_is_the_owners_alone_and_comes_back_as_it_was(tmp_path: Path) -> None:
    pulled = Pulled.at(tmp_path, 2**20)
    given = unit_vectors(5, 16)
    assert pulled.get(key()) is None
    found = pulled.put(key(), IDS, given)
    assert found is not None
    assert np.array_equal(found, given)
    assert stat.S_IMODE((tmp_path / "pulled").stat().st_mode) == 0o700
    file = tmp_path / "pulled" / key().name
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    found[0] = 9.0  # compiled code wants arrays that may be written to
    assert file.read_bytes() == before
    table = read(file)
    assert table["image_id"].to_pylist() == IDS
    assert np.array_equal(np.stack(table["vector"].to_numpy()), given)
    assert [path.name for path in file.parent.iterdir()] == [key().name]


def test_vectors_written_since_take_the_place_of_older_ones(tmp_path: Path) -> None:
    pulled = Pulled.at(tmp_path, 2**20)
    pulled.put(key(state="b"), IDS, unit_vectors(5, 16))
    pulled.put(key(films="c"), IDS, unit_vectors(5, 16))
    mapped = pulled.get(key(state="b"))
    pulled.put(key(state="d"), IDS, unit_vectors(5, 16, seed=1))
    assert pulled.get(key(state="b")) is None
    assert pulled.count() == 2
    assert mapped is not None
    assert np.array_equal(mapped, unit_vectors(5, 16))  # whoever has them mapped reads on


def test_the_bound_holds_and_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    pulled = Pulled.at(tmp_path, 4 * 4096)
    rows = np.ones((40, 16), np.float32)  # 2,560 bytes, and some of the file's own: three files
    ids = [f"film-{n}" for n in range(40)]
    for age, films in enumerate("abc"):
        assert pulled.put(key(films), ids, rows) is not None
        os.utime(pulled.folder / key(films).name, (age + 1, age + 1))
    pulled.get(key("a"))
    pulled.put(key("e"), ids, rows)
    assert pulled.get(key("a")) is not None
    assert pulled.get(key("b")) is None
    assert pulled.size() <= pulled.bound
    assert pulled.put(key("g"), ["x"] * 400, np.ones((400, 16), np.float32)) is None
    assert Pulled.at(tmp_path / "none", 0).put(key(), IDS, unit_vectors(5, 16)) is None
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("damage", [b"", b"ARROW1\0\0 and nothing more"])
def test_a_damaged_file_is_as_none_and_goes(tmp_path: Path, damage: bytes) -> None:
    pulled = Pulled.at(tmp_path, 2**20)
    pulled.put(key(), IDS, unit_vectors(5, 16))
    (pulled.folder / key().name).write_bytes(damage)
    assert pulled.get(key()) is None
    assert pulled.count() == 0


def test_an_analysis_asks_the_engine_only_for_what_no_other_has_read(
    facts: Facts, store: VectorStore, tmp_path: Path
) -> None:
    pulled = Pulled.at(tmp_path, 2**20)
    records = [make_record(f"film-{n}", patient_id=f"p{n}") for n in range(30)]
    ids = sorted(record.image_id for record in records)
    given = unit_vectors(30, 16)
    models.register(facts, SPEC)
    store.ensure(SPEC)
    store.upsert(SPEC, ids, given, [payload(record) for record in records])
    images.commit(facts, [stored(record, [SPEC]) for record in records])

    def look(which: list[str]) -> np.ndarray:
        return np.array(vectors.kept(pulled, facts, store, SPEC, which, tmp_path / "scratch.npy", Progress()))

    first = look(ids)
    assert np.allclose(first, given, atol=1e-6)
    assert not (tmp_path / "scratch.npy").exists()
    store.delete(SPEC, ids[:1])
    assert np.array_equal(look(ids), first)  # the engine was not asked
    assert np.allclose(look(ids[5:10]), given[5:10], atol=1e-6)  # other films are another file
    assert pulled.count() == 2
    # The film comes again with other pixels: its vector is another one, and nothing of the old is served or left.
    again = make_record("film-3", patient_id="p3", pixel_sha256="9" * 64)
    store.upsert(SPEC, ids[:1], given[1:2], [payload(records[0])])
    where = ids.index(again.image_id)
    store.upsert(SPEC, [again.image_id], given[:1], [payload(again)])
    images.commit(facts, [stored(again, [SPEC])])
    fresh = look(ids)
    assert np.allclose(fresh[where], given[0], atol=1e-6)
    assert pulled.count() == 2
    assert pulled.drop() == 2
    assert pulled.count() == 0
