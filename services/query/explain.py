"""Where in a stored film a model sees what was asked: the Encode service's answer for the pictures that are kept.

explain = Explain(facts, store, encode, images)
explanation = explain("5f0c…", Words("large left pleural effusion"))
"""

from __future__ import annotations

from hilum.v1 import encode_pb2, saliency_pb2
from services.core.access import ALL, Access
from services.core.errors import invalid
from services.core.facts import Facts
from services.core.facts import models as known
from services.core.store import VectorStore
from services.query import models
from services.query.asked import SearchQuery
from services.query.by import By, RawVector, StoredFilm, UploadedFilm, Words
from services.query.images import Images, png
from services.query.samples import FEWEST, Samples
from services.transport.encode_client import EncodeClient
from services.transport.vectors import to_message


class Explain:
    """Safe to share between threads."""

    def __init__(self, facts: Facts, store: VectorStore, encode: EncodeClient, images: Images) -> None:
        self._facts, self._store, self._encode, self._images = facts, store, encode, images
        self._samples = Samples(facts, store)

    def __call__(
        self, image_id: str, by: By, model: str = "", method: str = "", access: Access = ALL
    ) -> saliency_pb2.Explanation:
        """A map of the film, and one of the film it is compared with. Raises NOT_FOUND and what a search raises.

        Two films share most of what they show, so the mean of the archive's vectors is subtracted from both first.
        """
        record = self._images.get(image_id, access).record
        query = SearchQuery(by=by, models=(model,) if model else ())
        spec = models.choose(known.active(self._facts), self._facts, self._encode, query)[0]
        film = self._images.kept(image_id)
        request = encode_pb2.ExplainRequest(model=spec.name, image=png(film), method=method)
        pair = isinstance(by, StoredFilm | UploadedFilm)
        match by:
            case Words(text):
                request.text = text
            case RawVector(values):
                request.vector.CopyFrom(to_message(values))
            case StoredFilm(other):
                request.other_image = png(self._images.kept(other, access))
            case UploadedFilm(data):
                request.other_image = data
            case _:
                raise invalid("a map is made of words, a vector or one other film")
        sample = self._samples.of(spec) if pair else None
        if sample and len(sample.vectors) >= FEWEST:  # with fewer, the mean would be the two films themselves
            request.less.CopyFrom(to_message(sample.film))
        answer = self._encode.explain(request, spec.fingerprint)
        if request.HasField("less"):
            films = len(sample.vectors) if sample else 0
            answer.provenance.notes.append(f"the mean vector of {films} films of this archive was subtracted")
        answer.provenance.notes.append(
            f"made from the kept picture of {film.width} × {film.height} pixels; the film has "
            f"{record.columns} × {record.rows}"
        )
        return answer
