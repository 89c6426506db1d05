"""Findings without training: prompts to directions, films to scores. What is asked, and how, is in encoders/prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hilum.v1 import encode_pb2
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.limits import MAX_BATCH, MAX_TEXT_CHARS
from services.encoders import prompts
from services.encoders.base import Encoder, ScalesCosines
from services.encoders.prompts import HOLE, Prompt
from services.encoders.registry import Registry
from services.ingest.callers import Caller
from services.ingest.encode_lanes import EncodeLanes, Vector
from services.transport import errors


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt with the ensembles of its sides, ``(D,)`` each; `negative` is None for a prompt without."""

    prompt: Prompt
    positive: Vector
    negative: Vector | None

    @property
    def direction(self) -> Vector:
        """``(D,)`` of unit length, to search by."""
        return prompts.direction(self.positive, self.negative)

    def finding(self, image: Vector, logit_scale: float | None) -> encode_pb2.Finding:
        """What it says of a film, ``(D,)`` or ``(T, D)``."""
        score = prompts.score(image, self.positive, self.negative)
        found = encode_pb2.Finding(name=self.prompt.name, score=score)
        if logit_scale is not None and self.negative is not None:
            found.probability = prompts.probability(score, logit_scale)
        return found


def model_of(registry: Registry, name: str) -> str:
    """The model of this name, or the first that knows words. Raises FAILED_PRECONDITION when none does."""
    if name:
        return name
    specs = registry.specs()
    for default in (*registry.default_names(), *specs):
        if specs[default].text_space is not None:
            return default
    raise HilumError(ErrorCode.FAILED_PRECONDITION, "no encoder of this installation knows words; add one that does")


def wanted(model: str, findings: Iterable[str], given: Iterable[encode_pb2.Prompt]) -> list[Prompt]:
    """What a request asks for, as the text tower will read it; CheXpert's fourteen when it names nothing.

    Raises INVALID_ARGUMENT and PAYLOAD_TOO_LARGE.
    """
    own, findings = prompts.style_of(model).template, list(findings)
    if not all(finding.strip() for finding in findings):
        raise invalid("a finding has no name; say what the film should show")
    asked = [prompts.prompt_of(finding, model).dressed(own) for finding in findings]
    for message in given:
        template = message.template if message.HasField("template") else own
        if HOLE not in template:
            raise invalid("a template needs {} where the text goes")
        if not message.positive:
            raise invalid("a prompt needs a positive text: what a film with the finding shows")
        prompt = Prompt(message.name or message.positive[0], tuple(message.positive), tuple(message.negative))
        if not all(text.strip() for text in (*prompt.positive, *prompt.negative)):
            raise invalid("a prompt has a blank text; say what the film should show")
        asked.append(prompt.dressed(template))
    asked = asked or [prompts.prompt_of(finding, model).dressed(own) for finding in prompts.FINDINGS]
    texts = [text for prompt in asked for text in (*prompt.positive, *prompt.negative)]
    if len(texts) > MAX_BATCH:
        raise invalid(f"this asks with {len(texts)} texts; ask with at most {MAX_BATCH} at a time")
    if any(len(text) > MAX_TEXT_CHARS for text in texts):
        raise HilumError(ErrorCode.PAYLOAD_TOO_LARGE, f"a text has at most {MAX_TEXT_CHARS} characters")
    return asked


def encoded(lanes: EncodeLanes, caller: Caller, encoder: Encoder, asked: Sequence[Prompt]) -> list[Asked | HilumError]:
    """The prompts with their vectors, or why one has none. Raises FAILED_PRECONDITION for a model without words."""
    vectors = iter(lanes.texts(caller, encoder, [t for prompt in asked for t in (*prompt.positive, *prompt.negative)]))
    return [_asked(prompt, vectors) for prompt in asked]


def scale_of(encoder: Encoder) -> float | None:
    """The trained scale of the encoder's cosines, where it has one."""
    return encoder.logit_scale if isinstance(encoder, ScalesCosines) else None


def message_of(prompt: Prompt) -> encode_pb2.Prompt:
    """A prompt as it was read: nothing more goes around its texts."""
    return encode_pb2.Prompt(name=prompt.name, positive=prompt.positive, negative=prompt.negative, template=HOLE)


def classification(asked: Sequence[Asked], film: Vector | HilumError, scale: float | None) -> encode_pb2.Classification:
    """Every finding of a film, or the film's error."""
    if isinstance(film, HilumError):
        return encode_pb2.Classification(error=errors.message(film))
    return encode_pb2.Classification(findings=[one.finding(film, scale) for one in asked])


def _asked(prompt: Prompt, vectors: Iterator[Vector | HilumError]) -> Asked | HilumError:
    positive, negative = ([next(vectors) for _ in texts] for texts in (prompt.positive, prompt.negative))
    if failed := [vector for vector in (*positive, *negative) if isinstance(vector, HilumError)]:
        return failed[0]
    return Asked(
        prompt, prompts.ensemble(np.stack(positive)), prompts.ensemble(np.stack(negative)) if negative else None
    )
