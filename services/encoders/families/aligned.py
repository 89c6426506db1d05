"""Words for an encoder that reads none: its film vectors, and those of a text tower, each through a learned map.

A folder that `hilum analyze align` made: ``services.core.aligned`` says what is in it. It has no network of its own:
films go through the encoder that it was learned on and words through a text model or the reports' own TF-IDF space.
Both must be installed as they were then; another fingerprint is refused, as its vectors lie elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.core.aligned import ABOUT, MAP, TERMS, Aligned, Named, by_sentence, derived, film_vectors
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.models import ModelSpec
from services.core.tfidf import Tfidf
from services.core.types import Film
from services.encoders.base import Encoder, Frame, Patches, Prepared, SeesPatches
from services.encoders.bundled import CHECKPOINTS
from services.encoders.checkpoint import sha256
from services.encoders.installed import scan
from services.encoders.network import Checkpoint

Vectors = NDArray[np.float32]


def load(at: Checkpoint) -> AlignedEncoder:
    """No options. Raises FAILED_PRECONDITION when an encoder it builds on is not here, or is another by now."""
    made = Aligned.read(at.folder)
    base = _needed(at, made.base, "films")
    if made.of_images.weight.shape[0] != base.spec.dim:
        raise HilumError(ErrorCode.FAILED_PRECONDITION, "this map is for vectors of another length; learn it again")
    text = None if isinstance(made.text, Tfidf) else _needed(at, made.text, "words")
    files = [at.folder / name for name in (ABOUT, MAP, TERMS) if (at.folder / name).is_file()]
    words = f"{text.spec.name}-{text.spec.fingerprint[:12]}" if text else "tfidf"
    spec = ModelSpec(
        name=at.name, revision=at.revision, weights_sha256=sha256(*files), preprocessing=base.spec.preprocessing,
        pooling=derived(base.spec) + base.spec.pooling,
        dim=made.of_images.weight.shape[1], text_space=f"aligned-{words}-mean-of-sentences",
    )  # fmt: skip
    return AlignedEncoder(spec, made, base, text)


def _needed(at: Checkpoint, wanted: Named, what: str) -> Encoder:
    """The encoder that a map builds on: shared where the caller lends his, else loaded from beside this one."""
    encoder: Encoder | None = None
    if at.lend is not None:
        try:
            encoder = at.lend(wanted.name)
        except HilumError as error:
            if error.code is not ErrorCode.UNKNOWN_MODEL:
                raise
    if encoder is None:
        found = scan(at.folder.parent).models | scan(CHECKPOINTS).models
        if wanted.name not in found:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                f"{at.name} reads {what} by the encoder {wanted.name}, which is not installed: add it first",
            )
        encoder = found[wanted.name].load()
    if encoder.spec.fingerprint != wanted.fingerprint:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"{at.name} was learned on another {wanted.name} than is installed; learn it again: hilum analyze align",
        )
    return encoder


class AlignedEncoder:
    """See ``services.encoders.base``: `Encoder`, `SeesPatches` and `Derived`."""

    def __init__(self, spec: ModelSpec, made: Aligned, base: Encoder, text: Encoder | None) -> None:
        self._spec, self._made, self._text = spec, made, text
        self.base = base

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    @property
    def parts(self) -> list[Encoder]:
        """The encoders that do the work."""
        return [encoder for encoder in (self.base, self._text) if encoder is not None]

    def preprocess(self, film: Film) -> Prepared:
        return self.base.preprocess(film)

    def encode_images(self, batch: Sequence[Prepared]) -> Vectors:
        """N prepared films → ``(N, K) float32``, L2-normalised."""
        return self.derive(self.base.encode_images(batch))

    def derive(self, vectors: NDArray[np.floating]) -> Vectors:
        """Stored vectors of `base` → ``(N, K) float32``: the same as from the films themselves."""
        if not len(vectors):
            return np.empty((0, self._spec.dim), np.float32)
        return self._made.of_images(film_vectors(vectors))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """N texts → ``(N, K) float32``, L2-normalised: the mean of their sentences, mapped."""
        if isinstance(texts, str):
            raise invalid("texts is a list of texts, not one text")
        if not texts:
            return np.empty((0, self._spec.dim), np.float32)
        if isinstance(self._made.text, Tfidf):
            found = self._made.text.vectors(texts)
        else:
            assert self._text is not None
            found = by_sentence(texts, self._text.encode_texts)
        known = np.linalg.norm(found, axis=1) > 0
        vectors = self._made.of_texts(found)
        vectors[~known] = np.nan  # a text without a known word has no place; whoever asks is told so
        return vectors

    def encode_patches(self, batch: Sequence[Prepared]) -> Patches:
        return Patches(self._seeing.encode_patches(batch).grid, reads_text=False)

    def frame(self, height: int, width: int) -> Frame:
        return self._seeing.frame(height, width)

    @property
    def _seeing(self) -> SeesPatches:
        if isinstance(self.base, SeesPatches):
            return self.base
        raise HilumError(ErrorCode.FAILED_PRECONDITION, f"{self._spec.name} has no local vectors; choose another model")
