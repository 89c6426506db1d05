"""Files of ready-made vectors, each kind with its traps; nothing in them is ever run."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.errors import HilumError
from services.ingest.reasons import BadFilm, Reason
from services.ingest.sources import object_names
from services.ingest.sources.tfrecord import masked
from services.ingest.sources.vectors import VectorFile, list_vectors, naming
from services.ingest.stated_model import StatedModel, read_stated
from tests.kit.vectors import crc32c, example, record, write_npy, write_npz

RNG = np.random.default_rng(0)


def rows(path: Path, array: str = "", names: str = "") -> dict[str, np.ndarray]:
    """name → array of a whole file; '' for what has no name."""
    found = {}
    for part in VectorFile(path.parent, path.name).read(array, names):
        for name, one in zip(part.names or [""] * len(part.arrays), part.arrays, strict=True):
            found[name] = one
    return found


def refused(path: Path, array: str = "", names: str = "") -> Reason:
    with pytest.raises(BadFilm) as caught:
        rows(path, array, names)
    return caught.value.reason


def stated(**told: object) -> StatedModel:
    return StatedModel.model_validate({"name": "m", "revision": "1", "dim": 4, "preprocessing": "p", **told})


def test_an_npz_gives_each_name_its_row(tmp_path: Path) -> None:
    vectors = RNG.standard_normal((700, 6)).astype(np.float16)
    names = [f"p10/p{i:08d}/s1/film-{i}.jpg" for i in range(700)]
    path = write_npz(tmp_path / "part000.npz", names, embeddings=vectors)
    found = rows(path)
    assert list(found) == names
    assert all(np.array_equal(found[name], vectors[i]) for i, name in enumerate(names))
    assert VectorFile(tmp_path, path.name).count() == 700


@pytest.mark.parametrize("how", [np.savez_compressed, np.savez])
@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_are_the_same_however_they_are_packed(tmp_path: Path, how: object, order: str) -> None:
    vectors = np.asarray(RNG.standard_normal((300, 3, 5)), order=order)
    how(tmp_path / "a.npz", names=np.array([str(i) for i in range(300)]), vectors=vectors)  # type: ignore[operator]
    found = rows(tmp_path / "a.npz")
    assert all(np.array_equal(found[str(i)], vectors[i]) for i in range(300))


def test_a_large_part_is_read_in_flat_memory(tmp_path: Path) -> None:
    wide = np.lib.format.open_memmap(tmp_path / "embeddings.npy", "w+", np.float32, (1_000, 128, 256))  # 131 MB
    wide[:] = 0.5
    wide.flush()
    del wide
    np.save(tmp_path / "filenames.npy", np.array([f"f{i}" for i in range(1_000)]))
    with zipfile.ZipFile(tmp_path / "part.npz", "w") as archive:
        for name in ("filenames.npy", "embeddings.npy"):
            archive.write(tmp_path / name, name)
    tracemalloc.start()
    count = sum(len(part.arrays) for part in VectorFile(tmp_path, "part.npz").read())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 1_000 and peak < 40 * 2**20


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (os.environ["HILUM_TEST_BOMB"],)


def test_pickles_are_refused_and_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_TEST_BOMB", str(tmp_path / "ran"))
    bombs = np.array([Bomb(), Bomb()], dtype=object)
    np.savez(tmp_path / "names.npz", filenames=bombs, embeddings=np.ones((2, 4)))
    np.savez(tmp_path / "both.npz", filenames=np.array(["a", "b"]), embeddings=bombs)
    write_npy(tmp_path / "one.npy", bombs)
    (tmp_path / "raw.npy").write_bytes(pickle.dumps(Bomb()))
    assert refused(tmp_path / "names.npz") is Reason.PICKLED_VECTORS
    assert refused(tmp_path / "both.npz") is Reason.PICKLED_VECTORS
    assert refused(tmp_path / "one.npy") is Reason.PICKLED_VECTORS
    assert refused(tmp_path / "raw.npy") is Reason.BROKEN_VECTORS
    assert not (tmp_path / "ran").exists()
    pickle.loads((tmp_path / "raw.npy").read_bytes())  # the bomb is a real one
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_names_in_an_object_array_are_read_without_unpickling(tmp_path: Path, protocol: int) -> None:
    """As pandas and lists of paths make them, and as MIT-LCP's parts may have them."""
    told = ["p10/a.jpg", "Röntgen-€", np.str_("numpy's own"), b"bytes", "p10/a.jpg", ""]
    names = np.array(told, dtype=object)
    vectors = RNG.standard_normal((6, 4)).astype(np.float32)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(names))
    np.save(tmp_path / "embeddings.npy", vectors)
    with zipfile.ZipFile(tmp_path / "part.npz", "w") as archive:
        archive.writestr("filenames.npy", header.getvalue() + pickle.dumps(names, protocol=protocol))
        archive.write(tmp_path / "embeddings.npy", "embeddings.npy")
    found = [name for part in VectorFile(tmp_path, "part.npz").read() for name in part.names or ()]
    assert found == ["p10/a.jpg", "Röntgen-€", "numpy's own", "bytes", "p10/a.jpg", ""]
    assert VectorFile(tmp_path, "part.npz").count() == 6
    np.savez(tmp_path / "numpy.npz", filenames=names[:4], embeddings=vectors[:4])
    assert list(rows(tmp_path / "numpy.npz")) == found[:4]


def test_many_names_in_an_object_array(tmp_path: Path) -> None:
    """Beyond a thousand, pickles write lists in pieces; beyond 64 KiB in frames."""
    names = [f"files/p10/p{i:08d}/s{i}/film-{i}.jpg" for i in range(5_000)]
    np.savez(tmp_path / "a.npz", filenames=np.array(names, dtype=object), embeddings=np.ones((5_000, 2)))
    assert list(rows(tmp_path / "a.npz")) == names


@pytest.mark.parametrize("item", [7, None, ["a"], {"a": 1}, np.float64(1.5), Path("a"), bytearray(b"a")])
def test_object_arrays_of_anything_but_texts_are_refused(tmp_path: Path, item: object) -> None:
    names = np.empty(2, dtype=object)
    names[:] = ["a", item] if not isinstance(item, list) else ["a", "b"]
    if isinstance(item, list):
        names[1] = item
    np.savez(tmp_path / "a.npz", filenames=names, embeddings=np.ones((2, 4)))
    assert refused(tmp_path / "a.npz") is Reason.PICKLED_VECTORS


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=4))
def test_damaged_object_arrays_never_do_more_than_fail(at: int, other: bytes) -> None:
    whole = pickle.dumps(np.array(["film-a", "film-b"], dtype=object), protocol=4)
    at %= len(whole)
    with contextlib.suppress(ValueError):
        found = object_names.texts(whole[:at] + other + whole[at + len(other) :], 2)
        assert len(found) == 2 and all(isinstance(name, str) for name in found)


def test_several_arrays_need_to_be_told_apart(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "x.npz", ["a", "b"], cls_embeddings=np.ones((2, 4)), pooled=np.zeros((2, 4)))
    assert refused(path) is Reason.NO_VECTORS
    assert rows(path, "cls_embeddings")["b"].tolist() == [1, 1, 1, 1]
    assert refused(path, "no-such") is Reason.NO_VECTORS
    assert refused(write_npz(tmp_path / "y.npz", ["a"], embeddings=np.ones((2, 4)))) is Reason.NO_VECTORS
    assert refused(write_npz(tmp_path / "z.npz", ["a"], embeddings=np.ones((1, 4), np.int64))) is Reason.NO_VECTORS


def test_damaged_files_are_said_to_be(tmp_path: Path) -> None:
    whole = write_npz(tmp_path / "a.npz", ["a"] * 900, embeddings=RNG.standard_normal((900, 64))).read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    turned = bytearray(whole)
    turned[len(whole) // 2] ^= 0xFF
    (tmp_path / "turned.npz").write_bytes(turned)
    npy = write_npy(tmp_path / "b.npy", np.ones(8)).read_bytes()
    (tmp_path / "cut.npy").write_bytes(npy[:-1])
    (tmp_path / "huge.npy").write_bytes(npy.replace(b"(8,), ", b"(99999999999999,), ")[:200])
    for name in ("cut.npz", "turned.npz", "cut.npy", "huge.npy"):
        assert refused(tmp_path / name) is Reason.BROKEN_VECTORS, name


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float64(), 5), pa.large_list(pa.float16())])
def test_parquet(tmp_path: Path, kind: pa.DataType) -> None:
    vectors = RNG.standard_normal((600, 5)).astype(np.float16)
    table = pa.table({"dicom_id": [f"d{i}" for i in range(600)], "age": [1.0] * 600,
                      "vector": pa.array([list(v.astype(float)) for v in vectors], kind)})  # fmt: skip
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=200)
    found = rows(tmp_path / "a.parquet")
    assert all(np.array_equal(found[f"d{i}"], vectors[i]) for i in range(600))
    assert VectorFile(tmp_path, "a.parquet").count() == 600


def test_parquet_with_gaps_and_without_names(tmp_path: Path) -> None:
    ragged = pa.array([[1.0, 2.0], None, [3.0], [4.0, None]], pa.list_(pa.float32()))
    pq.write_table(pa.table({"key": ["a", "b", "c", "d"], "v": ragged}), tmp_path / "a.parquet")
    found = rows(tmp_path / "a.parquet")
    assert found["a"].tolist() == [1, 2] and found["b"] is None and found["c"].tolist() == [3]
    assert np.isnan(found["d"][1])
    pq.write_table(pa.table({"v": ragged}), tmp_path / "b.parquet")
    assert refused(tmp_path / "b.parquet") is Reason.NO_VECTORS
    (tmp_path / "c.parquet").write_bytes(b"PAR1 nothing PAR1")
    assert refused(tmp_path / "c.parquet") is Reason.BROKEN_VECTORS


def test_checksums_are_those_of_the_definition() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    for data in (b"", b"\0" * 32, bytes(range(256)) * 3):
        crc = crc32c(data)
        assert masked(data) == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_tfrecord(tmp_path: Path) -> None:
    vectors = RNG.standard_normal((300, 7)).astype(np.float32)
    frames = [
        record(example({"embedding": v.tolist()}, {"image/id": f"i{n}"}, n % 2 == 0)) for n, v in enumerate(vectors)
    ]
    (tmp_path / "a.tfrecord").write_bytes(b"".join(frames))
    found = rows(tmp_path / "a.tfrecord")
    assert all(np.array_equal(found[f"i{n}"], v) for n, v in enumerate(vectors))
    assert VectorFile(tmp_path, "a.tfrecord").count() == 300
    (tmp_path / "one.tfrecord").write_bytes(record(example({"embedding": [1.0, 2.0]})))
    assert rows(tmp_path / "one.tfrecord")[""].tolist() == [1, 2]
    turned = bytearray(frames[0])
    turned[40] ^= 1
    for name, data in (
        ("turned", bytes(turned)),
        ("cut", frames[0][:-2]),
        ("long", b"\xff" * 12),
        ("junk", record(b"\xff\xff")),
    ):
        (tmp_path / f"{name}.tfrecord").write_bytes(data)
        assert refused(tmp_path / f"{name}.tfrecord") is Reason.BROKEN_VECTORS, name
    (tmp_path / "two.tfrecord").write_bytes(record(example({"a": [1.0], "b": [2.0]})))
    assert refused(tmp_path / "two.tfrecord") is Reason.NO_VECTORS
    assert rows(tmp_path / "two.tfrecord", "b")[""].tolist() == [2]


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((1024, 7, 7), {"dim": 1024, "reduce": {"mean": [1, 2]}}),
        ((1, 128, 768), {"dim": 768, "reduce": {"mean": [0, 1]}}),
        ((8, 8, 1376), {"dim": 1376, "reduce": {"mean": [0, 1]}}),
        ((1, 128, 768), {"dim": 768, "tokens": 128}),
        ((1, 5, 768), {"dim": 768, "reduce": {"take": [1, 0]}}),
    ],
)
def test_published_shapes_become_vectors(shape: tuple[int, ...], told: dict[str, object]) -> None:
    array = RNG.standard_normal(shape).astype(np.float16)
    model, wide = stated(**told), array.astype(np.float64)
    wanted = {
        (1024, 7, 7): lambda: wide.mean((1, 2)), (8, 8, 1376): lambda: wide.mean((0, 1)),
        (1, 5, 768): lambda: wide[0, 0], (1, 128, 768): lambda: wide[0] if "tokens" in told else wide.mean((0, 1)),
    }[shape]()  # fmt: skip
    wanted = wanted / np.linalg.norm(wanted, axis=-1, keepdims=True)
    found = model.vector(array)
    assert isinstance(found, np.ndarray) and found.dtype == np.float32 and found.shape == model.spec().shape
    assert np.abs(found - wanted).max() < 1e-6
    flat = stated(**told, shape=shape).vector(array.ravel())
    assert isinstance(flat, np.ndarray) and np.array_equal(flat, found)


def test_vectors_that_are_none_are_refused_with_the_reason() -> None:
    model = stated()
    assert model.vector(np.ones(5)) is Reason.WRONG_SHAPE
    assert model.vector(np.ones((2, 2))) is Reason.WRONG_SHAPE  # as many numbers, but not a vector
    assert model.vector(None) is Reason.WRONG_SHAPE
    assert model.vector(np.array([1, np.nan, 0, 0])) is Reason.NOT_FINITE
    assert model.vector(np.array([1, np.inf, 0, 0])) is Reason.NOT_FINITE
    assert model.vector(np.array([1e300, 0, 0, 0])) is Reason.NOT_FINITE  # beyond float32
    assert model.vector(np.zeros(4)) is Reason.ZERO_VECTOR
    assert model.vector(np.full(4, 1e-30)) is Reason.ZERO_VECTOR
    assert stated(reduce={"mean": [3]}).vector(np.ones(4)) is Reason.WRONG_SHAPE
    assert stated(reduce={"take": [0, 9]}).vector(np.ones(4)) is Reason.WRONG_SHAPE
    assert stated(shape=(2, 4)).vector(np.ones(4)) is Reason.WRONG_SHAPE


def test_what_decides_a_vector_decides_the_fingerprint() -> None:
    base = stated()
    others = [
        stated(revision="2"), stated(preprocessing="q"), stated(pooling="cls"), stated(reduce={"mean": [0]}),
        stated(array="cls_embeddings"), stated(weights_sha256="a" * 64), stated(normalise=False), stated(shape=(2, 2)),
    ]  # fmt: skip
    assert len({base.spec().fingerprint, *(other.spec().fingerprint for other in others)}) == 9
    assert base.spec().weights_sha256.startswith("unknown:")
    assert stated(names="ids").spec() == base.spec()


@pytest.mark.parametrize(
    "text",
    ["", "[1]", "name: x", "a: &a [*a]", "name: m\nrevision: '1'\ndim: 0\npreprocessing: p",
     "name: m\nrevision: '1'\ndim: 4\npreprocessing: p\nwieghts: x", "!!python/object/apply:os.getcwd []",
     "x" * 20_000],
)  # fmt: skip
def test_a_statement_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(HilumError):
        read_stated(text)


def test_links_out_of_the_source_are_not_followed(tmp_path: Path) -> None:
    write_npy(tmp_path / "elsewhere" / "secret.npy", np.ones(4))
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.npy").symlink_to(tmp_path / "elsewhere" / "secret.npy")
    [file] = list_vectors(tmp_path / "source")
    with pytest.raises(BadFilm) as caught:
        list(file.read())
    assert caught.value.reason is Reason.OUTSIDE_SOURCE


def test_names_of_films_are_found_in_every_spelling(tmp_path: Path) -> None:
    jpg = naming(tmp_path, "mimic-cxr-jpg", "", "", "", str)
    for name in ("files/p10/p1/s1/abc-d.jpg", "files/p10/p1/s1/abc-d.dcm", "./abc-d", "p1/abc-d", "abc-d.npy"):
        assert jpg.keys(name)[0] == "abc-d", name
    nih = naming(tmp_path, "nih-cxr14", "", "", "", str)
    assert "00000001_000.png" in nih.keys("images/00000001_000")
    plain = naming(tmp_path, "auto", "", "", "", str)
    assert "sub/film-0001.png" in plain.keys("sub/film-0001")
    assert "1.2.840.113.7" in plain.keys("a/1.2.840.113.7")  # an id with dots is not cut off
    assert "1.2.840.113.7" in plain.keys("a/1.2.840.113.7.dcm")
