"""What every family is held to: the vectors of a plainly written version of the authors' recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.core.types import Film
from services.encoders.base import Encoder
from services.phantom.film import display, render
from services.phantom.truth import Findings, PhantomFilm

EXACT = 0.99999
TEXTS = ("no pleural effusion", "Small LEFT pleural effusion, with opacity.", "cardiomegaly " * 80, "edema")


@cache
def films() -> tuple[Film, ...]:
    """Portrait, landscape, square, odd sides, smaller and larger than any tiny network's input, and one 16-bit film
    whose window hides most of it."""
    square = display(render(PhantomFilm(findings=Findings(effusion_left=0.5)), 256))
    other = display(render(PhantomFilm(2, findings=Findings(effusion_right=0.7)), 256))
    pictures = [square, square[:201], other[:, :173], other[30:79, 20:61], np.kron(other, np.ones((3, 2), np.uint8))]
    shown = [Film(np.ascontiguousarray(p), p.astype(np.uint16) * 257) for p in pictures]
    ramp = np.linspace(0, 65_535, 190 * 222).reshape(190, 222).astype(np.uint16)
    deep = np.kron(square, np.ones((1, 1), np.uint8))[:190, :222].astype(np.uint16) * 128 + ramp // 2
    return (*shown, Film(np.clip(deep.astype(int) // 64 - 200, 0, 255).astype(np.uint8), deep))


def rgb(film: Film) -> Image.Image:
    """The film as authors open it: an RGB picture of 8 bits."""
    return Image.fromarray(film.display).convert("RGB")


def agree_on_films(encoder: Encoder, reference: Callable[[Film], NDArray[np.float32]]) -> None:
    """`reference`: one film → its vector ``(D,)`` (or ``(T, D)``), of any length, by the authors' recipe."""
    found = encoder.encode_images([encoder.preprocess(film) for film in films()])
    wanted = np.stack([np.asarray(reference(film), np.float32) for film in films()])
    assert found.shape == wanted.shape and found.dtype == np.float32
    _agree(found, wanted)
    assert len({row.tobytes() for row in found}) == len(found), "different films have different vectors"


def agree_on_texts(
    encoder: Encoder, reference: Callable[[str], NDArray[np.float32]], texts: Sequence[str] = TEXTS
) -> None:
    """`reference`: one text, alone → its vector ``(D,)``. The encoder gets them together: a batch changes nothing."""
    found = encoder.encode_texts(list(texts))
    wanted = np.stack([np.asarray(reference(text), np.float32) for text in texts])
    assert found.shape == wanted.shape and found.dtype == np.float32
    _agree(found, wanted)


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Along the last axis."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def _agree(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-5)
    similar = cosine(found, wanted)
    assert similar.min() >= EXACT, similar
    # Random networks give similar vectors to everything: what remains after the mean must agree, too.
    if len(found) > 2:
        centred = [v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (found, wanted)]
        centred = [v - v.mean(0) for v in centred]
        assert cosine(*centred).min() >= 0.999, cosine(*centred)
