"""Models of several vectors per film, from the encoder to the answer: stored whole, compared by MaxSim."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hilum import queries
from hilum.v1 import encode_pb2
from services.analytics import vectors as analysed
from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError
from services.core.facts import images
from services.core.filters import parse, to_qdrant
from services.core.models import ModelSpec
from services.core.store import VectorStore, check_question, check_vectors, payload, reading
from services.core.types import Film
from services.engine.supervisor import EngineProcess
from services.ingest.encode_api import EncodeApi
from services.query.asked import SearchQuery
from services.query.by import RawVector, StoredFilm, UploadedFilm, Words
from services.query.convert import search_query
from services.query.images import Images
from services.query.search import Search
from services.transport.encode_client import EncodeClient
from services.transport.vectors import from_message, to_message
from tests.kit.encoders import TinyEncoder, tiny_registry
from tests.kit.ingesting import Room, room, write_pictures
from tests.kit.records import make_record, make_spec, unit_vectors

SPEC = make_spec("several", 8, tokens=5)
VECTORS = unit_vectors(12 * 5, 8).reshape(12, 5, 8)


class BandsEncoder(TinyEncoder):
    """Four vectors per film, one for each quarter of its height; a text has one."""

    def __init__(self) -> None:
        super().__init__("bands", 16)
        self.spec = ModelSpec(
            name="bands", revision="test", weights_sha256="1" * 64, preprocessing="32-box", pooling="bands", dim=16,
            tokens=4, text_space="bands",
        )  # fmt: skip

    def preprocess(self, film: Film) -> np.ndarray:
        return super().preprocess(film)[0]

    def encode_images(self, batch: np.ndarray) -> np.ndarray:
        bands = np.asarray(batch).reshape(len(batch), 4, -1) - 0.4
        found = bands @ self._matrix[: bands.shape[-1]]
        return (found / np.linalg.norm(found, axis=-1, keepdims=True)).astype(np.float32)


def maxsim(question: np.ndarray, films: np.ndarray) -> np.ndarray:
    """Every vector of the question (T, D) finds its nearest of each film's (N, U, D); their mean."""
    return np.einsum("td,nud->ntu", np.atleast_2d(question), films).max(-1).mean(-1)


@pytest.fixture(scope="module")
def filled(engine: EngineProcess) -> Iterator[tuple[VectorStore, list[str]]]:
    store = VectorStore(engine.url)
    records = sorted(
        (make_record(f"film-{n}", view="PA" if n % 2 else "AP") for n in range(12)), key=lambda r: r.image_id
    )
    store.ensure(SPEC)
    store.upsert(SPEC, [r.image_id for r in records], VECTORS, [payload(r) for r in records])
    yield store, [r.image_id for r in records]
    store.drop(SPEC.collection)
    store.close()


def test_what_is_written_is_found_again(filled: tuple[VectorStore, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    store, ids = filled
    monkeypatch.setattr(reading, "_PAGE_POINTS", 5)
    found, back = store.vectors(SPEC)
    assert found == ids and back.dtype == np.float32
    np.testing.assert_allclose(back, VECTORS, atol=1e-6)
    np.testing.assert_allclose(store.vectors(SPEC, ids=[ids[4], ids[2]])[1], VECTORS[[2, 4]], atol=1e-6)
    np.testing.assert_allclose(store.vector(SPEC, ids[3]), VECTORS[3], atol=1e-6)
    assert store.vectors(SPEC, ids=[])[1].shape == (0, 5, 8)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("tokens", [0, 1, 3, 5])
def test_neighbours_come_nearest_first_with_the_mean_of_the_best_cosines(
    filled: tuple[VectorStore, list[str]], exact: bool, tokens: int
) -> None:
    store, ids = filled
    questions = unit_vectors(max(tokens, 1) * 2, 8, seed=3).reshape(2, *([tokens] if tokens else []), 8)
    for question, hits in zip(questions, store.query(SPEC, questions, 6, exact=exact), strict=True):
        scores = maxsim(question, VECTORS)
        order = np.argsort(-scores)[:6]
        assert [hit.image_id for hit in hits] == [ids[i] for i in order]
        np.testing.assert_allclose([hit.score for hit in hits], scores[order], atol=1e-5)


def test_a_film_is_its_own_nearest_with_cosine_one(filled: tuple[VectorStore, list[str]]) -> None:
    store, ids = filled
    [[best, *_]] = store.query(SPEC, [VECTORS[7]], 3)
    assert best.image_id == ids[7] and best.score == pytest.approx(1, abs=1e-5)


def test_a_filter_holds(filled: tuple[VectorStore, list[str]]) -> None:
    store, _ = filled
    where = to_qdrant(parse("view = PA"))
    found, back = store.vectors(SPEC, where)
    assert back.shape == (6, 5, 8)
    assert {hit.image_id for hit in store.query(SPEC, [VECTORS[0][0]], 12, where)[0]} == set(found)


def test_malformed_vectors_are_refused() -> None:
    for wrong in (VECTORS[0], VECTORS[:, :4], VECTORS[:, :, :7], VECTORS[:, 0]):
        with pytest.raises(HilumError, match="5x8") as refused:
            check_vectors(SPEC, wrong)
        assert refused.value.code is ErrorCode.FAILED_PRECONDITION
    for wrong in (VECTORS, VECTORS[0, :, :7], VECTORS[0, 0, :7], VECTORS[0, :0]):
        with pytest.raises(HilumError) as refused:
            check_question(SPEC, wrong)
        assert refused.value.code is ErrorCode.FAILED_PRECONDITION
    spoilt = VECTORS.copy()
    spoilt[3, 2] = 0
    for check, vectors in ((check_vectors, spoilt), (check_question, spoilt[3])):
        with pytest.raises(HilumError, match="zeros"):
            check(SPEC, vectors)
    with pytest.raises(HilumError, match="of 8 numbers, not of 5x8"):
        check_question(make_spec("one"), VECTORS[0])


def test_messages_carry_rows() -> None:
    for vector in (VECTORS[0], VECTORS[0, :1], VECTORS[0, 0]):
        back = from_message(encode_pb2.Vector.FromString(to_message(vector).SerializeToString()))
        assert back.shape == vector.shape
        np.testing.assert_array_equal(back, vector)
    for tokens in (-1, 3, 41):
        with pytest.raises(HilumError, match="rows of equal length"):
            from_message(encode_pb2.Vector(values=range(40), tokens=tokens))
    with pytest.raises(HilumError):
        from_message(encode_pb2.Vector(tokens=2))
    asked = search_query(queries.search(vector=VECTORS[0], models=["several"])).by
    assert isinstance(asked, RawVector) and asked.values.shape == (5, 8)


@pytest.fixture(scope="module")
def opened(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with room(tmp_path_factory.mktemp("bands"), engine.url, tiny_registry(BandsEncoder())) as made:
        yield made
        made.store.drop(BandsEncoder().spec.collection)


def test_from_a_folder_to_an_answer(opened: Room, tmp_path: Path) -> None:
    """Ingest, ask by a stored film, by its file and by words, correct a table, and hand the vectors to an analysis."""
    films = tmp_path / "films"
    names = write_pictures(films, 6)
    table = tmp_path / "labels.csv"
    table.write_text("file,view\n" + "".join(f"{name},PA\n" for name in names))
    assert opened.ingest(films, labels=table).result["stored"] == 6
    encoder, ids = BandsEncoder(), sorted(opened.everywhere())
    found, stored = opened.store.vectors(encoder.spec)
    assert found == ids and stored.shape == (6, 4, 16)

    encode = EncodeClient.local(EncodeApi(opened.facts, opened.registry, opened.pool))
    search = Search(opened.facts, opened.store, encode, Images(opened.facts, Blobs(tmp_path / "blobs")))

    def scores(by: StoredFilm | UploadedFilm | Words) -> dict[str, float]:
        answer = search(SearchQuery(by, limit=6, exact=True))
        return {hit.image.record.image_id: hit.score for hit in answer.hits}

    try:
        for by, question, without in (
            (StoredFilm(ids[2]), stored[2], {ids[2]}),
            (Words("bright above"), encoder.encode_texts(["bright above"])[0], set()),
        ):
            wanted = dict(zip(ids, maxsim(question, stored), strict=True))
            answered = scores(by)
            assert answered == pytest.approx({i: s for i, s in wanted.items() if i not in without}, abs=1e-5)
            assert list(answered) == sorted(answered, key=answered.__getitem__, reverse=True)
        uploaded = EncodeClient.encode_images(encode, "bands", [(films / names[0]).read_bytes()])[0]
        assert isinstance(uploaded, np.ndarray) and uploaded.shape == (4, 16)
        assert len(scores(UploadedFilm((films / names[0]).read_bytes()))) == 5  # the film itself is no answer
    finally:
        search.close()

    table.write_text("file,view\n" + "".join(f"{name},AP\n" for name in names))
    assert opened.ingest(films, labels=table).result["stored"] == 6
    assert {record.view for record in images.get(opened.facts, ids).values()} == {"AP"}
    np.testing.assert_allclose(opened.store.vectors(encoder.spec)[1], stored, atol=1e-6)

    pooled = analysed.fetch(opened.store, encoder.spec, ids, tmp_path / "v.npy", lambda *_: None)
    means = stored.mean(axis=1)
    np.testing.assert_allclose(pooled, means / np.linalg.norm(means, axis=1, keepdims=True), atol=1e-5)
