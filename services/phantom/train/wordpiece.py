"""The text tower's vocabulary: every word that phantom reports use, letters and their continuations for the rest."""

import re
import string

from services.phantom import phrases

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# Words a user may well type that the phrases do not hold; training meets them as filler.
EXTRA = (
    "show me", "find", "cases of", "similar to", "film", "image", "xray", "radiograph of the chest", "scan", "acute",
    "chronic", "old", "early", "subtle", "obvious", "a", "an", "the", "is", "are", "with", "and", "or", "in", "of",
    "to", "please", "example", "adult", "elderly", "young", "year", "s", "es", "opacities", "effusions",
)  # fmt: skip


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [t for v in value.values() for t in _texts(v)] + [t for k in value for t in _texts(k)]
    if isinstance(value, (tuple, list, frozenset)):
        return [t for v in value for t in _texts(v)]
    return []


def words() -> list[str]:
    """Every lower-case word of the phrases, sorted; ``UNSEEN`` brings none of its own."""
    held = {name: value for name, value in vars(phrases).items() if name.isupper() and name != "UNSEEN"}
    found = {w for text in (*_texts(held), *EXTRA) for w in re.findall(r"[a-z]+", re.sub(r"\{\w\}", " ", text.lower()))}
    return sorted(found | {"right", "left", "bilateral"})


def vocabulary() -> list[str]:
    """Tokens in id order: special ones, punctuation, digits, letters, continuations, words."""
    letters = list(string.ascii_lowercase)
    single = [*".,;:-/()'+%?", *string.digits, *letters]
    pieces = ["##" + c for c in (*letters, *string.digits)] + ["##s", "##es", "##ed", "##ing", "##ly", "##al", "##ic"]
    return list(dict.fromkeys([*SPECIAL, *single, *pieces, *words()]))
