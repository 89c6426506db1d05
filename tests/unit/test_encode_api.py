"""Films and words to vectors over the Encode RPC: per-item answers, the same vectors as an ingest's, bounded work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hilum.v1.encode_pb2 import EncodeImagesRequest, EncodeTextsRequest, ListModelsRequest
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, models
from services.encoders.registry import Offer, Registry
from services.ingest.callers import Room
from services.ingest.decode import decode
from services.ingest.decode_pool import DecodePool
from services.ingest.encode_api import EncodeApi
from services.ingest.encode_lanes import EncodeLanes
from services.ingest.text_cache import TextCache
from services.transport import metrics
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


def test_more_than_there_is_room_for_is_told_to_come_again(facts: Facts, pool: DecodePool) -> None:
    entered, leave = threading.Event(), threading.Event()

    class Waiting(TinyEncoder):
        def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
            entered.set()
            assert leave.wait(10)
            return super().encode_texts(texts)

    api = EncodeApi(facts, tiny_registry(Waiting()), pool, EncodeLanes(pool, Room(calls=9, items=3, size=2**18)))
    first = threading.Thread(target=api.encode_texts, args=(EncodeTextsRequest(model="tiny", texts=["a", "b"]), CALL))
    first.start()
    assert entered.wait(10)
    for request in (["c", "d"], ["long" * 20_000]):
        with pytest.raises(HilumError) as refused:
            api.encode_texts(EncodeTextsRequest(model="tiny", texts=request), CALL)
        assert refused.value.code is ErrorCode.RESOURCE_EXHAUSTED
    leave.set()
    first.join(10)
    assert len(api.encode_texts(EncodeTextsRequest(model="tiny", texts=["c", "d"]), CALL).results) == 2
    api.close()


def test_many_callers_share_forward_passes(facts: Facts, pool: DecodePool) -> None:
    class Slow(TinyEncoder):
        def encode_images(self, batch: np.ndarray) -> np.ndarray:
            time.sleep(0.05)
            return super().encode_images(batch)

    encoder = Slow()
    client = EncodeClient.local(EncodeApi(facts, tiny_registry(encoder), pool))
    files = [stored_bytes(ramp(seed=i)) for i in range(16)]
    with ThreadPoolExecutor(16) as callers:
        answers = [a[0] for a in callers.map(lambda f: client.encode_images("tiny", [f]), files * 3)]
    assert encoder.encoded == 48 and len(encoder.batches) <= 24
    plain = TinyEncoder()
    alone = plain.encode_images(np.stack([plain.preprocess(decode(f).film) for f in files]))
    np.testing.assert_allclose(np.stack(answers), np.concatenate([alone] * 3), atol=1e-6)


def test_one_large_request_does_not_hold_up_a_small_one(facts: Facts, pool: DecodePool) -> None:
    class Slow(TinyEncoder):
        def encode_images(self, batch: np.ndarray) -> np.ndarray:
            time.sleep(0.02 * len(batch))
            return super().encode_images(batch)

    encoder = Slow()
    api = EncodeApi(facts, tiny_registry(encoder), pool)
    film = stored_bytes(ramp())
    large = threading.Thread(
        target=api.encode_images, args=(EncodeImagesRequest(model="tiny", images=[film] * 120), CALL)
    )
    large.start()
    while encoder.encoded < 20:
        time.sleep(0.01)
    api.encode_images(EncodeImagesRequest(model="tiny", images=[film]), CALL)
    seen = encoder.encoded
    large.join(60)
    assert seen < 100 and encoder.encoded == 121


def test_a_film_that_no_encoder_takes_costs_other_callers_nothing(facts: Facts, pool: DecodePool) -> None:
    class Picky(TinyEncoder):
        def encode_images(self, batch: np.ndarray) -> np.ndarray:
            time.sleep(0.02)
            if (np.asarray(batch).std(axis=(1, 2, 3)) < 0.01).any():
                raise MemoryError
            return super().encode_images(batch)

    faint = np.full((64, 64), 2000, np.uint16)
    faint[0, 0] = 2001
    files = [stored_bytes(ramp(seed=i)) for i in range(7)] + [stored_bytes(faint, WindowWidth=4096)]
    client = EncodeClient.local(EncodeApi(facts, tiny_registry(Picky()), pool))
    with ThreadPoolExecutor(8) as callers:
        answers = [a[0] for a in callers.map(lambda f: client.encode_images("tiny", [f]), files)]
    assert [isinstance(a, HilumError) for a in answers] == [False] * 7 + [True]


def test_a_deadline_ends_the_waiting_and_the_work(facts: Facts, pool: DecodePool) -> None:
    class Slow(TinyEncoder):
        def encode_images(self, batch: np.ndarray) -> np.ndarray:
            time.sleep(0.2)
            return super().encode_images(batch)

    encoder = Slow()
    api = EncodeApi(facts, tiny_registry(encoder), pool)
    started = time.monotonic()
    with pytest.raises(HilumError) as refused:
        api.encode_images(
            EncodeImagesRequest(model="tiny", images=[stored_bytes(ramp())] * 200), Call("test", deadline=started + 0.5)
        )
    assert refused.value.code is ErrorCode.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 2
    time.sleep(0.5)
    assert encoder.encoded < 120, "what was still waiting was dropped"


def test_models_take_turns_within_a_bound_of_memory(facts: Facts, pool: DecodePool) -> None:
    loads: list[str] = []

    def offer(name: str) -> Offer:
        def load() -> TinyEncoder:
            loads.append(name)
            return TinyEncoder(name)

        return Offer(load, TinyEncoder(name).spec, 100)

    registry = Registry({name: offer(name) for name in ("one", "two", "three")}, memory=200)
    client = EncodeClient.local(EncodeApi(facts, registry, pool))
    film = stored_bytes(ramp())
    for name in ("one", "two", "one", "three", "one", "two"):
        assert isinstance(client.encode_images(name, [film])[0], np.ndarray)
        assert sum(registry.loaded().values()) <= 200
    assert loads == ["one", "two", "three", "two"], "the one used longest ago left, and an idle lane held on to none"


def test_the_text_cache_is_bounded_in_bytes_and_counted(facts: Facts, pool: DecodePool) -> None:
    cache = TextCache(most_bytes=5_000)
    api = EncodeApi(facts, tiny_registry(), pool, EncodeLanes(pool, cache=cache))
    hits = metrics.TEXT_CACHE.labels("hit")._value.get()
    for number in range(30):
        api.encode_texts(EncodeTextsRequest(model="tiny", texts=[f"finding {number}"]), CALL)
        assert cache.size <= 5_000
    assert 5 <= len(cache) < 12
    api.encode_texts(EncodeTextsRequest(model="tiny", texts=["finding 29", "finding 0"]), CALL)
    assert metrics.TEXT_CACHE.labels("hit")._value.get() - hits == 1


def test_work_for_a_client_that_left_is_dropped(api: EncodeApi) -> None:
    with pytest.raises(HilumError) as refused:
        api.encode_images(EncodeImagesRequest(model="tiny", images=[b"x"]), Call("test", is_cancelled=lambda: True))
    assert refused.value.code is ErrorCode.CANCELLED
