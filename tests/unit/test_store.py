"""The gateway against the embedded engine: what is written is found again, and nothing malformed is written."""

from __future__ import annotations

import numpy as np
import pytest

from services.core.errors import ErrorCode, HilumError
from services.core.filters import parse, to_qdrant
from services.core.models import ModelSpec
from services.core.store import VectorStore, check_vectors, payload
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


def test_what_is_written_is_found_again(store: VectorStore) -> None:
    ids, vectors = fill(store, SPEC)
    assert store.count(SPEC) == 20
    found, back = store.vectors(SPEC)
    assert found == ids
    np.testing.assert_allclose(back, vectors, atol=1e-6)
    assert store.held(SPEC, [*ids, make_record("other").image_id]).keys() == set(ids)
    np.testing.assert_allclose(store.vector(SPEC, ids[3]), vectors[3], atol=1e-6)


def test_held_tells_which_pixels_a_vector_was_made_from(store: VectorStore) -> None:
    record = make_record(pixel_sha256="a" * 64)
    store.ensure(SPEC)
    store.upsert(SPEC, [record.image_id], unit_vectors(1), [payload(record)])
    assert store.held(SPEC, [record.image_id]) == {record.image_id: "a" * 64}


def test_vectors_by_ids_leave_out_what_is_not_stored(store: VectorStore) -> None:
    ids, vectors = fill(store, SPEC)
    found, back = store.vectors(SPEC, ids=[ids[7], make_record("other").image_id, ids[2]])
    assert found == [ids[2], ids[7]]
    np.testing.assert_allclose(back, vectors[[2, 7]], atol=1e-6)


@pytest.mark.parametrize("exact", [False, True])
def test_neighbours_come_nearest_first_with_their_cosine(store: VectorStore, exact: bool) -> None:
    ids, vectors = fill(store, SPEC)
    answers = store.query(SPEC, vectors[:2], limit=5, exact=exact)
    for row, hits in enumerate(answers):
        cosine = vectors @ vectors[row]
        order = np.argsort(-cosine)[:5]
        assert [hit.image_id for hit in hits] == [ids[i] for i in order]
        np.testing.assert_allclose([hit.score for hit in hits], cosine[order], atol=1e-5)


def test_a_filter_holds_for_query_count_and_vectors(store: VectorStore) -> None:
    _, vectors = fill(store, SPEC)
    where = to_qdrant(parse("view = PA AND age >= 10"))
    assert store.count(SPEC, where) == 5
    passed = set(store.vectors(SPEC, where)[0])
    assert len(passed) == 5
    assert {hit.image_id for hit in store.query(SPEC, vectors[:1], 20, where)[0]} == passed


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
    store.ensure(newer)
    assert set(store.collections()) == {SPEC.collection, newer.collection}
    assert store.count(newer) == 0
    store.ensure(newer)
    store.ensure(SPEC)
    assert store.count(SPEC) == 20


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
    ("vectors", "code"),
    [
        (np.full((2, 8), np.nan, dtype=np.float32), ErrorCode.INVALID_ARGUMENT),
        (np.full((2, 8), np.inf, dtype=np.float32), ErrorCode.INVALID_ARGUMENT),
        (np.zeros((2, 8), dtype=np.float32), ErrorCode.INVALID_ARGUMENT),
        (np.ones((2, 7), dtype=np.float32), ErrorCode.FAILED_PRECONDITION),
        (np.ones(8, dtype=np.float32), ErrorCode.FAILED_PRECONDITION),
    ],
    ids=["nan", "inf", "zero", "wrong-dim", "one-row"],
)
def test_malformed_vectors_are_refused_whole(vectors: np.ndarray, code: ErrorCode) -> None:
    with pytest.raises(HilumError) as refused:
        check_vectors(SPEC, vectors)
    assert refused.value.code is code


def test_one_bad_vector_keeps_the_whole_batch_out(store: VectorStore) -> None:
    store.ensure(SPEC)
    vectors = unit_vectors(3)
    vectors[2, 4] = np.nan
    records = [make_record(str(n)) for n in range(3)]
    with pytest.raises(HilumError):
        store.upsert(SPEC, [r.image_id for r in records], vectors, [payload(r) for r in records])
    assert store.count(SPEC) == 0
