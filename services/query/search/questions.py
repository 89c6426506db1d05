"""What a model is asked with: every question becomes one vector per model, or one per view of a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts
from services.core.filters import Expr, equals, not_
from services.core.models import ModelSpec
from services.core.store import VectorStore, check_question
from services.core.types import ImageRecord
from services.query import own
from services.query.asked import Reading, SearchQuery
from services.query.by import (
    FilmRegion,
    Liked,
    Mixture,
    RawVector,
    ReportWords,
    Single,
    StoredFilm,
    StudyFilms,
    UploadedFilm,
    Words,
    parts,
)
from services.query.images import Images, png
from services.query.reports.words import report_query
from services.query.samples import Samples, unit
from services.query.words import Mention, understand, understood
from services.transport.encode_client import EncodeClient

Vector = NDArray[np.float32]
T = TypeVar("T")
LATERAL = equals("view", "LATERAL")


@dataclass(frozen=True, slots=True)
class Ask:
    """One vector to search with: (D,), or (T, D) with several tokens; or the id of a stored film, which the engine then
    looks up itself. `where`: which films may answer it besides.

    liked, disliked: (N, D) vectors to recommend by instead; `by` is then the mean of those liked.
    """

    by: Vector | str
    where: Expr | None = None
    liked: Vector | None = None
    disliked: Vector | None = None


class Questions:
    """Safe to share between threads."""

    def __init__(
        self, facts: Facts, store: VectorStore, encode: EncodeClient, samples: Samples, images: Images
    ) -> None:
        self._facts, self._store, self._encode = facts, store, encode
        self._samples, self._images = samples, images

    def __call__(self, query: SearchQuery, spec: ModelSpec) -> list[Ask]:
        """What `spec` makes of the question: one ask, of a study one for its frontal and one for its lateral films.

        Raises NOT_FOUND for a film that the model does not hold, and what encoding raises.
        """
        match query.by:
            case None:
                return []
            case StudyFilms() as study:
                return [Ask(vector, where) for vector, where in self._views(study, spec)]
            case StoredFilm(image_id):
                return [Ask(image_id)]
            case Liked() as marked:
                return [self._recommended(marked, spec)]
            case Mixture(several):
                vector = self._mixed([(self._one(one, spec, query), weight) for one, weight in several], spec)
            case one:
                vector = self._one(one, spec, query)
        check_question(spec, vector)
        return [Ask(vector)]

    @staticmethod
    def understood(query: SearchQuery) -> tuple[Mention, ...]:
        """How the words of a question were read; nothing where they were taken as they are."""
        if query.ranking.reading is Reading.PLAIN:
            return ()
        texts = [one.text for one, _ in parts(query.by) if isinstance(one, Words)]
        return tuple(mention for text in texts for mention in understand(text))

    def _one(self, one: Single, spec: ModelSpec, query: SearchQuery) -> Vector:
        match one:
            case StoredFilm(image_id):
                return self._store.vector(spec, image_id)
            case RawVector(values):
                return values
            case Words(text):
                return self._words(text, spec, query.ranking.reading)
            case UploadedFilm(data):
                return encoded(spec, lambda: self._encode.encode_images(spec.name, [data], spec.fingerprint))[0]
            case FilmRegion(film):
                data = film.data if isinstance(film, UploadedFilm) else png(self._images.kept(film.image_id))
                box = (one.x, one.y, one.width, one.height)
                return encoded(spec, lambda: self._encode.encode_regions(spec.name, [(data, box)], spec.fingerprint))[0]
            case ReportWords(dataset, study_id, section):
                text = report_query(self._facts, dataset, study_id, section)
                return self._words(text, spec, query.ranking.reading)
            case StudyFilms():
                return self._views(one, spec)[0][0]

    def _words(self, text: str, spec: ModelSpec, reading: Reading) -> Vector:
        if reading is Reading.PLAIN:
            return encoded(spec, lambda: self._encode.encode_texts(spec.name, [text], spec.fingerprint))[0]
        plan = understood(text)
        found = encoded(spec, lambda: self._encode.encode_prompts(plan.request(spec.name), spec.fingerprint))
        return found[0] if len(found) == 1 and plan.parts[0].weight > 0 else plan.vector(found)

    def _views(self, study: StudyFilms, spec: ModelSpec) -> list[tuple[Vector, Expr]]:
        """Frontal films by their mean, lateral films by theirs, and what such films are: a mean over both is near
        neither."""
        if spec.tokens > 1:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION, f"{spec.name} compares films by several vectors; ask by one film"
            )
        found = []
        records = own.of(self._facts, study)
        for where, those in ((not_(LATERAL), _of(records, False)), (LATERAL, _of(records, True))):
            _, vectors = self._store.vectors(spec, ids=those)
            if len(vectors):
                found.append((unit(unit(vectors).mean(0)), where))
        if not found:
            raise HilumError(ErrorCode.NOT_FOUND, "this study is not stored with this model; choose another model")
        return found

    def _recommended(self, marked: Liked, spec: ModelSpec) -> Ask:
        """Marked films that the model does not hold say nothing to it."""
        found = [
            self._store.vectors(spec, ids=[film.image_id for film in films])[1]
            for films in (marked.positive, marked.negative)
        ]
        if not len(found[0]):
            raise HilumError(ErrorCode.NOT_FOUND, "no film marked relevant is stored with this model; choose another")
        return Ask(unit(unit(found[0]).mean(0)), None, *found)

    def _mixed(self, found: Sequence[tuple[Vector, float]], spec: ModelSpec) -> Vector:
        """The sum whose cosines are the weighted sum of the parts' cosines, each part's first brought to one spread.

        Cosines of words spread less over an archive than those of films; without this, films would decide alone.
        """
        if len(found) == 1 and found[0][1] > 0:
            return found[0][0]
        if any(vector.ndim > 1 for vector, _ in found):
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION, f"{spec.name} compares films by several vectors; ask by one thing"
            )
        sample = self._samples.of(spec)
        return unit(np.sum([weight / sample.spread(v) * unit(v) for v, weight in found], axis=0))


def _of(records: list[ImageRecord], lateral: bool) -> list[str]:
    return [record.image_id for record in records if (record.view == "LATERAL") is lateral]


def encoded(spec: ModelSpec, encode: Callable[[], Sequence[T | HilumError]]) -> list[T]:
    """What an encoder says, or that there is none: vectors may have come ready made, or the encoder has gone since."""
    try:
        found = encode()
    except HilumError as error:
        if error.code is not ErrorCode.UNKNOWN_MODEL:
            raise
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"the archive has vectors of {spec.name} but no encoder for it is here, so it answers for stored films "
            "only: search by a film of the archive, or with another model",
        ) from error
    given: list[T] = []
    for one in found:
        if isinstance(one, HilumError):
            raise one
        given.append(one)
    return given
