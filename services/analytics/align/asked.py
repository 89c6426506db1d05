"""What is asked of an alignment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from services.analytics.asked import Asked
from services.core.errors import invalid

METHODS = ("procrustes", "ridge", "contrastive", "adversarial")
SECTIONS = ("both", "findings", "impression")
TFIDF = "tfidf"
MAX_PAIRS = 20  # points of a learning curve
MAX_SPLITS = 20


@dataclass(frozen=True, kw_only=True)
class AlignAsked(Asked):
    """text_model: empty for the first there is.  pairs: points of the curve; empty for 50, 100, 200 … all.
    sections: the first is that of the map that is kept.  name: of the model it becomes, when `register`.
    """

    kind: ClassVar[str] = "align"

    text_model: str = ""
    methods: tuple[str, ...] = METHODS
    sections: tuple[str, ...] = SECTIONS
    pairs: tuple[int, ...] = ()
    register: bool = False
    name: str = ""
    splits: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        for what, given, known in (("methods", self.methods, METHODS), ("sections", self.sections, SECTIONS)):
            if set(given) - set(known) or len(set(given)) < len(given):
                raise invalid(f"{what} are some of: {', '.join(known)}; each once")
        if len(self.pairs) > MAX_PAIRS or not all(10 <= n <= 10_000_000 for n in self.pairs):
            raise invalid(f"pairs are at most {MAX_PAIRS} numbers of 10 or more; adversarial alone uses none")
        if not 1 <= self.splits <= MAX_SPLITS:
            raise invalid(f"splits are between 1 and {MAX_SPLITS}")
        if self.name and not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", self.name):
            raise invalid("name is a model's: a-z, 0-9 and '-', at most 63 characters")
        if self.name and len(self.models) > 1:
            raise invalid("one name is for one model; leave it empty to call each <model>-words")
