"""Reports made findable: by their words, and by their meaning for every encoder with a text tower.

What is indexed already, from the same text and by the same recipe, costs a look at the ledger; so the same work again
goes on where it stopped, and a changed text, recipe or patient is found by itself.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, models, reports
from services.core.facts.reports import Section
from services.core.models import ModelSpec
from services.core.store import VectorStore
from services.core.store.reports import WORDS, Asked, meaning, report_point
from services.core.text import bm25
from services.core.text.meaning import RECIPE, pieces, together
from services.core.types import Outcome
from services.encoders.base import Encoder
from services.encoders.registry import Registry
from services.ingest.claim import claimed
from services.ingest.crash import Reached, nowhere
from services.ingest.encoding import encode_words
from services.ingest.patience import patiently
from services.ingest.progress import Tally

KIND = "reports"
_TEXTS = 64  # sentences that an encoder gets at a time
_KNOWN = 20_000  # vectors remembered: reports repeat their sentences

Vector = NDArray[np.float32]


@dataclass(slots=True)
class Words:
    """The collection of words. The mean length is told in steps of a half octave: weights need no more, and an archive
    that grows is then indexed anew only a few times in its life."""

    name: str = reports.WORDS
    collection: str = WORDS
    dim: int = 0
    page: int = 512
    mean_terms: float = 1.0

    @classmethod
    def of(cls, facts: Facts) -> Words:
        terms = max(1.0, reports.mean_letters(facts) / bm25.TERM_LETTERS)
        return cls(mean_terms=2 ** (round(2 * math.log2(terms)) / 2))

    @property
    def recipe(self) -> str:
        return f"{bm25.RECIPE} {bm25.K1} {bm25.B} {self.mean_terms:.2f}"

    def vectors(self, texts: Sequence[str]) -> list[Asked | None]:
        made = [bm25.document(text, self.mean_terms) for text in texts]
        return [vector if vector.indices else None for vector in made]


class Meaning:
    """The collection of one encoder, whose tower reads sentences."""

    recipe = RECIPE
    page = 128  # between two looks whether to stop

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.name, self.collection = encoder.spec.fingerprint, meaning(encoder.spec)
        self.dim = encoder.spec.dim
        self._known: dict[str, Vector | None] = {}

    def vectors(self, texts: Sequence[str]) -> list[Asked | None]:
        self._learn({piece for text in texts for piece in pieces(text)})
        return [together(text, self._known) for text in texts]

    def _learn(self, wanted: set[str]) -> None:
        if len(self._known) > _KNOWN:
            self._known.clear()
        new = sorted(wanted - self._known.keys(), key=lambda sentence: (len(sentence), sentence))  # alike in length
        for start in range(0, len(new), _TEXTS):
            part = new[start : start + _TEXTS]
            for sentence, vector in zip(part, encode_words(self._encoder, part), strict=True):
                self._known[sentence] = None if isinstance(vector, HilumError) else vector


@dataclass(frozen=True, slots=True)
class ReportIndex:
    """Indexes the reports of datasets."""

    settings: Settings
    facts: Facts
    store: VectorStore
    registry: Registry
    reached: Reached = field(default=nowhere)

    def run(
        self, job_id: str, spec: Mapping[str, object], tally: Tally, stopped: Callable[[], bool]
    ) -> dict[str, object]:
        """A job of its own. spec: `dataset`, or none for all."""
        chosen = [str(spec["dataset"])] if spec.get("dataset") else reports.datasets(self.facts)
        tally.total = sum(map(self.work, chosen))
        tally.start("reports")
        away = set[str]()
        for name in chosen:
            with claimed(self.facts, self.settings.data_dir, name, stopped) as held:  # nobody is forgotten meanwhile
                if held:
                    away |= self.index(name, stopped, lambda done, new: _count(tally, done, new))
        return {**tally.result(), "without": sorted(away)}

    def work(self, dataset: str) -> int:
        """How many sections `index` will look at, once for each collection."""
        return reports.count(self.facts, dataset) * (1 + len(self._readers(dataset)))

    def begun(self, dataset: str) -> bool:
        """Has every collection that ought to something of this dataset?"""
        wanted = [reports.WORDS, *(spec.fingerprint for spec in self._readers(dataset))]
        return all(reports.begun(self.facts, dataset, index) for index in wanted)

    def index(
        self, dataset: str, stopped: Callable[[], bool], seen: Callable[[int, int], None] = lambda done, new: None
    ) -> set[str]:
        """Index one dataset, which the caller has claimed; `seen(looked at, of those written)` hears of every page.

        Returns the names of models whose collection was left out because their encoder is not at hand.
        """
        if not reports.count(self.facts, dataset):
            return set()
        self._fill(dataset, Words.of(self.facts), stopped, seen)
        away = set[str]()
        for spec in self._readers(dataset):
            try:
                with self.registry.lease(spec.name) as encoder:
                    if encoder.spec.fingerprint != spec.fingerprint:  # another one waits to be promoted
                        away.add(spec.name)
                    else:
                        self._fill(dataset, Meaning(encoder), stopped, seen)
            except HilumError as error:
                if error.code is not ErrorCode.UNKNOWN_MODEL:
                    raise
                away.add(spec.name)
        return away

    def _readers(self, dataset: str) -> list[ModelSpec]:
        return reports.readers(self.facts, dataset, models.active(self.facts).values())

    def _fill(
        self, dataset: str, target: Words | Meaning, stopped: Callable[[], bool], seen: Callable[[int, int], None]
    ) -> None:
        self.store.ensure_reports(target.collection, target.dim)
        for page in self._pages(dataset, target):
            if stopped():
                return
            news = [(section, digest) for section in page if (digest := _digest(target, section)) != section.indexed]
            made = target.vectors([section.text for section, _ in news])
            ready = [(*new, vector) for new, vector in zip(news, made, strict=True) if vector is not None]
            blank = [s for (s, _), vector in zip(news, made, strict=True) if vector is None and s.indexed]
            patiently(lambda b=blank: self.store.erase(target.collection, [report_point(s.key) for s in b]))
            if ready:
                keys = [section.key for section, _, _ in ready]
                patients = [section.patient_id for section, _, _ in ready]
                vectors = [vector for *_, vector in ready]
                patiently(lambda k=keys, p=patients, v=vectors: self.store.put_reports(target.collection, k, p, v))
            self.reached("reports_put")
            reports.hold(self.facts, target.name, [(section.key, digest) for section, digest, _ in ready])
            seen(len(page), len(ready))

    def _pages(self, dataset: str, target: Words | Meaning) -> Iterator[list[Section]]:
        after = None
        while page := reports.page(self.facts, dataset, target.name, after, target.page):
            yield page
            after = page[-1].key


def _digest(target: Words | Meaning, section: Section) -> str:
    told = "\0".join((target.recipe, section.patient_id or "", section.text))
    return hashlib.sha256(told.encode()).hexdigest()


def _count(tally: Tally, done: int, new: int) -> None:
    tally.counts[Outcome.STORED.value] += new
    tally.counts[Outcome.UNCHANGED.value] += done - new
    tally.fresh += done
