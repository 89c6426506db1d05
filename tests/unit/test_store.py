"""The gateway against the embedded engine: what is written is found again, and nothing malformed is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from services.core.errors import ErrorCode, HilumError
from services.core.filters import parse, to_qdrant
from services.core.models import ModelSpec
from services.core.store import VectorStore, check_vectors, payload, reading
from services.engine.supervisor import EngineProcess
from tests.kit.records import make_record, make_spec, unit_vectors

SPEC = make_spec()


def fill(store: VectorStore, spec: ModelSpec, count: int = 20) -> tuple[list[str], np.ndarray]:
    """`count` films, every other one a PA, with their vectors, in the order of their ids."""
    records = [make_record(f"film-{n}", view="PA" if n % 2 else "AP", age=float(n)) for n in range(count)]
    records.sort(key=lambda record: record.image_id)
    vectors = unit_vectors(count, spec.dim)
    store.ensure(spec)
    store.upsert(spec, [record.image_id for record in records], vectors, [payload(record) for record in records])
    return [record.image_id for record in records], vectors


@dataclass(frozen=True)
class Filled:
    """A store with twenty films, for tests that only read."""

    store: VectorStore
    spec: ModelSpec
    ids: list[str]
    vectors: np.ndarray


@pytest.fixture(scope="module")
def filled(engine: EngineProcess) -> Iterator[Filled]:
    store, spec = VectorStore(engine.url), make_spec("read")
    yield Filled(store, spec, *fill(store, spec))
    store.drop(spec.collection)
    store.close()


def test_what_is_written_is_found_again(filled: Filled) -> None:
    store, spec, ids, vectors = filled.store, filled.spec, filled.ids, filled.vectors
    assert store.count(spec) == 20
    found, back = store.vectors(spec)
    assert found == ids
    np.testing.assert_allclose(back, vectors, atol=1e-6)
    assert store.held(spec, [*ids, make_record("other").image_id]).keys() == set(ids)
    np.testing.assert_allclose(store.vector(spec, ids[3]), vectors[3], atol=1e-6)


def test_held_tells_which_pixels_a_vector_was_made_from(store: VectorStore) -> None:
    record = make_record(pixel_sha256="a" * 64)
    store.ensure(SPEC)
    store.upsert(SPEC, [record.image_id], unit_vectors(1), [payload(record)])
    assert store.held(SPEC, [record.image_id]) == {record.image_id: "a" * 64}


def test_vectors_by_ids_leave_out_what_is_not_stored_and_come_once(filled: Filled) -> None:
    ids, vectors = filled.ids, filled.vectors
    found, back = filled.store.vectors(filled.spec, ids=[ids[7], make_record("other").image_id, ids[2], ids[7]])
    assert found == [ids[2], ids[7]]
    np.testing.assert_allclose(back, vectors[[2, 7]], atol=1e-6)


@pytest.mark.parametrize("exact", [False, True])
def test_neighbours_come_nearest_first_with_their_cosine(filled: Filled, exact: bool) -> None:
    ids, vectors = filled.ids, filled.vectors
    answers = filled.store.query(filled.spec, vectors[:2], limit=5, exact=exact)
    for row, hits in enumerate(answers):
        cosine = vectors @ vectors[row]
        order = np.argsort(-cosine)[:5]
        assert [hit.image_id for hit in hits] == [ids[i] for i in order]
        np.testing.assert_allclose([hit.score for hit in hits], cosine[order], atol=1e-5)


def test_a_filter_holds_for_query_count_and_vectors(filled: Filled) -> None:
    store, spec = filled.store, filled.spec
    where = to_qdrant(parse("view = PA AND age >= 10"))
    assert store.count(spec, where) == 5
    passed = set(store.vectors(spec, where)[0])
    assert len(passed) == 5
    assert {hit.image_id for hit in store.query(spec, filled.vectors[:1], 20, where)[0]} == passed


def test_pages_of_vectors_add_up(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_PAGE_POINTS", 7)
    for found, back in (filled.store.vectors(filled.spec), filled.store.vectors(filled.spec, ids=filled.ids)):
        assert found == filled.ids
        np.testing.assert_allclose(back, filled.vectors, atol=1e-6)
    found, back = filled.store.vectors(filled.spec, to_qdrant(parse("age > 1000")))
    assert found == [] and back.shape == (0, filled.spec.dim)


def test_the_same_film_twice_is_one_point(store: VectorStore) -> None:
    ids, _ = fill(store, SPEC)
    fill(store, SPEC)
    assert store.count(SPEC) == len(ids)


def test_a_payload_is_replaced_and_the_vector_stays(store: VectorStore) -> None:
    ids, vectors = fill(store, SPEC)
    store.set_payload(SPEC, ids[0], payload(make_record("x", sex="F")))
    assert store.vectors(SPEC, to_qdrant(parse("sex = F AND NOT view:*")))[0] == [ids[0]]
    np.testing.assert_allclose(store.vector(SPEC, ids[0]), vectors[0], atol=1e-6)


def test_deleted_films_are_gone(store: VectorStore) -> None:
    ids, _ = fill(store, SPEC)
    store.delete(SPEC, ids[:3])
    store.delete(SPEC, ids[:3])
    assert store.count(SPEC) == 17
    with pytest.raises(HilumError) as refused:
        store.vector(SPEC, ids[0])
    assert refused.value.code is ErrorCode.NOT_FOUND


def test_two_fingerprints_never_share_a_collection_and_the_alias_moves(store: VectorStore) -> None:
    newer = make_spec(weights_sha256="1" * 64)
    fill(store, SPEC)
    assert store.aliases()[SPEC.alias] == SPEC.collection
    store.ensure(newer)
    assert {SPEC.collection, newer.collection} <= set(store.collections())
    assert (store.count(SPEC), store.count(newer)) == (20, 0)
    assert store.aliases()[SPEC.alias] == SPEC.collection  # a new collection is empty: it does not answer yet
    store.switch_alias(newer)
    assert store.aliases()[SPEC.alias] == newer.collection


def test_indexing_a_finding_keeps_answers(store: VectorStore) -> None:
    store.ensure(SPEC)
    store.index_label(SPEC, "edema")
    record = make_record(labels={"edema": "present"})
    store.upsert(SPEC, [record.image_id], unit_vectors(1), [payload(record)])
    assert store.count(SPEC, to_qdrant(parse("labels.edema = present"))) == 1
    assert store.count(SPEC, to_qdrant(parse("labels.edema = absent"))) == 0


def test_a_collection_that_is_not_there_is_not_found(store: VectorStore) -> None:
    with pytest.raises(HilumError) as refused:
        store.count(make_spec("nowhere"))
    assert refused.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize(
    ("vectors", "code", "said"),
    [
        (np.full((2, 8), np.nan, dtype=np.float32), ErrorCode.INVALID_ARGUMENT, "NaN or infinity"),
        (np.full((2, 8), np.inf, dtype=np.float32), ErrorCode.INVALID_ARGUMENT, "NaN or infinity"),
        (np.zeros((2, 8), dtype=np.float32), ErrorCode.INVALID_ARGUMENT, "zeros"),
        (np.full((2, 8), 1e-30, dtype=np.float32), ErrorCode.INVALID_ARGUMENT, "too short"),
        (np.full((2, 8), 3e38, dtype=np.float32), ErrorCode.INVALID_ARGUMENT, "long"),
        (np.ones((2, 7), dtype=np.float32), ErrorCode.FAILED_PRECONDITION, "of 8 numbers, not of 7"),
        (np.ones(8, dtype=np.float32), ErrorCode.FAILED_PRECONDITION, "of 8 numbers"),
    ],
    ids=["nan", "inf", "zero", "too-short", "too-long", "wrong-dim", "one-row"],
)
def test_malformed_vectors_are_refused(vectors: np.ndarray, code: ErrorCode, said: str) -> None:
    with pytest.raises(HilumError) as refused:
        check_vectors(SPEC, vectors)
    assert refused.value.code is code
    assert said in refused.value.client_message


def test_vectors_of_any_usual_length_pass() -> None:
    for length in (1e-6, 1.0, 1e6):
        check_vectors(SPEC, unit_vectors(4) * np.float32(length))
    check_vectors(SPEC, unit_vectors(0))


def test_a_batch_of_different_lengths_is_refused(store: VectorStore) -> None:
    with pytest.raises(HilumError) as refused:
        store.upsert(SPEC, [make_record().image_id], unit_vectors(2), [{}, {}])
    assert refused.value.code is ErrorCode.INVALID_ARGUMENT


def test_one_bad_vector_keeps_the_whole_batch_out(store: VectorStore) -> None:
    store.ensure(SPEC)
    vectors = unit_vectors(3)
    vectors[2, 4] = np.nan
    records = [make_record(str(n)) for n in range(3)]
    with pytest.raises(HilumError):
        store.upsert(SPEC, [r.image_id for r in records], vectors, [payload(r) for r in records])
    assert store.count(SPEC) == 0
