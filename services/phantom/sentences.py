"""Turn claims into words, in many ways; every text keeps the claims it makes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.phantom import phrases as p
from services.phantom.claims import NO_FINDING, Claim
from services.phantom.truth import DEVICES, SIDED

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Text:
    """Words and what they claim."""

    words: str
    claims: tuple[Claim, ...]


def pick(rng: Rng, options: Sequence[str]) -> str:
    """One of ``options``, evenly."""
    return options[int(rng.integers(len(options)))]


def tidy(words: str) -> str:
    """Squeeze the gaps that empty sizes leave."""
    return " ".join(words.replace(" ,", ",").replace(", .", ".").split()).strip(" ,")


def plural(noun: str) -> str:
    """English plural of the last word, near enough: ``opacity`` to ``opacities``; what already ends in s stays."""
    if noun.endswith(("s", "x", "space", "lung", "tissue")):
        return noun
    return noun[:-1] + "ies" if noun.endswith("y") else noun + "s"


def noun_phrase(rng: Rng, claim: Claim, nouns: Mapping[str, Sequence[str]] = p.NOUNS) -> str:
    """The finding with its side and size: ``small left pleural effusion``."""
    noun = pick(rng, nouns[claim.subject])
    if claim.side == "bilateral" and rng.random() < 0.5:
        noun = plural(noun)
    size = ""
    if claim.band:
        preferred, other = (p.SIZES, p.GRADES) if claim.subject in p.SIZED else (p.GRADES, p.SIZES)
        size = pick(rng, (preferred if rng.random() < 0.85 else other)[claim.band])
    if claim.side == "bilateral":
        pattern = pick(rng, p.BOTH_PATTERNS)
    elif claim.side:
        pattern = pick(rng, p.SIDE_PATTERNS)
    else:
        pattern = pick(rng, p.PLAIN_PATTERNS) if size else "{n}"
    return tidy(pattern.format(n=noun, s=size, d=claim.side))


def statement(rng: Rng, claim: Claim, nouns: Mapping[str, Sequence[str]] = p.NOUNS, plain: bool = False) -> Text:
    """One claim as a phrase or sentence; ``plain`` keeps to the noun phrase and a bare ``no``."""
    if claim.subject in ("view", "sex"):
        return Text(pick(rng, (p.VIEWS if claim.subject == "view" else p.SEXES)[claim.value]), (claim,))
    if claim.subject == "cardiomegaly" and not claim.present and rng.random() < 0.4 and not plain:
        return Text(pick(rng, p.NORMAL_HEART), (claim,))
    if claim.subject == "device" and not claim.present and rng.random() < 0.7:
        return Text(pick(rng, p.NO_DEVICE), (claim,))
    phrase = noun_phrase(rng, claim, nouns)
    if plain:
        return Text(phrase if claim.present else f"no {phrase}", (claim,))
    if claim.present and claim.side in ("right", "left") and rng.random() < 0.2:
        sideless = noun_phrase(rng, Claim(claim.subject, band=claim.band), nouns)
        return Text(pick(rng, p.SIDE_SENTENCES).format(x=sideless, d=claim.side), (claim,))
    frames = p.POSITIVE_FRAMES if claim.present else p.NEGATIVE_FRAMES
    return Text(tidy(pick(rng, frames).format(x=phrase)), (claim,))


def hedge(rng: Rng, subject: str, side: str) -> Text:
    """A sentence that commits to nothing: ``possible left nodule``."""
    claim = Claim(subject, side=side if subject in SIDED else "")  # type: ignore[arg-type]
    return Text(tidy(pick(rng, p.HEDGED_FRAMES).format(x=noun_phrase(rng, claim))), ())


def negative_list(rng: Rng, subjects: Sequence[str]) -> Text:
    """``no consolidation, pleural effusion or pneumothorax``: several absences in one breath."""
    nouns = [pick(rng, p.NOUNS[s]) for s in subjects]
    joined = ", ".join(nouns[:-1]) + (", or " if len(nouns) > 2 and rng.random() < 0.5 else " or ") + nouns[-1]
    frame = pick(rng, ("no {x}", "no {x}", "there is no {x}", "without {x}", "no evidence of {x}", "negative for {x}"))
    return Text(frame.format(x=joined), tuple(Claim(s, present=False) for s in subjects))


def clear_lungs(rng: Rng) -> Text:
    """The lungs hold nothing; pleura, heart and devices are not spoken of."""
    return Text(
        pick(rng, p.CLEAR_LUNGS),
        tuple(Claim(s, present=False) for s in ("consolidation", "edema", "atelectasis", "nodule")),
    )


def clear_pleura(rng: Rng) -> Text:
    """Neither fluid nor air around the lungs."""
    return Text(pick(rng, p.CLEAR_PLEURA), tuple(Claim(s, present=False) for s in ("effusion", "pneumothorax")))


def normal(rng: Rng) -> Text:
    """No finding of any kind; devices may be there."""
    return Text(pick(rng, p.NORMAL), NO_FINDING)


def filler(rng: Rng) -> Text:
    """A sentence about what phantoms do not vary."""
    return Text(pick(rng, p.FILLERS), ())


def join(rng: Rng, texts: Sequence[Text]) -> Text:
    """A paragraph: sentences with capitals and stops."""
    words = ". ".join(t.words[:1].upper() + t.words[1:] for t in texts)
    return Text(words + ".", tuple(c for t in texts for c in t.claims))


def mirrored(text: Text) -> Text | None:
    """The text with right and left exchanged, claims and words alike; None when it names no side."""
    if not any(c.side in ("right", "left") for c in text.claims):
        return None
    other = {"right": "left", "left": "right"}
    words = re.sub(r"\b(right|left)\b", lambda m: other[m[0].lower()], text.words, flags=re.IGNORECASE)
    return Text(words, tuple(replace(c, side=other.get(c.side, c.side)) for c in text.claims))


def no_device() -> Claim:
    """Nothing implanted or inserted."""
    return Claim("device", present=False)


def device_subjects() -> tuple[str, ...]:
    """Subjects that a sentence about hardware may have."""
    return (*DEVICES, "device")
