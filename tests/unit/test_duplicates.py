"""Films that are stored more than once: found by each of the four ways, told as groups, alarms first."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from hilum import Client
from hilum.locate import Endpoint
from hilum.v1 import ingest_pb2, ingest_pb2_grpc
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import HilumError
from services.core.facts import Facts, images, models
from services.core.facts.images import Stored
from services.core.near_hashes import near
from services.core.store import VectorStore, payload
from services.core.types import JobProgress
from services.encoders.registry import Registry
from services.ingest import duplicates
from services.ingest.api import IngestApi
from services.ingest.decode import decode
from services.ingest.duplicates import DISTANCE, Found, Group, Wanted
from tests.kit.encoders import tiny_registry
from tests.kit.ingesting import REAL_CXR
from tests.kit.records import make_record, make_spec, unit_vectors
from tests.kit.served import served

NIH = ("nih-chestxray14-64px", "nih-chestxray14")


@pytest.mark.parametrize("within", [0, 1, 4, 9])
def test_near_hashes_are_those_that_comparing_each_with_each_finds(within: int) -> None:
    hashes = np.random.default_rng(0).integers(0, 2**63, 600, dtype=np.uint64)
    hashes[200:400] = hashes[:200]
    for bits in range(within + 3):  # pairs on both sides of the bound
        hashes[400 + bits] = hashes[bits] ^ np.uint64((1 << bits) - 1)
    found = [pair for part in near(hashes, within) for pair in zip(*(column.tolist() for column in part), strict=True)]
    differ = np.bitwise_count(hashes[:, None] ^ hashes[None])
    true = [
        (int(a), int(b), int(differ[a, b])) for a, b in zip(*np.triu_indices(600, 1), strict=True)
        if differ[a, b] <= within
    ]  # fmt: skip
    assert sorted(found) == true and len(true) >= 200


def test_near_hashes_of_nothing() -> None:
    assert list(near(np.empty(0, dtype=np.uint64), 4)) == []


def test_the_same_film_at_two_sizes_is_found_and_no_other(facts: Facts, store: VectorStore, tmp_path: Path) -> None:
    """All 898 public films: the seven that NIH's set holds at 64 and at 1024 pixels, and nothing else."""
    if not REAL_CXR.is_dir():
        pytest.skip("the public films are not here")
    blobs = Blobs(tmp_path / "blobs")
    with (REAL_CXR / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    stored = []
    for row in rows:
        film = decode((REAL_CXR / row["file"]).read_bytes())
        record = make_record(
            row["image_id"], row["dataset"], phash=film.phash, patient_id=row["patient_id"], study_id=row["study_id"]
        )
        stored.append(Stored(record, blobs.put(film.thumbnail), ()))
    images.commit(facts, stored)
    small, large = ({(r["patient_id"], r["study_id"]): r for r in rows if r["dataset"] == name} for name in NIH)
    true = {frozenset((small[key]["image_id"], large[key]["image_id"])) for key in small.keys() & large.keys()}
    assert len(true) == 7
    named = {item.record.image_id: row["image_id"] for item, row in zip(stored, rows, strict=True)}

    groups, found = told(facts, store, blobs, Wanted())

    pairs = {
        frozenset(named[f.record.image_id] for f in pair) for g in groups for pair in itertools.combinations(g.films, 2)
    }
    assert pairs == true  # recall 7 of 7, precision 7 of 7
    assert {(g.kind, g.patients) for g in groups} == {("perceptual", "same")}
    assert found.films == 898 and found.by_kind["perceptual"] == 7 and not found.unconfirmed

    # The same hashes without a look at the pictures bring false pairs: the second look is what makes it precise.
    loose, _ = told(facts, store, blobs, Wanted(likeness=0.5))
    assert len(loose) > 7
    # Without pictures nothing is claimed.
    nothing, blind = told(facts, store, Blobs(tmp_path / "empty"), Wanted())
    assert not nothing and blind.unconfirmed >= 7


@pytest.mark.parametrize(("model", "found"), [("hilum-cxr-clip", 7), ("hilum-cxr-dino", 5)])
def test_the_distance_of_embeddings_is_the_one_that_was_measured(model: str, found: int) -> None:
    """The seven films at two sizes, and others: of those pairs as many are near as the guide says, of others none."""
    if not REAL_CXR.is_dir():
        pytest.skip("the set of real films is not here")
    with (REAL_CXR / "labels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] in NIH]
    twice = {row["study_id"] for row in rows if row["dataset"] == NIH[1]}
    rows = [row for row in rows if row["study_id"] in twice or row["dataset"] == NIH[1]] + rows[:30]
    encoder = Registry.bundled().get(model)
    films = {row["file"]: decode((REAL_CXR / row["file"]).read_bytes()).film for row in rows}
    vectors = encoder.encode_images(np.stack([encoder.preprocess(film) for film in films.values()]))
    study = {row["file"]: row["study_id"] for row in rows}
    near = [
        study[one] == study[other]
        for (one, a), (other, b) in itertools.combinations(zip(films, vectors, strict=True), 2)
        if 1 - float(a @ b) <= DISTANCE
    ]
    assert near == [True] * found


@pytest.fixture
def archive(facts: Facts, store: VectorStore, tmp_path: Path) -> Blobs:
    """a1, a2: the same bytes, one patient.  b1, b2: the same pixels, two patients of one dataset: an alarm.
    c1, c2: shrunk, in two datasets.  d1, d2: near in embedding alone.  e: like none."""
    blobs, spec = Blobs(tmp_path / "blobs"), make_spec("places")
    store.ensure(spec)
    models.register(facts, spec)
    vectors = unit_vectors(9)
    vectors[7] = vectors[6] + 0.01 * vectors[0]
    items = []
    for number, (key, fields) in enumerate({
        "a1": {"bytes_sha256": "a" * 64, "pixel_sha256": "a" * 64, "patient_id": "p1"},
        "a2": {"bytes_sha256": "a" * 64, "pixel_sha256": "a" * 64, "patient_id": "p1"},
        "b1": {"pixel_sha256": "b" * 64, "patient_id": "p2"}, "b2": {"pixel_sha256": "b" * 64, "patient_id": "p3"},
        "c1": {"patient_id": "p4"}, "c2": {"patient_id": "p5", "dataset": "other"},
        "d1": {"patient_id": "p6"}, "d2": {}, "e": {"patient_id": "p7"},
    }.items()):  # fmt: skip
        picture = Image.fromarray(blotches(key[0] if key[0] in "c" else key))
        shown = picture.resize((60, 70)) if key == "c2" else picture
        file = tmp_path / f"{key}.png"
        shown.save(file)
        film = decode(file.read_bytes())
        record = make_record(key, **{"phash": film.phash, **fields})
        items.append(Stored(record, blobs.put(film.thumbnail), (spec.fingerprint,)))
        store.upsert(spec, [record.image_id], vectors[number : number + 1], [payload(record)])
    images.commit(facts, items)
    return blobs


def blotches(key: str) -> np.ndarray:
    coarse = np.random.default_rng(list(key.encode())).integers(0, 256, (9, 9), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((240, 200), Image.Resampling.BICUBIC))


def told(facts: Facts, store: VectorStore, blobs: Blobs, wanted: Wanted) -> tuple[list[Group], Found]:
    *items, found = duplicates.find(facts, store, blobs, wanted)
    assert isinstance(found, Found)
    return [item for item in items if not isinstance(item, JobProgress)], found  # type: ignore[misc]


def test_each_way_finds_its_films_and_alarms_come_first(facts: Facts, store: VectorStore, archive: Blobs) -> None:
    groups, found = told(facts, store, archive, Wanted(model="places"))
    keys = {
        make_record(k, d).image_id: k
        for k in ("a1", "a2", "b1", "b2", "c1", "c2", "d1", "d2", "e")
        for d in ("demo", "other")
    }
    assert [(sorted(keys[f.record.image_id] for f in g.films), g.kind, g.patients) for g in groups] == [
        (["b1", "b2"], "pixel", "different"), (["c1", "c2"], "perceptual", "unknown"),
        (["d1", "d2"], "embedding", "unknown"), (["a1", "a2"], "byte", "same"),
    ]  # fmt: skip
    assert 0 < groups[2].distance < 0.001
    assert found.alarms == 1 and found.by_kind == {"byte": 1, "pixel": 1, "perceptual": 1, "embedding": 1}


def test_one_dataset_alone(facts: Facts, store: VectorStore, archive: Blobs) -> None:
    groups, found = told(facts, store, archive, Wanted(dataset="demo"))
    assert found.films == 8 and [g.kind for g in groups] == ["pixel", "byte"]


def test_over_both_transports_and_the_client(facts: Facts, store: VectorStore, archive: Blobs, tmp_path: Path) -> None:
    import httpx

    api = IngestApi(Settings(tmp_path / "data"), facts, tiny_registry(), store, archive)
    with served([api]) as where, Client(endpoint=Endpoint(where.grpc)) as client:
        seen: list[str] = []
        found = client.duplicates(model="places", seen=lambda progress: seen.append(progress.stage))
        assert [g.kind for g in found] == ["pixel", "perceptual", "embedding", "byte"] and found.alarms == 1
        assert found.films == 9 and found.counts["embedding"] == 1 and len(found.rows()) == 8
        assert {"looks", "embeddings"} <= set(seen) and found.models["places"] == make_spec("places").fingerprint
        assert len(client.duplicates(limit=1)) == 1
        answer = httpx.post(f"{where.url}/v1/duplicates", json={"dataset": "demo"}, timeout=60)
        assert answer.status_code == 200 and answer.text.count('"group"') >= 2 and '"alarms": 1' in answer.text
        stub = ingest_pb2_grpc.IngestServiceStub(grpc.insecure_channel(where.grpc))
        with pytest.raises(grpc.RpcError, match="bits is between"):
            list(stub.FindDuplicates(ingest_pb2.FindDuplicatesRequest(bits=20)))
        with pytest.raises(grpc.RpcError, match="no such model"):
            list(stub.FindDuplicates(ingest_pb2.FindDuplicatesRequest(model="none")))


@pytest.mark.parametrize("fields", [{"bits": 13}, {"likeness": 0.1}, {"distance": 2.0}])
def test_what_makes_no_sense_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(HilumError, match="between"):
        Wanted(**fields)  # type: ignore[arg-type]
