"""How an understood text becomes one vector of a dual encoder: texts with weights, to be summed.

A text tower reads "effusion without pneumothorax" much as "effusion and pneumothorax", and many read "no effusion" as
"effusion". So what is there is asked for by its own texts, and the *names* of what is not there are subtracted. Every
weight was chosen on phantoms with the encoder that ships (`benchmarks/bench_words.py`, docs/guide/words.md).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.v1 import encode_pb2
from services.core.errors import invalid
from services.query.words.lexicon import name_of
from services.query.words.polarity import Polarity
from services.query.words.scan import Kind, items, sentences
from services.query.words.understand import Mention, understand

ABSENT = 0.25  # of what is not there, together, beside what is there
LARGER = 0.25  # of the larger finding, where a small one is asked for: cosines grow with size
MOST_PARTS = 64
_MISLEADING = frozenset({Kind.DENIED, Kind.DENIED_AFTER, Kind.DOUBTED, Kind.DOUBTED_AFTER, Kind.NO_DENIAL})
_NO_FINDING = "no_finding"
_BOTH = re.compile(r"\b(both|bi[a-z]+al(ly)?|bi[a-z]+ar|right and left|left and right|[lr][lmu]l)\b", re.IGNORECASE)
_SIZED = frozenset({"pleural_effusion", "pneumothorax", "lung_lesion", "hernia", "pericardial_effusion"})
_OWN_WORDS = frozenset({"support_devices", "lung_lesion", ""})  # one name would stand for too many things

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Part:
    """A text to encode and the weight of its unit vector."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class WordsPlan:
    """The texts of a question. mentions: what it was understood to say."""

    parts: tuple[Part, ...]
    mentions: tuple[Mention, ...] = ()

    @property
    def texts(self) -> list[str]:
        """What to encode, in order."""
        return [part.text for part in self.parts]

    def request(self, model: str) -> encode_pb2.EncodePromptsRequest:
        """The texts for the EncodePrompts RPC, which puts the model's own template around each: one vector per text."""
        return encode_pb2.EncodePromptsRequest(
            model=model, prompts=[encode_pb2.Prompt(positive=[text]) for text in self.texts]
        )

    def vector(self, encoded: Sequence[Vector]) -> Vector:
        """One ``(D,)`` per text → the unit vector ``(D,)`` to search by. INVALID_ARGUMENT when nothing is left."""
        units = [np.asarray(v, np.float64) / max(float(np.linalg.norm(v)), 1e-12) for v in encoded]
        total = np.sum([part.weight * unit for part, unit in zip(self.parts, units, strict=True)], axis=0)
        length = float(np.linalg.norm(total))
        if length < 1e-6:
            raise invalid("these words cancel each other out; ask for less at once, or with reading plain")
        return (total / length).astype(np.float32)


def plain(text: str) -> WordsPlan:
    """The text as it stands."""
    return WordsPlan((Part(text, 1.0),))


def understood(text: str) -> WordsPlan:
    """The text by what it says. A text that says one thing, there or in doubt, is asked as it stands."""
    mentions = understand(text)
    known = {mention.sentence for mention in mentions if mention.finding}
    telling = [mention for mention in mentions if mention.sentence in known] or mentions
    there = _there(text, telling)
    absent = [m for m in telling if m.polarity is Polarity.ABSENT and m.finding != _NO_FINDING]
    if there:
        small = [_larger(m) for m in telling if m.severity == "small" and m.polarity is Polarity.PRESENT and m.finding]
        parts = [
            *_shared(there, 1.0),
            *_shared(small, -LARGER * len(small) / len(there)),
            *_shared([_name(m) for m in absent], -ABSENT),
        ]
    else:
        parts = [
            *_shared(list(dict.fromkeys(m.words for m in telling if _is_well(m))), 1.0),
            *_shared([_name(m) for m in absent if not m.normal], -1.0),
        ]
    if not parts or len(parts) > MOST_PARTS:
        return WordsPlan((Part(text, 1.0),), mentions)
    return WordsPlan(_merged(parts), mentions)


def _there(text: str, mentions: Sequence[Mention]) -> list[str]:
    """Texts of what is there or in doubt: a sentence as it stands if it says one thing, else thing by thing."""
    said = Counter(mention.sentence for mention in mentions)
    whole = [sentence for _, sentence in sentences(text)]
    return [
        whole[m.sentence].strip() if said[m.sentence] == 1 and _is_plain(whole[m.sentence], m) else _phrase(m)
        for m in mentions
        if not _is_well(m) and (m.polarity is not Polarity.ABSENT or m.normal)
    ]


def _is_plain(sentence: str, mention: Mention) -> bool:
    """Is the sentence free of words that a text tower may take for denial or doubt?"""
    return not mention.normal and not any(item.kind in _MISLEADING for item in items(sentence))


def _is_well(mention: Mention) -> bool:
    """Is it said by what is well, and so that it is well?"""
    meant = Polarity.PRESENT if mention.finding == _NO_FINDING else Polarity.ABSENT
    return mention.normal and mention.polarity is meant


def _phrase(mention: Mention) -> str:
    """The mention by itself: its words, with the side and size that it takes from its neighbours."""
    if mention.normal:
        return "abnormal chest" if mention.finding == _NO_FINDING else _name(mention)
    words = mention.words
    if mention.side and mention.side not in words.lower() and not _BOTH.search(words):
        words = f"{mention.side} {words}"
    return words


def _name(mention: Mention) -> str:
    """What a finding is called, with side and size."""
    if mention.finding in _OWN_WORDS:
        return _phrase(mention)
    return " ".join(word for word in (mention.severity, mention.side, name_of(mention.finding)) if word)


def _larger(mention: Mention) -> str:
    large = "large" if mention.finding in _SIZED else "severe"
    return " ".join(word for word in (large, mention.side, name_of(mention.finding)) if word)


def _shared(texts: Sequence[str], weight: float) -> list[Part]:
    """The texts, each with an equal share of the weight."""
    return [Part(text, weight / len(texts)) for text in texts]


def _merged(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Every text once."""
    weights: dict[str, float] = {}
    for part in parts:
        weights[part.text] = weights.get(part.text, 0.0) + part.weight
    return tuple(Part(text, weight) for text, weight in weights.items())
