"""The text space that films are mapped to: a model's, or that of the reports' own words."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from services.analytics import encoding, sample
from services.analytics.align.asked import TFIDF, AlignAsked
from services.analytics.align.reports import Reports, tfidf
from services.analytics.bench import Bench
from services.core.aligned import Named, by_sentence
from services.core.errors import ErrorCode, HilumError
from services.core.facts import models
from services.core.models import ModelSpec
from services.core.tfidf import Tfidf
from services.transport.encode_client import EncodeClient


@dataclass
class Words:
    """`text`: the model; None for TF-IDF, which is learned anew for each split, of its patients alone."""

    text: Named | None
    encode: EncodeClient | None = None
    dim: int = 0
    _kept: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.text.name if self.text else "TF-IDF"

    def vectors(
        self, bench: Bench[AlignAsked], reports: Reports, section: str, learn: NDArray[np.int64],
        patients: NDArray[np.integer], seed: int,
    ) -> tuple[NDArray[np.float32], Named | Tfidf]:  # fmt: skip
        """(M, Q) of all reports, and what makes them. learn: those that may be looked at, of `patients`."""
        said = reports.sections[section]
        if self.text is None:
            space = tfidf([said[row] for row in learn], patients, seed)
            return space.vectors(said), space
        if section not in self._kept:
            assert self.encode is not None
            stage = f"{section} read by {self.text.name}"
            ask = partial(encoding.texts, self.encode, self, progress=bench.progress, stage=stage)
            made = partial(by_sentence, [text or "." for text in said], ask)
            self._kept[section] = bench.once(stage, made, said, self.fingerprint)
        return self._kept[section], self.text

    @property
    def fingerprint(self) -> str:
        return self.text.fingerprint if self.text else ""


def words(bench: Bench[AlignAsked]) -> Words:
    """The space that is asked for, or the first there is. Raises FAILED_PRECONDITION, UNKNOWN_MODEL."""
    wanted = bench.asked.text_model
    if wanted == TFIDF:
        return Words(None)
    there = [model for model in bench.encode.models() if model.text and model.available]
    found = [model for model in there if model.name == wanted or (not wanted and "aligned" not in model.pooling)]
    if not found:
        names = ", ".join([*(model.name for model in there), TFIDF])
        raise HilumError(ErrorCode.UNKNOWN_MODEL, f"no such encoder reads words here; text_model is one of: {names}")
    return Words(Named(found[0].name, found[0].fingerprint), bench.encode, found[0].dim)


def own_films(bench: Bench[AlignAsked], space: Words) -> NDArray[np.float32] | None:
    """(N, D): the text model's own vectors of the sample, to compare with, where it holds every film of it."""
    spec: ModelSpec | None = None
    if space.text is not None:
        known = models.active(bench.facts).get(space.text.name)
        spec = known if known and known.fingerprint == space.text.fingerprint else None
    if spec is None or not sample.held(bench.facts, spec, bench.films.ids).all():
        return None
    with bench.vectors(spec) as own:
        return np.array(own)
