"""A learned map with all it needs to answer words, as a folder: what analytics writes and encoders read.

aligned.json      whose vectors it maps, and how it was learned
map.safetensors   images.weight, images.bias, texts.weight, texts.bias (tfidf.idf, tfidf.axes)
terms.json        the words of a TF-IDF space, where there is no text model
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from services.core.affine import Affine
from services.core.errors import ErrorCode, HilumError
from services.core.models import ModelSpec
from services.core.tfidf import Tfidf

ABOUT, MAP, TERMS = "aligned.json", "map.safetensors", "terms.json"
SCHEMA = 1
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Named:
    """An encoder, exactly."""

    name: str
    fingerprint: str


@dataclass(frozen=True)
class Aligned:
    """base: the encoder of films.  text: the encoder of words, or its words themselves.  about: how it was learned."""

    base: Named
    text: Named | Tfidf
    of_images: Affine
    of_texts: Affine
    about: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Into a folder that is made."""
        folder.mkdir(parents=True)
        tensors = {f"{side}.{name}": np.ascontiguousarray(getattr(found, name))
                   for side, found in (("images", self.of_images), ("texts", self.of_texts))
                   for name in ("weight", "bias")}  # fmt: skip
        words = None
        if isinstance(self.text, Tfidf):
            tensors |= {"tfidf.idf": self.text.idf, "tfidf.axes": np.ascontiguousarray(self.text.axes)}
            (folder / TERMS).write_text(json.dumps(self.text.terms, ensure_ascii=False))
        else:
            words = {"name": self.text.name, "fingerprint": self.text.fingerprint}
        save_file(tensors, folder / MAP)
        base = {"name": self.base.name, "fingerprint": self.base.fingerprint}
        content = {"schema": SCHEMA, "base": base, "text": words, "about": dict(self.about)}
        (folder / ABOUT).write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Aligned:
        """Raises FAILED_PRECONDITION for a folder that holds no such map."""
        try:
            content = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            tensors = load_file(folder / MAP)
            if content["schema"] != SCHEMA:
                raise ValueError
            text: Named | Tfidf
            if content["text"] is None:
                terms = tuple(map(str, json.loads((folder / TERMS).read_text(encoding="utf-8"))))
                text = Tfidf(terms, tensors["tfidf.idf"], tensors["tfidf.axes"])
            else:
                text = Named(**content["text"])
            sides = [Affine(tensors[f"{side}.weight"], tensors[f"{side}.bias"]) for side in ("images", "texts")]
            if sides[0].weight.shape[1] != sides[1].weight.shape[1]:
                raise ValueError
            return cls(Named(**content["base"]), text, sides[0], sides[1], content["about"])
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION, "this folder holds no map that `hilum analyze align` made; copy it again"
            ) from error


def derived(base: ModelSpec) -> str:
    """How the `pooling` of every spec begins whose vectors follow from those of `base`."""
    return f"aligned-{base.name}-{base.fingerprint[:12]}-"


def film_vectors(vectors: NDArray[np.floating]) -> Array:
    """(N, D), or (N, T, D) of several tokens → (N, D), length 1: the mean of a film's vectors is what a map learns."""
    unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    if unit.ndim == 3:
        unit = unit.mean(axis=1)
        unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    return np.asarray(unit, np.float32)


def sentences(text: str) -> list[str]:
    """A text's sentences; itself when it has but one."""
    parts = [part.strip() for part in re.split(r"(?<=[.!?;])\s+|\n\s*\n|\n(?=\s*[-•*\d])", text)]
    return [part for part in parts if re.search(r"\w", part)] or [text]


def by_sentence(texts: Sequence[str], encode: Callable[[list[str]], NDArray[np.floating]]) -> Array:
    """(N, D) float32, L2-normalised: the mean of the vectors of each text's sentences.

    Text towers read short texts, and cut long ones off; the mean of a report's sentences kept more of it: on phantoms
    recall@10 of films by their reports was 0.56 so, 0.45 by whole reports. A question of one sentence stays as it is.
    """
    parts = [sentences(text) for text in texts]
    distinct = list(dict.fromkeys(part for some in parts for part in some))
    place = {part: row for row, part in enumerate(distinct)}
    found = encode(distinct)
    means = np.stack([found[[place[part] for part in some]].mean(axis=0) for some in parts])
    vectors: Array = (means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    return vectors
