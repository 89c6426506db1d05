"""Which words of a sentence are denied: "no effusion, but a small pneumothorax" denies the effusion alone.

A short grammar after NegEx (Chapman et al., J Biomed Inform 2001): words that deny what follows or what precedes them,
up to the end of their clause. Doubt ("possible", "cannot be excluded") is no denial. It knows no synonyms, and reads
English; `services.query` understands questions more deeply.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

WORD = re.compile(r"[^\W_]+")
_TOKEN = re.compile(r"[^\W_]+|[,;:()]")
_FORWARD = {"no", "without", "not", "never", "neither", "nor", "denies", "absent", "cannot"}
_FORWARD_OF = {"free", "absence", "resolution", "clearing", "clear"}  # … of
_FORWARD_FOR = {"negative"}  # … for
_SEEN = {"seen", "identified", "visualized", "visualised", "present", "evident", "demonstrated", "appreciated", "noted",
         "visible", "detected", "found", "apparent"}  # fmt: skip
_BACKWARD = {"absent", "resolved", "excluded", "cleared"}  # after is, are, was, were, has, have
_COPULA = {"is", "are", "was", "were", "has", "have", "been", "be"}
_DOUBT = {"cannot", "not", "difficult"}  # "cannot be excluded", "not excluded": neither said nor denied
_NO_DENIAL = {"change", "changes", "increase", "decrease", "improvement", "worsening"}  # "no change in the effusion"
_BETWEEN = {"significant", "interval", "appreciable", "substantial", "definite", "acute", "new", "further", "other"}
_QUALIFIES = {"a", "an", "small", "tiny", "trace", "mild", "moderate", "large", "massive", "severe", "marked", "right",
              "left", "bilateral", "new", "stable", "unchanged", "possible", "probable"}  # fmt: skip
_ENDS = {"but", "however", "although", "though", "except", "aside", "apart", "besides", "which", "while", "yet",
         "there", ";", ":", "(", ")"}  # fmt: skip


def denied(sentence: str) -> list[tuple[str, bool]]:
    """The words of a sentence, in lower case and in order, each with whether it is denied.

    >>> [word for word, no in denied("No effusion, but a pneumothorax.") if no]
    ['effusion']
    """
    tokens = _TOKEN.findall(sentence.lower().replace("'", ""))
    marks = [False] * len(tokens)
    for at in range(len(tokens)):
        if _denies_what_precedes(tokens, at):
            start = max((i + 1 for i in range(at) if tokens[i] in _ENDS or tokens[i] == ","), default=0)
            marks[start:at] = [True] * (at - start)
        elif _denies_what_follows(tokens, at) and not _of_change(tokens, at):
            for i in range(at + 1, _end(tokens, at + 1)):
                marks[i] = True
    return [(token, mark) for token, mark in zip(tokens, marks, strict=True) if WORD.match(token)]


def _denies_what_follows(tokens: Sequence[str], at: int) -> bool:
    token, after = tokens[at], _at(tokens, at + 1)
    if token == "cannot" or (token == "not" and "excluded" in tokens[at : at + 3]):
        return False
    of = (token in _FORWARD_OF and after == "of") or (token in _FORWARD_FOR and after == "for")
    return of or token in _FORWARD


def _denies_what_precedes(tokens: Sequence[str], at: int) -> bool:
    token, before, after = tokens[at], _at(tokens, at - 1), _at(tokens, at + 1)
    if token == "not" and after in _SEEN:
        return True
    if token == "not" and after in _BETWEEN | {"clearly", "definitely"} and _at(tokens, at + 2) in _SEEN:
        return True
    return token in _BACKWARD and before in _COPULA and not _DOUBT & set(tokens[max(0, at - 3) : at])


def _of_change(tokens: Sequence[str], at: int) -> bool:
    i = at + 1
    while _at(tokens, i) in _BETWEEN:
        i += 1
    return _at(tokens, i) in _NO_DENIAL or (tokens[at] == "not" and _at(tokens, i) in {"only", "changed"})


def _end(tokens: Sequence[str], start: int) -> int:
    """Where the clause ends. A comma goes on where a list does: "no edema, effusion, or pneumothorax"."""
    for i in range(start, len(tokens)):
        if tokens[i] in _ENDS or (tokens[i] == "," and not _list_goes_on(tokens, i)):
            return i
        if tokens[i] == "and" and _at(tokens, i + 1) in _QUALIFIES:  # "no effusion and a small pneumothorax"
            return i
    return len(tokens)


def _list_goes_on(tokens: Sequence[str], comma: int) -> bool:
    for i in range(comma + 1, len(tokens)):
        if tokens[i] in ("or", "nor"):
            return True
        if tokens[i] in _ENDS or tokens[i] in _FORWARD or tokens[i] in _COPULA or tokens[i] in ("and", "with"):
            return False
    return False


def _at(tokens: Sequence[str], i: int) -> str:
    return tokens[i] if 0 <= i < len(tokens) else ""
