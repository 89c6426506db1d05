"""Findings of phantoms by the Classify rpc, with the encoder that ships: true, and the same as counted by hand."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from hilum.v1.encode_pb2 import ClassifyRequest, EncodePromptsRequest, Prompt
from services.core.errors import ErrorCode, HilumError
from services.core.facts import open_facts
from services.encoders.bundled import CLIP, DINO
from services.encoders.prompts import FINDINGS
from services.encoders.registry import Registry
from services.ingest.decode_pool import DecodePool
from services.ingest.encode_api import EncodeApi
from services.phantom.claims import FALSE, NO_FINDING, TRUE, Claim, Truths, agreement, all_hold
from services.phantom.film import display, render
from services.phantom.train.data import films_of
from services.phantom.train.metrics import auroc
from services.phantom.truth import PhantomFilm
from services.transport.edge import Call
from services.transport.vectors import from_message
from tests.kit.encoders import tiny_registry
from tests.kit.films import ramp, stored_bytes

CALL = Call("test")
FRESH_SEED = 515_151  # of nobody's training and of no model card
SUBJECTS = {
    "cardiomegaly": "cardiomegaly", "edema": "edema", "consolidation": "consolidation", "pneumothorax": "pneumothorax",
    "pleural_effusion": "effusion", "support_devices": "device",
}  # fmt: skip


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EncodeApi]:
    facts = open_facts(f"sqlite:///{tmp_path_factory.mktemp('facts') / 'facts.db'}")
    pool = DecodePool(1)
    yield EncodeApi(facts, Registry.bundled(), pool)
    pool.close()
    facts.close()


@pytest.fixture(scope="module")
def films() -> list[PhantomFilm]:
    return films_of(120, FRESH_SEED)


@pytest.fixture(scope="module")
def files(films: list[PhantomFilm]) -> list[bytes]:
    return [png(display(render(film, 200))) for film in films]


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_findings_are_found_without_training(api: EncodeApi, films: list[PhantomFilm], files: list[bytes]) -> None:
    answer = api.classify(ClassifyRequest(images=files), CALL)
    assert answer.model.name == CLIP, "the first that knows words"
    assert [p.name for p in answer.prompts] == list(FINDINGS)
    assert not answer.calibrated and answer.logit_scale == pytest.approx(18.16, abs=0.01)
    truths = Truths.of(films)
    for number, finding in enumerate(FINDINGS):
        scores = np.array([film.findings[number].score for film in answer.results])
        chances = np.array([film.findings[number].probability for film in answer.results])
        np.testing.assert_allclose(chances, 1 / (1 + np.exp(-answer.logit_scale * scores)), atol=1e-9)
        if finding == "no_finding":
            held = all_hold(NO_FINDING, truths)
        elif finding in SUBJECTS:
            held = agreement(Claim(SUBJECTS[finding]), truths)
        else:
            continue
        surely = (held == TRUE) | (held == FALSE)
        assert auroc(scores[surely], (held == TRUE)[surely])[0] >= 0.88, finding
    effusion = list(FINDINGS).index("pleural_effusion")
    held = agreement(Claim("effusion"), truths)
    chances = np.array([film.findings[effusion].probability for film in answer.results])
    assert chances[held == TRUE].mean() > 0.7 and chances[held == FALSE].mean() < 0.3


def test_the_same_numbers_as_by_hand(api: EncodeApi, films: list[PhantomFilm]) -> None:
    from services.phantom.train.evaluate import encode_films

    pixels = [display(render(film, 200)) for film in films[:8]]
    asked = Prompt(name="fluid", positive=["large pleural effusion", "pleural fluid"], negative=["no effusion"])
    answer = api.classify(ClassifyRequest(model=CLIP, images=map(png, pixels), prompts=[asked]), CALL)
    clip = Registry.bundled().get(CLIP)
    yes = clip.encode_texts(list(asked.positive)).mean(0)
    by_hand = encode_films(clip, pixels) @ (yes / np.linalg.norm(yes) - clip.encode_texts(["no effusion"])[0])
    np.testing.assert_allclose([film.findings[0].score for film in answer.results], by_hand, atol=1e-5)


def test_a_direction_ranks_films_as_the_scores_do(api: EncodeApi, files: list[bytes]) -> None:
    [effusion, mine] = api.encode_prompts(
        EncodePromptsRequest(
            findings=["pleural_effusion"], prompts=[Prompt(positive=["edema"], template="there is {} in this film")]
        ),
        CALL,
    ).results
    assert (effusion.prompt.name, mine.prompt.name) == ("pleural_effusion", "edema")
    assert mine.prompt.positive == ["there is edema in this film"]
    direction = from_message(effusion.vector)
    assert np.linalg.norm(direction) == pytest.approx(1, abs=1e-5)
    from hilum.v1.encode_pb2 import EncodeImagesRequest

    encoded = api.encode_images(EncodeImagesRequest(model=CLIP, images=files[:40]), CALL)
    vectors = np.stack([from_message(result.vector) for result in encoded.results])
    scored = api.classify(ClassifyRequest(images=files[:40], findings=["effusion"]), CALL)
    scores = np.array([film.findings[0].score for film in scored.results])
    np.testing.assert_allclose(vectors @ direction / (vectors @ direction).std(), scores / scores.std(), atol=1e-3)


def test_a_bad_film_costs_the_others_nothing(api: EncodeApi, files: list[bytes]) -> None:
    answer = api.classify(ClassifyRequest(images=[files[0], b"junk", files[1]], findings=["edema"]), CALL)
    assert [film.HasField("error") for film in answer.results] == [False, True, False]
    assert [len(film.findings) for film in answer.results] == [1, 0, 1]


def test_without_a_negative_side_or_a_scale_there_is_no_probability(api: EncodeApi, files: list[bytes]) -> None:
    alone = api.classify(ClassifyRequest(images=files[:1], prompts=[Prompt(positive=["edema"])]), CALL)
    assert not alone.results[0].findings[0].HasField("probability")
    unscaled = EncodeApi(api._facts, tiny_registry(), api._lanes._pool)
    answer = unscaled.classify(ClassifyRequest(images=[stored_bytes(ramp())], findings=["edema"]), CALL)
    assert answer.model.name == "tiny" and not answer.HasField("logit_scale")
    assert not answer.results[0].findings[0].HasField("probability")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"model": DINO}, ErrorCode.FAILED_PRECONDITION),
        ({"model": "gpt"}, ErrorCode.UNKNOWN_MODEL),
        ({"findings": [" "]}, ErrorCode.INVALID_ARGUMENT),
        ({"prompts": [Prompt(negative=["x"])]}, ErrorCode.INVALID_ARGUMENT),
        ({"prompts": [Prompt(positive=["x", ""])]}, ErrorCode.INVALID_ARGUMENT),
        ({"prompts": [Prompt(positive=["x"], template="no hole")]}, ErrorCode.INVALID_ARGUMENT),
        ({"prompts": [Prompt(positive=["x"] * 257)]}, ErrorCode.INVALID_ARGUMENT),
        ({"prompts": [Prompt(positive=["x" * 5000])]}, ErrorCode.PAYLOAD_TOO_LARGE),
    ],
)
def test_what_cannot_be_asked_is_refused(
    api: EncodeApi, files: list[bytes], asked: dict[str, object], code: ErrorCode
) -> None:
    for call in (
        lambda: api.classify(ClassifyRequest(images=files[:1], **asked), CALL),  # type: ignore[arg-type]
        lambda: api.encode_prompts(EncodePromptsRequest(**asked), CALL),  # type: ignore[arg-type]
    ):
        with pytest.raises(HilumError) as refused:
            call()
        assert refused.value.code is code
        assert len(refused.value.client_message) > 10


def test_no_films_no_answer(api: EncodeApi) -> None:
    with pytest.raises(HilumError) as refused:
        api.classify(ClassifyRequest(findings=["edema"]), CALL)
    assert refused.value.code is ErrorCode.INVALID_ARGUMENT
