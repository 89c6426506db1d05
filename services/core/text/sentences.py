"""Reports as sentences."""

from __future__ import annotations

import re

_BLANK_LINE = re.compile(r"\n\s*\n")
# After a stop and a space; not within a number, nor after a number or letter that counts points: "1. No change."
_END = re.compile(r"(?<=[.!?;])(?<!\b[A-Za-z0-9]\.)(?<!\b[Dd]r\.)(?<!\bvs\.)\s+")
_WORD = re.compile(r"[^\W_]")


def sentences(text: str) -> list[str]:
    """``"Heart is normal. No effusion."`` → ``["Heart is normal.", "No effusion."]``; what has no letter is left out.

    Reports break lines anywhere, so that only a blank line ends a sentence.
    """
    found = [" ".join(part.split()) for block in _BLANK_LINE.split(text) for part in _END.split(block)]
    return [sentence for sentence in found if _WORD.search(sentence)]
