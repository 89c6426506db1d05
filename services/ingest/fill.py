"""Vectors of another model for films that are stored already, from their cached pixels: no source is read. A model
whose vectors follow from another's is filled from those.

A dataset is held while its films are filled, as an ingest holds it: nobody forgets a film of it in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from services.core.config import Settings
from services.core.facts import Facts, images, jobs, models
from services.core.sets import store_films
from services.core.store import VectorStore
from services.core.types import Film, ImageRecord, JobItem, Outcome
from services.encoders.base import Derived, Encoder
from services.encoders.registry import Registry
from services.ingest import promotion
from services.ingest.claim import claimed
from services.ingest.crash import Reached, nowhere
from services.ingest.encoding import Vector, encode
from services.ingest.patience import patiently
from services.ingest.pixel_cache import PixelCache
from services.ingest.progress import Tally
from services.ingest.reasons import Reason
from services.ingest.sources.refs import ref_of

KIND = "fill"
_PAGE, _MAPPED = 64, 1_024  # films at a time, encoded or taken from stored vectors
_READERS = 4


@dataclass(slots=True)
class _Film:
    record: ImageRecord
    outcome: Outcome | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Fill:
    """Fills a model's collection from the pixel cache, dataset by dataset, in the order of ids."""

    settings: Settings
    facts: Facts
    store: VectorStore
    registry: Registry
    secret: bytes
    reached: Reached = field(default=nowhere)

    def run(
        self, job_id: str, spec: Mapping[str, object], tally: Tally, stopped: Callable[[], bool]
    ) -> dict[str, object]:
        """spec: `model` and, where only one is wanted, `dataset`. Films are left out that the model holds already;
        those that are not cached are reported."""
        name, dataset = str(spec["model"]), str(spec.get("dataset") or "")
        tally.stage = "loading models"
        with (
            self.registry.lease(name) as encoder,
            ThreadPoolExecutor(_READERS, thread_name_prefix="fill-film") as threads,
        ):
            self.store.ensure(encoder.spec)
            self.store.index_labels(encoder.spec, sorted(images.stated_findings(self.facts)))
            models.note(self.facts, encoder.spec)
            lacking = images.lacking(encoder.spec.fingerprint, dataset)
            tally.total = images.count(self.facts, lacking)
            tally.start("films")
            for one in images.datasets(self.facts, lacking):
                with claimed(self.facts, self.settings.data_dir, one, stopped) as held:
                    if held:
                        self._dataset(job_id, one, encoder, threads, tally, stopped)
            waiting = promotion.waiting(self.facts, self.store, [encoder.spec], self.settings.promote)
            return {**tally.result(), "models": {name: encoder.spec.fingerprint}, "waiting": waiting}

    def _dataset(
        self, job_id: str, dataset: str, encoder: Encoder, threads: ThreadPoolExecutor, tally: Tally,
        stopped: Callable[[], bool],
    ) -> None:  # fmt: skip
        lacking, after = images.lacking(encoder.spec.fingerprint, dataset), ""
        size = _MAPPED if isinstance(encoder, Derived) else _PAGE
        while not stopped() and (page := images.page(self.facts, lacking, after, size)):
            after = page[-1].image_id
            films = [_Film(record) for record in page]
            self._fill(job_id, films, encoder, threads)
            tally.add(films)

    def _fill(self, job_id: str, films: Sequence[_Film], encoder: Encoder, threads: ThreadPoolExecutor) -> None:
        cache, spec = PixelCache.at(self.settings), encoder.spec
        followed = self._derived(encoder, [film.record.image_id for film in films])

        def prepared(film: _Film) -> object:
            if film.record.image_id in followed:
                return None
            pixels: Film | None = cache.get(film.record.pixel_sha256) if film.record.pixel_sha256 else None
            if pixels is None:
                film.outcome, film.reason = Outcome.QUARANTINED, Reason.NOT_CACHED
                return None
            try:
                return encoder.preprocess(pixels)
            except Exception:
                film.outcome, film.reason = Outcome.QUARANTINED, Reason.ENCODER_FAILED
                return None

        batch = list(threads.map(prepared, films))
        pixels = [one for one in batch if one is not None]
        vectors = patiently(lambda: encode(encoder, pixels))  # type: ignore[arg-type]
        done: list[tuple[_Film, Vector]] = []
        for film in films:
            if film.record.image_id in followed:
                film.outcome = Outcome.STORED
                done.append((film, followed[film.record.image_id]))
        for film, vector in zip([film for film in films if film.outcome is None], vectors, strict=True):
            if isinstance(vector, Reason):
                film.outcome, film.reason = Outcome.QUARANTINED, vector
            else:
                film.outcome = Outcome.STORED
                done.append((film, vector))
        if done:
            records, stacked = [film.record for film, _ in done], np.stack([vector for _, vector in done])
            patiently(lambda: store_films(self.facts, self.store, spec, records, stacked))
        self.reached("after_upsert")
        with self.facts.write():
            images.hold(self.facts, [film.record.image_id for film, _ in done], spec.fingerprint)
            jobs.record_items(self.facts, job_id, [self._item(film) for film in films])

    def _derived(self, encoder: Encoder, ids: Sequence[str]) -> dict[str, Vector]:
        """Vectors that follow from stored ones of another model."""
        if not isinstance(encoder, Derived):
            return {}
        base = encoder.base.spec
        held = [one for one, known in images.ledger(self.facts, ids).items() if base.fingerprint in known]
        if not held:
            return {}
        found, vectors = patiently(lambda: self.store.vectors(base, ids=held))
        return dict(zip(found, encoder.derive(vectors), strict=True))

    def _item(self, film: _Film) -> JobItem:
        assert film.outcome is not None
        reason = (film.reason.value, film.reason.message) if film.reason else ("", "")
        return JobItem(ref_of(self.secret, film.record.image_id), film.outcome, film.record.image_id, *reason)
