"""Where a model sees what was asked: grids, pictures of them, and the two services that make them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hilum.v1 import encode_pb2, query_pb2, saliency_pb2
from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, open_facts
from services.core.store import VectorStore
from services.encoders.base import Frame, Patches
from services.encoders.registry import Registry
from services.encoders.saliency import apart, by_hiding, by_patches, covered, place, similarity, strength
from services.ingest.decode_pool import DecodePool
from services.ingest.encode_api import EncodeApi
from services.ingest.overlay import layer, over
from services.query.api import QueryApi
from services.transport.edge import Call
from tests.kit.archive import Archive, film, png, spot
from tests.kit.places import PlacesEncoder

CALL = Call("test")


def spots(*columns: float) -> np.ndarray:
    """Small bright spots at mid-height on grey."""
    return (90 + 150 * sum((spot(0.5, column) / 255.0) ** 4 for column in columns)).clip(0, 255).astype(np.uint8)


def found_at(values: np.ndarray) -> tuple[bool, bool]:
    """Is the strongest place the left spot of BOTH, or the right one? The other one speaks against it."""
    strongest = np.zeros((8, 8), bool)
    strongest[np.unravel_index(values.argmax(), (8, 8))] = True
    left, right = np.s_[3:5, 0:3], np.s_[3:5, 5:8]
    return (
        bool(strongest[left].any() and values[right].max() <= 0),
        bool(strongest[right].any() and values[left].max() <= 0),
    )


BOTH = spots(0.2, 0.8)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def test_the_place_that_is_asked_for_is_the_place_that_is_found() -> None:
    encoder = PlacesEncoder(dim=1024)
    shown = encoder.preprocess(film(BOTH))
    for words, expected in (("left", (True, False)), ("right", (False, True))):
        grid = by_hiding(encoder.encode_images, shown, encoder.encode_texts([words])[0])
        assert found_at(grid) == expected


def test_a_cover_hides_its_own_place_and_leaves_the_rest() -> None:
    film = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
    covers = covered(film)
    assert len(covers) == 64 and all(c.dtype == np.uint8 and c.shape == film.shape for c in covers)
    changed = [np.abs(c.astype(int) - film).reshape(8, 8, 8, 8).sum((1, 3)) for c in covers]
    assert [int(c.argmax()) for c in changed] == list(range(64))
    assert all((c == 0).sum() >= 20 for c in changed)
    three = np.stack([film / 255] * 3).astype(np.float32)
    assert covered(three)[0].shape == three.shape and covered(three)[0].dtype == np.float32


def test_several_tokens_are_compared_as_searches_compare_them() -> None:
    films, tokens = np.eye(3, dtype=np.float32)[None, :2], np.eye(3, dtype=np.float32)
    assert similarity(films, tokens[0]) == pytest.approx([1.0])
    assert similarity(films, tokens[1:]) == pytest.approx([0.5])
    assert similarity(films[:, 0], tokens[2]) == pytest.approx([0.0])


def test_local_vectors_are_held_against_the_likest_of_the_others() -> None:
    rng = np.random.default_rng(1)
    one, other = (rng.standard_normal((4, 6, 5)).astype(np.float32) + 9 for _ in range(2))
    other[2, 3] = one[1, 5]
    a, b = apart(one, other)
    found = by_patches(a, b.reshape(-1, 5))
    expected = np.array([[max(unit(p) @ unit(q) for q in b.reshape(-1, 5)) for p in row] for row in a])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found.argmax() == 11 and found[1, 5] == pytest.approx(1, abs=1e-5)
    assert abs(np.concatenate([a, b]).mean((0, 1))).max() < 1e-5


def test_strength_is_of_what_speaks_for_it_alone() -> None:
    np.testing.assert_allclose(strength(np.array([[-3.0, 0], [1, 4]], np.float32)), [[0, 0], [0.25, 1]])
    assert not strength(np.array([[-1.0, -2]], np.float32)).any()


@pytest.mark.parametrize("frame", [Frame(0, 0, 40, 30), Frame(5, -5, 30, 40), Frame(-10, 4, 60, 20)])
def test_a_grid_lies_where_the_network_sees(frame: Frame) -> None:
    grid = np.ones((8, 8), np.float32)
    grid[0] = 2
    on_film = place(grid, frame, 40, 30)
    assert on_film.shape == (40, 30) and on_film.dtype == np.float32
    for row in range(40):
        for column in range(30):
            down, across = (row + 0.5 - frame.top) / frame.height, (column + 0.5 - frame.left) / frame.width
            inside = 0 <= down <= 1 and 0 <= across <= 1
            part = float(np.clip(down * 8 - 0.5, 0, 1))
            expected = 2 - part**2 * (3 - 2 * part) if inside else 0
            assert on_film[row, column] == pytest.approx(expected, abs=1e-4)


def test_colours_grow_evenly_lighter_for_every_kind_of_colour_vision() -> None:
    ramp = layer(np.linspace(0, 1, 101, dtype=np.float32)[None])[0]
    linear = ((ramp[:, :3] / 255 + 0.055) / 1.055) ** 2.4
    # Viénot, Brettel and Mollon (1999): what a protanope and a deuteranope see of linear light.
    for seen in (np.eye(3), [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
                 [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]):  # fmt: skip
        light = np.clip(linear @ np.transpose(seen), 0, 1) @ [0.2126, 0.7152, 0.0722]
        steps = np.diff(116 * np.cbrt(light[20:]) - 16)
        assert steps.min() > 0.25, "each step is lighter than the one before"
    assert (ramp[0, 3], ramp[10, 3]) == (0, 0) and ramp[-1, 3] == 191 and (np.diff(ramp[:, 3].astype(int)) >= 0).all()


def test_the_film_shows_where_the_map_says_nothing() -> None:
    grey = np.random.default_rng(2).integers(0, 255, (20, 20)).astype(np.uint8)
    strong = np.zeros((20, 20), np.float32)
    strong[:, 10:] = 1
    shown = over(grey, layer(strong)).astype(int)
    assert (shown[:, :10] == grey[:, :10, None]).all()
    assert shown[:, 10:, 0].mean() > shown[:, 10:, 2].mean() + 40, "yellow over grey"


# -- the services -----------------------------------------------------------------------------------------------------


class _Local(PlacesEncoder):
    """It also says what is where: each quarter's brightness, in the space of words."""

    def encode_patches(self, batch) -> Patches:
        texts = ["left upper", "right upper", "left lower", "right lower"]
        grid = np.broadcast_to(self.encode_texts(texts).reshape(1, 2, 2, -1), (len(batch), 2, 2, 32))
        return Patches(grid, reads_text=True)

    def frame(self, height: int, width: int) -> Frame:
        return Frame(0, 0, height, width)


ENCODERS = (PlacesEncoder("where", 1024), PlacesEncoder("mute", 24, 1, False), _Local("local", 32))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EncodeApi]:
    facts = open_facts(f"sqlite:///{tmp_path_factory.mktemp('explain') / 'facts.db'}")
    pool = DecodePool(1)
    opened = EncodeApi(facts, Registry({encoder.spec.name: partial(_same, encoder) for encoder in ENCODERS}), pool)
    yield opened
    opened.close()
    pool.close()
    facts.close()


def _same(encoder: PlacesEncoder) -> PlacesEncoder:
    return encoder


def explain(api: EncodeApi, **asked) -> saliency_pb2.Explanation:
    return api.explain(encode_pb2.ExplainRequest(**{"model": "where", **asked}), CALL)


def test_a_film_is_explained_by_words_by_a_film_and_by_a_vector(api: EncodeApi) -> None:
    data, right = png(BOTH), ENCODERS[0].encode_texts(["right"])[0]
    by_words = explain(api, image=data, text="right")
    by_vector = explain(api, image=data, vector={"values": right})
    for answer in (by_words, by_vector):
        [found] = answer.maps
        values = np.array(found.values).reshape(found.height, found.width)
        assert values.max() == 1 and values.min() == 0 and found_at(values) == (False, True)
        assert found.high > 0 >= found.low
        assert (found.area.top, found.area.left, found.area.height, found.area.width) == (0, 0, 1, 1)
        assert answer.method == "hiding" and "covered" in answer.unit
        own = ENCODERS[0].encode_images([ENCODERS[0].preprocess(film(BOTH))])[0]
        assert answer.similarity == pytest.approx(float(own @ right), abs=1e-5)
        assert answer.provenance.models[0].fingerprint == ENCODERS[0].spec.fingerprint
        assert any("no explanation of a disease" in note for note in answer.provenance.notes)
    pictures = [np.asarray(Image.open(BytesIO(b.data))) for b in (by_words.maps[0].overlay, by_words.maps[0].layer)]
    assert [p.shape for p in pictures] == [(128, 128, 3), (128, 128, 4)]
    grey, opacity = BOTH, pictures[1][..., 3]
    assert np.abs(pictures[0].astype(int) - grey[..., None])[opacity == 0].max() <= 24, "JPEG's own error"
    pair = explain(api, image=data, other_image=png(spots(0.2)))
    halves = [np.array(found.values).reshape(8, 2, 4).sum((0, 2)) for found in pair.maps]
    assert len(halves) == 2 and halves[0][0] > 3 * halves[0][1], "of two spots, the one that both films have"


def test_what_every_film_has_can_be_taken_away(api: EncodeApi) -> None:
    one, other = png(np.maximum(spot(0.2, 0.2), spot(0.8, 0.8))), png(np.maximum(spot(0.2, 0.2), spot(0.8, 0.5)))
    encoder = ENCODERS[0]
    common = encoder.encode_images([encoder.preprocess(film(spot(0.2, 0.2)))])[0]
    plain = explain(api, image=one, other_image=other).maps[0]
    without = explain(api, image=one, other_image=other, less={"values": common}).maps[0]
    corner = [float(np.array(m.values).reshape(8, 8)[:3, :3].sum() / sum(m.values)) for m in (plain, without)]
    assert corner[1] < 0.6 * corner[0]


def test_local_vectors_explain_where_a_model_has_them(api: EncodeApi) -> None:
    data = png(spots(0.2))
    found = explain(api, image=data, text="left upper", method="patches", model="local").maps[0]
    assert found.values[0] == 1 and (found.height, found.width) == (2, 2)
    pair = explain(api, image=data, other_image=png(spots(0.5)), method="patches", model="local")
    assert len(pair.maps) == 2 and pair.method == "patches"
    with pytest.raises(HilumError, match="no local vectors"):
        explain(api, image=data, text="left", method="patches")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"text": "left"}, ErrorCode.INVALID_ARGUMENT),
        ({"image": b"junk", "text": "left"}, ErrorCode.UNREADABLE_IMAGE),
        ({"image": png(spot(0.5, 0.5))}, ErrorCode.INVALID_ARGUMENT),
        ({"image": png(spot(0.5, 0.5)), "text": " "}, ErrorCode.INVALID_ARGUMENT),
        ({"image": png(spot(0.5, 0.5)), "text": "x", "method": "magic"}, ErrorCode.INVALID_ARGUMENT),
        ({"image": png(spot(0.5, 0.5)), "text": "x", "method": "gradient"}, ErrorCode.FAILED_PRECONDITION),
        ({"image": png(spot(0.5, 0.5)), "text": "x", "model": "mute"}, ErrorCode.FAILED_PRECONDITION),
        ({"image": png(spot(0.5, 0.5)), "text": "x", "model": "none"}, ErrorCode.UNKNOWN_MODEL),
        ({"image": png(spot(0.5, 0.5)), "vector": {"values": [1.0]}}, ErrorCode.INVALID_ARGUMENT),
        ({"image": png(spot(0.5, 0.5)), "vector": {"values": [0.0] * 1024}}, ErrorCode.INVALID_ARGUMENT),
        ({"image": png(spot(0.5, 0.5)), "text": "x", "less": {"values": [1.0]}}, ErrorCode.INVALID_ARGUMENT),
    ],
)
def test_what_cannot_be_explained_is_refused(api: EncodeApi, asked: dict, code: ErrorCode) -> None:
    with pytest.raises(HilumError) as refused:
        explain(api, **asked)
    assert refused.value.code is code


def test_stored_films_are_explained_from_their_kept_pictures(facts: Facts, store: VectorStore, tmp_path: Path) -> None:
    archive = Archive(facts, store, Blobs(tmp_path / "blobs"), [ENCODERS[0], ENCODERS[1]])
    archive.open()
    film = archive.add("one", spot(0.3, 0.75), rows=2048, columns=1024)
    others = [archive.add(f"other-{i}", spot(0.3, 0.1 + i / 25)) for i in range(20)]
    archive.settle()
    api = QueryApi(facts, store, archive.encode, archive.blobs)
    try:
        asked = query_pb2.ExplainMatchRequest(image_id=film.image_id, query={"text": "right"})
        by_words = api.explain_match(asked, CALL)
        assert by_words.provenance.notes[-1].endswith("of 128 × 128 pixels; the film has 1024 × 2048")
        fresh = explain(archive.encode_api, image=png(spot(0.3, 0.75)), text="right")
        np.testing.assert_allclose(by_words.maps[0].values, fresh.maps[0].values, atol=1e-6)
        pair = query_pb2.ExplainMatchRequest(image_id=film.image_id, query={"image_id": others[19].image_id})
        answer = api.explain_match(pair, CALL)
        assert len(answer.maps) == 2
        assert "the mean vector of 21 films of this archive was subtracted" in answer.provenance.notes
        for wrong, code in (
            ({"image_id": "x", "query": {"text": "left"}}, ErrorCode.INVALID_ARGUMENT),
            ({"image_id": film.image_id}, ErrorCode.INVALID_ARGUMENT),
            ({"image_id": "00000000-0000-5000-8000-000000000000", "query": {"text": "left"}}, ErrorCode.NOT_FOUND),
            ({"image_id": film.image_id, "query": {"text": "left"}, "model": "mute"}, ErrorCode.FAILED_PRECONDITION),
            ({"image_id": film.image_id, "query": {"text": "left"}, "model": "no"}, ErrorCode.UNKNOWN_MODEL),
            ({"image_id": film.image_id, "query": {"vector": {"values": [1.0]}}}, ErrorCode.INVALID_ARGUMENT),
        ):
            with pytest.raises(HilumError) as refused:
                api.explain_match(query_pb2.ExplainMatchRequest(**wrong), CALL)
            assert refused.value.code is code
    finally:
        api.close()
        archive.close()
