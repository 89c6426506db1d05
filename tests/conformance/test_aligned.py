"""Learned maps as encoders: the base's films and the text tower's words, each mapped, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from services.core.affine import Affine
from services.core.aligned import ABOUT, MAP, Aligned, Named, by_sentence, sentences
from services.core.errors import ErrorCode, HilumError
from services.core.tfidf import Tfidf
from services.core.types import Film
from services.encoders.base import Derived, Encoder
from services.encoders.bundled import CHECKPOINTS, CLIP, DINO
from services.encoders.families import load
from services.encoders.installed import scan
from services.encoders.network import Checkpoint
from services.ingest.encoding import encode_words
from tests.kit.conformance import TEXTS, agree_on_films, agree_on_texts, films

RNG = np.random.default_rng(0)
REPORTS = ["No effusion. Heart is large.", "Large left effusion.", "Heart is normal, no effusion.", "effusion effusion"]


def drawn(*shape: int) -> NDArray[np.float32]:
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.fixture(scope="module")
def bundled() -> dict[str, Encoder]:
    return {name: model.load() for name, model in scan(CHECKPOINTS).models.items()}


@pytest.fixture(scope="module")
def made(bundled: dict[str, Encoder]) -> Aligned:
    named = {name: Named(name, encoder.spec.fingerprint) for name, encoder in bundled.items()}
    return Aligned(named[DINO], named[CLIP], Affine(drawn(160, 48), drawn(48)), Affine(drawn(256, 48), drawn(48)), {})


def opened(made: Aligned, folder: Path) -> Encoder:
    made.write(folder)
    return load("aligned", Checkpoint(folder, "dino-words", "test"))


def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return vector / np.linalg.norm(vector)


def test_vectors_are_those_of_both_encoders_mapped(made: Aligned, bundled: dict[str, Encoder], tmp_path: Path) -> None:
    encoder = opened(made, tmp_path / "map")

    def film(one: Film) -> NDArray[np.float32]:
        base = bundled[DINO]
        return base.encode_images([base.preprocess(one)])[0] @ made.of_images.weight + made.of_images.bias

    def text(said: str) -> NDArray[np.float32]:
        parts = [bundled[CLIP].encode_texts([part])[0] for part in sentences(said)]
        return unit(np.mean(parts, axis=0)) @ made.of_texts.weight + made.of_texts.bias

    agree_on_films(encoder, film)
    agree_on_texts(encoder, text, (*TEXTS, "Heart is large. No effusion.\nLines: none. "))
    assert (encoder.spec.dim, encoder.spec.tokens) == (48, 1)
    assert encoder.spec.preprocessing == bundled[DINO].spec.preprocessing

    stored = bundled[DINO].encode_images([bundled[DINO].preprocess(one) for one in films()])
    assert isinstance(encoder, Derived)
    again = encoder.encode_images([encoder.preprocess(one) for one in films()])
    np.testing.assert_allclose(encoder.derive(3 * stored), again, atol=1e-5)  # engines keep directions alone


def test_another_map_another_base_or_another_tower_is_another_fingerprint(made: Aligned, tmp_path: Path) -> None:
    first = opened(made, tmp_path / "a").spec
    assert opened(made, tmp_path / "b").spec == first
    other = Aligned(made.base, made.text, Affine(drawn(160, 48), drawn(48)), made.of_texts, {})
    assert opened(other, tmp_path / "c").spec.fingerprint != first.fingerprint
    assert made.base.fingerprint[:12] in first.pooling
    assert isinstance(made.text, Named) and made.text.fingerprint[:12] in str(first.text_space)


def test_encoders_it_builds_on_are_shared_where_they_are_lent(
    made: Aligned, bundled: dict[str, Encoder], tmp_path: Path
) -> None:
    made.write(tmp_path / "map")
    encoder = load("aligned", Checkpoint(tmp_path / "map", "dino-words", "test", lend=bundled.__getitem__))
    assert encoder.base is bundled[DINO]  # type: ignore[attr-defined]


def test_what_is_not_as_it_was_is_refused_and_says_what_to_do(made: Aligned, tmp_path: Path) -> None:
    absent = Aligned(Named("rad-dino", "0" * 64), made.text, made.of_images, made.of_texts, {})
    changed = Aligned(Named(DINO, "0" * 64), made.text, made.of_images, made.of_texts, {})
    short = Aligned(made.base, made.text, Affine(drawn(8, 48), drawn(48)), made.of_texts, {})
    for place, (wrong, word) in enumerate([(absent, "rad-dino"), (changed, "learn it again"), (short, "length")]):
        with pytest.raises(HilumError, match=word) as refused:
            opened(wrong, tmp_path / str(place))
        assert refused.value.code is ErrorCode.FAILED_PRECONDITION
        assert str(tmp_path) not in refused.value.client_message


@pytest.mark.parametrize(
    ("file", "content"),
    [(ABOUT, "{}"), (ABOUT, "["), (MAP, "no tensors"), (ABOUT, json.dumps({"schema": 2, "base": {}, "text": None}))],
)  # fmt: skip
def test_a_damaged_folder_is_refused(made: Aligned, tmp_path: Path, file: str, content: str) -> None:
    made.write(tmp_path / "map")
    (tmp_path / "map" / file).write_text(content)
    with pytest.raises(HilumError) as refused:
        Aligned.read(tmp_path / "map")
    assert refused.value.code is ErrorCode.FAILED_PRECONDITION


def test_a_space_of_words_needs_no_text_model(made: Aligned, tmp_path: Path) -> None:
    terms = ("effusion", "heart", "large", "no effusion", "left effusion")
    words = Tfidf(terms, np.array([1, 2, 2, 1.5, 3], np.float32), drawn(5, 4))
    encoder = opened(Aligned(made.base, words, made.of_images, Affine(drawn(4, 48), drawn(48)), {}), tmp_path / "map")
    found = encoder.encode_texts(REPORTS[:2])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    known, unknown = encode_words(encoder, ["large effusion", "quokka"])
    assert isinstance(known, np.ndarray)
    assert isinstance(unknown, HilumError)
    assert "other words" in unknown.client_message


def test_tfidf_is_that_of_an_independent_library() -> None:
    theirs = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"[a-z0-9]+").fit(REPORTS)
    terms = tuple(theirs.get_feature_names_out())
    ours = Tfidf(terms, theirs.idf_.astype(np.float32), np.eye(len(terms), dtype=np.float32))
    np.testing.assert_allclose(ours.vectors(REPORTS), theirs.transform(REPORTS).toarray(), atol=1e-6)


def test_sentences_end_where_they_end() -> None:
    assert sentences("Small effusion.  Heart 1.5 cm larger? No.\n\nLines\n- PICC\n- tube") == [
        "Small effusion.", "Heart 1.5 cm larger?", "No.", "Lines", "- PICC", "- tube",
    ]  # fmt: skip
    assert sentences("no effusion") == ["no effusion"]
    assert sentences("...") == ["..."]
    asked: list[list[str]] = []

    def encode(texts: list[str]) -> NDArray[np.float32]:
        asked.append(texts)
        return np.array([[len(text), 1] for text in texts], np.float32)

    found = by_sentence(["One. Two two.", "One."], encode)
    assert asked == [["One.", "Two two."]]
    np.testing.assert_allclose(found, [unit(np.array([6, 1])), unit(np.array([4, 1]))], atol=1e-6)
