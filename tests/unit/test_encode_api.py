"""Films and words to vectors over the Encode RPC: per-item answers, the same vectors as an ingest's, bounded work."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from hilum.v1.encode_pb2 import EncodeImagesRequest, EncodeTextsRequest, ListModelsRequest
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, models
from services.ingest import encode_api
from services.ingest.decode import decode
from services.ingest.decode_pool import DecodePool
from services.ingest.encode_api import EncodeApi
from services.transport.edge import Call
from services.transport.encode_client import EncodeClient
from tests.kit.encoders import TinyEncoder, tiny_registry
from tests.kit.films import ramp, stored_bytes
from tests.kit.records import make_record, make_spec, stored

CALL = Call("test")


@pytest.fixture(scope="module")
def pool() -> Iterator[DecodePool]:
    opened = DecodePool(2)
    yield opened
    opened.close()


@pytest.fixture
def api(facts: Facts, pool: DecodePool) -> EncodeApi:
    return EncodeApi(facts, tiny_registry(), pool)


def test_films_are_encoded_as_an_ingest_encodes_them(api: EncodeApi) -> None:
    files = [stored_bytes(ramp(seed=i)) for i in range(20)]
    answers = EncodeClient.local(api).encode_images("tiny", files)
    encoder = TinyEncoder("tiny", 16)
    alone = np.concatenate([encoder.encode_images(encoder.preprocess(decode(f).film)[None]) for f in files])
    np.testing.assert_allclose(np.stack(answers), alone, atol=1e-6)  # type: ignore[arg-type]


def test_a_bad_film_costs_the_others_nothing(api: EncodeApi) -> None:
    files = [stored_bytes(ramp()), b"junk", b"", stored_bytes(ramp(), Modality="CT"), stored_bytes(ramp(seed=1))]
    answers = EncodeClient.local(api).encode_images("tiny", files)
    assert [isinstance(a, HilumError) for a in answers] == [False, True, True, True, False]
    errors = [a for a in answers if isinstance(a, HilumError)]
    assert {e.code for e in errors} == {ErrorCode.UNREADABLE_IMAGE} and "CR or DX" in errors[2].client_message


def test_texts_per_item_and_remembered(facts: Facts, pool: DecodePool) -> None:
    asked: list[str] = []

    class Counting(TinyEncoder):
        def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
            asked.extend(texts)
            return super().encode_texts(texts)

    client = EncodeClient.local(EncodeApi(facts, tiny_registry(Counting()), pool))
    first = client.encode_texts("tiny", ["effusion", " ", "edema", "effusion", "x" * 5000])
    assert [isinstance(a, HilumError) for a in first] == [False, True, False, False, True]
    np.testing.assert_array_equal(first[0], first[3])
    again = client.encode_texts("tiny", ["edema", "nodule"])
    np.testing.assert_array_equal(again[0], first[2])
    assert asked == ["effusion", "edema", "nodule"]


def test_what_a_model_cannot_do(api: EncodeApi) -> None:
    for request, code in (
        (EncodeTextsRequest(model="small", texts=["x"]), ErrorCode.FAILED_PRECONDITION),
        (EncodeTextsRequest(model="none", texts=["x"]), ErrorCode.UNKNOWN_MODEL),
        (EncodeTextsRequest(model="tiny"), ErrorCode.INVALID_ARGUMENT),
        (EncodeTextsRequest(model="tiny", texts=["x"] * 257), ErrorCode.INVALID_ARGUMENT),
    ):
        with pytest.raises(HilumError) as refused:
            api.encode_texts(request, CALL)
        assert refused.value.code is code
    with pytest.raises(HilumError):
        api.encode_images(EncodeImagesRequest(model="tiny"), CALL)


def test_models_with_their_films_and_those_that_only_the_archive_knows(api: EncodeApi, facts: Facts) -> None:
    here, gone = TinyEncoder("tiny", 16).spec, make_spec("retired")
    for spec in (here, gone):
        models.register(facts, spec)
    images.commit(facts, [stored(make_record(str(i)), [here]) for i in range(3)])
    listed = {m.name: m for m in api.list_models(ListModelsRequest(), CALL).models}
    assert (listed["tiny"].available, listed["tiny"].images, listed["tiny"].text) == (True, 3, True)
    assert (listed["small"].available, listed["small"].images, listed["small"].text) == (True, 0, False)
    assert (listed["retired"].available, listed["retired"].fingerprint) == (False, gone.fingerprint)


def test_more_requests_than_there_is_room_for_are_told_to_come_again(
    facts: Facts, pool: DecodePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode_api, "_AT_ONCE", 2)
    entered, leave = threading.Barrier(3), threading.Event()

    class Waiting(TinyEncoder):
        def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
            entered.wait(10)
            leave.wait(10)
            return super().encode_texts(texts)

    api = EncodeApi(facts, tiny_registry(Waiting()), pool)
    threads = [
        threading.Thread(target=api.encode_texts, args=(EncodeTextsRequest(model="tiny", texts=[str(i)]), CALL))
        for i in range(2)
    ]
    for thread in threads:
        thread.start()
    entered.wait(10)
    with pytest.raises(HilumError) as refused:
        api.encode_texts(EncodeTextsRequest(model="tiny", texts=["one too many"]), CALL)
    assert refused.value.code is ErrorCode.RESOURCE_EXHAUSTED
    leave.set()
    for thread in threads:
        thread.join()


def test_work_for_a_client_that_left_is_dropped(api: EncodeApi) -> None:
    with pytest.raises(HilumError) as refused:
        api.encode_images(EncodeImagesRequest(model="tiny", images=[b"x"]), Call("test", is_cancelled=lambda: True))
    assert refused.value.code is ErrorCode.CANCELLED
