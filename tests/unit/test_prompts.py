"""How models are asked, and the arithmetic of asking."""

from __future__ import annotations

import numpy as np
import pytest

from services.core.labels import CHEXPERT, label_key
from services.encoders import prompts
from services.encoders.prompts import FINDINGS, LISTS, STYLES, Prompt, prompt_of, style_of


def asked(finding: str, model: str) -> Prompt:
    return prompt_of(finding, model).dressed(style_of(model).template)


@pytest.mark.parametrize(
    ("model", "finding", "positive", "negative"),
    [
        ("biomedclip", "Edema", ("this is a photo of edema",), ("this is a photo of no edema",)),
        ("medimageinsight", "pneumonia", ("x-ray chest anteroposterior pneumonia",),
         ("x-ray chest anteroposterior No Finding",)),
        ("chexzero", "Pleural Effusion", ("pleural effusion",), ("no pleural effusion",)),
        ("chexzero-best-64", "effusion", ("pleural effusion",), ("no pleural effusion",)),
        ("medsiglip-448", "pleural_effusion", ("pleural effusion present",), ("normal X-ray",)),
        ("hilum-cxr-clip", "edema", ("pulmonary edema",), ("no pulmonary edema",)),
        ("somebodys-own", "endotracheal tube", ("endotracheal tube",), ("no endotracheal tube",)),
        ("somebodys-own", "Lung_Lesion", ("lung lesion",), ("no lung lesion",)),
    ],
)  # fmt: skip
def test_each_model_is_asked_as_its_authors_do(
    model: str, finding: str, positive: tuple[str, ...], negative: tuple[str, ...]
) -> None:
    prompt = asked(finding, model)
    assert (prompt.positive, prompt.negative) == (positive, negative)
    assert prompt.name == label_key(finding)


def test_lists_are_asked_where_the_authors_ask_by_lists() -> None:
    prompt = asked("pleural_effusion", "cxr-foundation")
    assert "large pleural effusion" in prompt.positive and "no pleural effusion" in prompt.negative
    assert asked("pacemaker", "cxr-foundation").negative == ("no pacemaker",), "what has no list is asked by its name"
    assert set(LISTS) <= set(FINDINGS)


@pytest.mark.parametrize("model", STYLES)
def test_every_finding_of_chexpert_can_be_asked_of_every_model(model: str) -> None:
    assert tuple(map(label_key, CHEXPERT)) == FINDINGS
    for finding in FINDINGS:
        prompt = asked(finding, model)
        assert prompt.name == finding
        assert prompt.positive and prompt.negative
        assert not set(prompt.positive) & set(prompt.negative)
        assert not any("{}" in text or "_" in text or not text.strip() for text in prompt.positive + prompt.negative)
    assert style_of(model).source
    assert "no no finding" not in " ".join(asked("No Finding", model).negative).lower()


def test_a_template_is_no_format_string() -> None:
    prompt = Prompt("x", ("a {0.__class__} {b}",)).dressed("look: {} {model}")
    assert prompt.positive == ("look: a {0.__class__} {b} {model}",)


def test_an_ensemble_is_a_mean_of_directions_not_of_lengths() -> None:
    vectors = np.array([[100, 0, 0], [0, 1, 0]], np.float32)
    np.testing.assert_allclose(prompts.ensemble(vectors), np.array([1, 1, 0]) / np.sqrt(2), atol=1e-6)


def test_a_direction_leads_from_the_negative_to_the_positive() -> None:
    positive, negative = np.eye(3, dtype=np.float32)[:2]
    np.testing.assert_allclose(prompts.direction(positive, negative), np.array([1, -1, 0]) / np.sqrt(2), atol=1e-6)
    np.testing.assert_allclose(prompts.direction(positive), positive)
    assert np.isfinite(prompts.direction(positive, positive)).all()


def test_a_score_is_the_difference_of_cosines_whatever_the_lengths() -> None:
    positive, negative = np.eye(3, dtype=np.float32)[:2]
    image = np.array([3, 4, 0], np.float32)
    assert prompts.score(image, positive, negative) == pytest.approx(0.6 - 0.8)
    assert prompts.score(image, positive) == pytest.approx(0.6)
    tokens = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 5]], np.float32)
    assert prompts.score(tokens, positive, negative) == pytest.approx(0.0), "each side by the token it likes best"


def test_a_probability_is_the_softmax_over_the_pair() -> None:
    scale, pair = 18.0, np.array([0.31, 0.22])
    softmax = np.exp(scale * pair) / np.exp(scale * pair).sum()
    assert prompts.probability(float(pair[0] - pair[1]), scale) == pytest.approx(softmax[0])
    assert prompts.probability(-2.0, 1e6) == pytest.approx(0, abs=1e-9)
