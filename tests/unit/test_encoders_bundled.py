"""The bundled encoders on fresh phantoms of patients they never saw: search by words must truly work."""

import numpy as np
import pytest

from services.encoders.base import Encoder
from services.encoders.bundled import CLIP, DINO
from services.encoders.registry import Registry
from services.phantom.claims import FALSE, TRUE, Claim, Truths, agreement
from services.phantom.film import display, render
from services.phantom.train.data import films_of
from services.phantom.train.evaluate import QUERIES, Scores, as_film, encode_films, score
from services.phantom.train.metrics import auroc
from services.phantom.truth import Findings, PhantomFilm

FRESH_SEED = 424_242  # neither of training nor of the model cards


@pytest.fixture(scope="module")
def clip() -> Encoder:
    return Registry.bundled().get(CLIP)


@pytest.fixture(scope="module")
def dino() -> Encoder:
    return Registry.bundled().get(DINO)


@pytest.fixture(scope="module")
def films() -> list[PhantomFilm]:
    return films_of(160, FRESH_SEED)


@pytest.fixture(scope="module")
def pixels(films: list[PhantomFilm]) -> list[np.ndarray]:
    return [display(render(film, 224)) for film in films]


@pytest.fixture(scope="module")
def clip_scores(clip: Encoder, pixels: list[np.ndarray], films: list[PhantomFilm]) -> Scores:
    return score(clip, pixels, films)


def test_text_finds_findings(clip_scores: Scores) -> None:
    assert clip_scores.mean("finding") >= 0.90, clip_scores.finding


def test_right_is_not_left(clip: Encoder) -> None:
    films = [PhantomFilm(p, findings=Findings(**{f"effusion_{side}": 0.35 + 0.04 * (p % 12)}))
             for p, side in ((9_000_000 + i, ("right", "left")[i % 2]) for i in range(40))]  # fmt: skip
    vectors = encode_films(clip, [display(render(f, 224)) for f in films])
    right = np.array([f.findings.effusion_right > 0 for f in films])
    for text, wanted in (("right pleural effusion", right), ("fluid in the left pleural space", ~right)):
        assert auroc(vectors @ clip.encode_texts([text])[0], wanted)[0] >= 0.95, text


def test_no_effusion_does_not_fetch_effusions(
    clip: Encoder, pixels: list[np.ndarray], films: list[PhantomFilm]
) -> None:
    held = agreement(Claim("effusion"), Truths.of(films))
    scores = encode_films(clip, pixels) @ clip.encode_texts(["no pleural effusion"])[0]
    assert auroc(scores[held >= 0], (held == FALSE)[held >= 0])[0] >= 0.9
    assert not (held[np.argsort(-scores)[:20]] == TRUE).any()


def test_neighbours_share_findings(clip_scores: Scores, dino: Encoder, pixels: list, films: list) -> None:
    for scores in (clip_scores, score(dino, pixels, films)):
        shared, chance = scores.purity_at_10
        assert shared > 1.7 * chance


def test_a_repeat_film_is_near(dino: Encoder) -> None:
    """The same person on another day is nearer than nearly everybody else."""
    people = [PhantomFilm(8_000_000 + p, day, "PA", "MF"[p % 2], 30 + p) for p in range(24) for day in (0, 1)]
    vectors = encode_films(dino, [display(render(f, 224)) for f in people])
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    partner = cosines[np.arange(48), np.arange(48) ^ 1]
    rank = (cosines > partner[:, None]).sum(1)
    assert np.median(rank) < 8  # of 47; by chance 23


@pytest.mark.parametrize("name", [CLIP, DINO])
def test_vectors_are_unit_deterministic_and_independent_of_the_batch(name: str, pixels: list[np.ndarray]) -> None:
    encoder = Registry.bundled().get(name)
    batch = np.stack([encoder.preprocess(as_film(p)) for p in pixels[:5]])
    vectors = encoder.encode_images(batch)
    assert vectors.dtype == np.float32 and vectors.shape == (5, encoder.spec.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.array_equal(vectors, encoder.encode_images(batch))
    alone = np.concatenate([encoder.encode_images(batch[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(alone, vectors, atol=1e-4)
    assert encoder.encode_images(batch[:0]).shape == (0, encoder.spec.dim)


def test_texts_are_unit_and_long_ones_are_cut(clip: Encoder) -> None:
    texts = ["right pleural effusion", "RIGHT pleural effusion", "zebra xylophone", "small effusion. " * 200]
    vectors = clip.encode_texts(texts)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.array_equal(vectors[0], vectors[1])
    assert clip.encode_texts([]).shape == (0, clip.spec.dim)


def test_every_query_word_is_a_word_to_the_tokenizer() -> None:
    from services.encoders.bundled import CHECKPOINTS

    known = set((CHECKPOINTS / CLIP / "vocab.txt").read_text().split())
    assert {w for q in QUERIES.values() for w in q.split()} <= known
