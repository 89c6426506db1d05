"""Vectors that somebody else has computed, stored beside those of the encoders here.

Some hundred rows at a time: read, told apart, checked, written to the engine, then to the ledger with their outcomes.
What the job has decided before a restart is passed over; a vector that is stored already costs a look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.core.config import Settings
from services.core.facts import Facts, images, jobs, models
from services.core.facts.images import Stored
from services.core.ids import image_id
from services.core.models import ModelSpec
from services.core.seal import unsealed
from services.core.sets import store_films
from services.core.store import VectorStore
from services.core.types import ImageRecord, JobItem, Outcome
from services.ingest import promotion, stated_model, withdrawn
from services.ingest.claim import claimed
from services.ingest.crash import Reached, nowhere
from services.ingest.patience import patiently
from services.ingest.progress import Tally
from services.ingest.reasons import BadFilm, Reason
from services.ingest.records import Identities, retold
from services.ingest.sources.arrays import Rows
from services.ingest.sources.vectors import Naming, VectorFile, list_vectors, naming
from services.ingest.stated_model import StatedModel

KIND = "embeddings"
_SAME = 1e-5  # of a cosine: what float32 and an engine's own normalisation leave of equality


@dataclass(frozen=True, slots=True)
class EmbeddingsPlan:
    """What a job of ready-made vectors was asked to do. `model` are the fields of a `StatedModel`."""

    source: str
    dataset: str
    model: Mapping[str, object]
    layout: str = "auto"
    labels: str = ""
    tables: str = ""
    columns: str = ""
    keep_ids: bool = False


@dataclass(slots=True)
class _Film:
    """One row on its way. `known`: the archive has the film."""

    ref: str
    name: str
    vector: NDArray[np.float32] | None = None
    record: ImageRecord | None = None
    known: bool = False
    outcome: Outcome | None = None
    reason: Reason | None = None

    def end(self, outcome: Outcome, reason: Reason | None = None) -> None:
        self.outcome, self.reason = outcome, reason

    def item(self) -> JobItem:
        assert self.outcome is not None
        reason = (self.reason.value, self.reason.message) if self.reason else ("", "")
        return JobItem(self.ref, self.outcome, self.record.image_id if self.record else None, *reason)


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Takes ready-made vectors into an archive."""

    settings: Settings
    facts: Facts
    store: VectorStore
    secret: bytes
    reached: Reached = field(default=nowhere)

    def run(
        self, job_id: str, spec: Mapping[str, object], tally: Tally, stopped: Callable[[], bool]
    ) -> dict[str, object]:
        """Work the job off; its result. Raises HilumError when it cannot go on as a whole."""
        plan = EmbeddingsPlan(**unsealed(self.secret, spec))  # type: ignore[arg-type]
        with claimed(self.facts, self.settings.data_dir, plan.dataset, stopped) as held:
            return self._run(job_id, plan, tally, stopped) if held else {}

    def _run(self, job_id: str, plan: EmbeddingsPlan, tally: Tally, stopped: Callable[[], bool]) -> dict[str, object]:
        model = stated_model.of(plan.model)
        spec = model.spec()
        tally.stage = "listing"
        files = list_vectors(Path(plan.source))
        tally.total = sum(file.count(model.names) for file in files)
        tally.stage = "reading tables"
        named = partial(image_id, plan.dataset)
        with closing(naming(Path(plan.source), plan.layout, plan.labels, plan.tables, plan.columns, named)) as names:
            who = Identities(plan.dataset, self.secret, plan.keep_ids or names.keep_ids)
            self.store.ensure(spec)
            if names.source:
                self.store.index_labels(spec, sorted(names.source.findings))
            models.note(self.facts, spec)
            tally.start("films")
            for film in self._parts(files, model):
                if stopped():
                    return {}
                self._take(job_id, film, spec, names, who, tally)
        self.reached("before_finish")
        waiting = promotion.waiting(self.facts, self.store, [spec], self.settings.promote)
        return {**tally.result(), "models": {spec.name: spec.fingerprint}, "waiting": waiting}

    def _parts(self, files: Sequence[VectorFile], model: StatedModel) -> Iterator[list[_Film]]:
        """Films of one reading after another; a file that cannot be read (on) is an item itself. Small files share a
        part: a durable write costs the same for one film and for hundreds."""
        part, most = list[_Film](), max(1, min(_MOST_FILMS, _MOST_NUMBERS // (model.dim * model.tokens)))
        for file in files:
            try:
                for rows in file.read(model.array, model.names):
                    part += self._films(file, rows, model)
                    if len(part) >= most:
                        yield part
                        part = []
            except BadFilm as error:
                part.append(_Film(file.ref(self.secret), ""))
                part[-1].end(Outcome.QUARANTINED, error.reason)
        if part:
            yield part

    def _films(self, file: VectorFile, rows: Rows, model: StatedModel) -> Iterator[_Film]:
        for number, array in enumerate(rows.arrays):
            name = rows.names[number] if rows.names is not None else file.film()
            film = _Film(file.ref(self.secret, rows.first + number), name)
            vector = model.vector(array)
            if isinstance(vector, Reason):
                film.end(Outcome.QUARANTINED, vector)
            else:
                film.vector = vector
            yield film

    def _take(
        self, job_id: str, part: list[_Film], spec: ModelSpec, names: Naming, who: Identities, tally: Tally
    ) -> None:
        done = jobs.decided(self.facts, job_id, [film.ref for film in part])
        tally.counts.update(outcome.value for outcome in done.values())
        part = [film for film in part if film.ref not in done]
        self._recognise(part, names, who)
        self._compare([film for film in part if film.outcome is None], spec)
        fresh = [film for film in part if film.outcome is None]
        self._write(fresh, spec)
        self.reached("after_upsert")
        for film in fresh:
            film.end(Outcome.STORED)
        with self.facts.write():
            new = [Stored(film.record, "", (spec.fingerprint,)) for film in fresh if film.record and not film.known]
            images.commit(self.facts, new)
            images.hold(self.facts, [_id(film) for film in fresh if film.known], spec.fingerprint)
            jobs.record_items(self.facts, job_id, [film.item() for film in part])
        self.reached("after_commit")
        tally.add(part)

    def _recognise(self, part: Sequence[_Film], names: Naming, who: Identities) -> None:
        """Each film's record: the archive's own, or one without a picture where a table states the film."""
        open_ = [film for film in part if film.outcome is None]
        ids = [[who.film(key) for key in names.keys(film.name)] for film in open_]
        there = images.get(self.facts, {one for some in ids for one in some})
        rows = names.rows([film.name for film in open_])
        for film, some, row in zip(open_, ids, rows, strict=True):
            stored = next((there[one] for one in some if one in there), None)
            if stored is not None:
                film.record, film.known = stored, True
            elif row is not None:
                key = who.film(row.key) if row.key else some[0]
                film.known = key in there
                film.record = there.get(key) or retold(who, ImageRecord(key, who.dataset), row)
            else:
                film.end(Outcome.QUARANTINED, Reason.UNKNOWN_FILM)
        gone = withdrawn.among(self.facts, self.secret, [film.record for film in open_ if film.record])
        for film in open_:
            if film.record and film.record.image_id in gone:
                film.record = None
                film.end(Outcome.QUARANTINED, Reason.CONSENT_WITHDRAWN)

    def _compare(self, films: Sequence[_Film], spec: ModelSpec) -> None:
        """A film that comes twice, or that is stored with this model: with this vector or with another."""
        ledger = images.ledger(self.facts, [_id(film) for film in films if film.known])
        held = [_id(film) for film in films if spec.fingerprint in ledger.get(_id(film), ())]
        ids, stored = patiently(lambda: self.store.vectors(spec, ids=held)) if held else ([], np.empty(0))
        kept = dict(zip(ids, stored, strict=True))
        seen: dict[str, NDArray[np.float32]] = {}
        for film in films:
            other = kept.get(_id(film), seen.get(_id(film)))
            if other is None:
                seen[_id(film)] = _vector(film)
            elif not _same(other, _vector(film)):
                film.end(Outcome.CONFLICT, Reason.SAME_FILM_OTHER_VECTOR)
            elif _id(film) in seen:
                film.end(Outcome.DUPLICATE, Reason.SAME_KEY_SAME_PIXELS)
            else:
                film.end(Outcome.UNCHANGED)

    def _write(self, films: Sequence[_Film], spec: ModelSpec) -> None:
        if films:
            vectors = np.stack([_vector(film) for film in films])
            records = [film.record for film in films if film.record]
            patiently(lambda: store_films(self.facts, self.store, spec, records, vectors))


_MOST_FILMS, _MOST_NUMBERS = 1_024, 2**23  # of one durable write


def _id(film: _Film) -> str:
    assert film.record is not None
    return film.record.image_id


def _vector(film: _Film) -> NDArray[np.float32]:
    assert film.vector is not None
    return film.vector


def _same(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Do they point the same way? Engines keep directions."""
    a, b = (np.atleast_2d(v).astype(np.float64) for v in (one, other))
    cosines = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return bool((cosines > 1 - _SAME).all())
