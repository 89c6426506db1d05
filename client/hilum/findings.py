"""What a model that knows words says of films, without training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hilum.errors import HilumError
from hilum.v1 import common_pb2, encode_pb2


@dataclass(frozen=True, slots=True)
class Finding:
    """score: cosine with what says it is there, less that with what says it is not.

    probability: the softmax over that pair; it ranks films and is no chance of disease. None where the model has no
    trained scale.
    """

    name: str
    score: float
    probability: float | None


@dataclass(frozen=True, slots=True)
class Classified:
    """One film: its findings in the order asked, or why there are none."""

    findings: list[Finding]
    error: str | None = None

    def __getitem__(self, name: str) -> Finding:
        return {finding.name: finding for finding in self.findings}[name]


@dataclass(frozen=True)
class Classification(Sequence[Classified]):
    """Films in the order given. prompts: finding → (texts for it, texts against it), as the model read them."""

    films: list[Classified]
    model: dict[str, str]
    prompts: dict[str, tuple[list[str], list[str]]]
    source: str
    calibrated: bool

    @classmethod
    def of(cls, answers: Sequence[encode_pb2.ClassifyResponse]) -> Classification:
        first = answers[0]
        films = [
            Classified(
                [Finding(f.name, f.score, f.probability if f.HasField("probability") else None) for f in r.findings],
                r.error.message if r.HasField("error") else None,
            )
            for answer in answers
            for r in answer.results
        ]
        model = {"name": first.model.name, "fingerprint": first.model.fingerprint}
        prompts = {p.name: (list(p.positive), list(p.negative)) for p in first.prompts}
        return cls(films, model, prompts, first.source, first.calibrated)

    def __len__(self) -> int:
        return len(self.films)

    def __getitem__(self, index: Any) -> Any:
        return self.films[index]

    def __iter__(self) -> Iterator[Classified]:
        return iter(self.films)

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per film and finding; a film without has one row with its error."""
        return [
            {"film": number, **row}
            for number, film in enumerate(self.films)
            for row in [
                {"finding": f.name, "score": f.score, "probability": f.probability, "error": None}
                for f in film.findings
            ]
            or [{"finding": None, "score": None, "probability": None, "error": film.error}]
        ]


def direction_of(answer: encode_pb2.EncodePromptsResponse) -> np.ndarray[Any, Any]:
    """The one direction of an answer, ``(D,) float32``. Raises HilumError when there is none."""
    [result] = answer.results
    if result.HasField("error"):
        raise HilumError(common_pb2.ErrorCode.Name(result.error.code), result.error.message)
    return np.array(result.vector.values, dtype=np.float32)
