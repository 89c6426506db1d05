"""Reports: what is asked for, and what is found.

Client().search_reports("large effusion, no pneumothorax", where='view = "PA"')
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hilum.connection import AsyncConnection, Connection
from hilum.errors import HilumError
from hilum.jobs import AsyncJob, Job
from hilum.requests import PathLike, read
from hilum.results import Film
from hilum.v1 import reports_pb2


def request(
    text: str | None = None,
    *,
    image: PathLike | bytes | None = None,
    id: str | None = None,
    how: str = "",
    model: str = "",
    where: str = "",
    section: str = "",
    limit: int = 10,
    exclude: str = "patient",
) -> reports_pb2.SearchReportsRequest:
    """Reports by words (`text`), by a film in a file or in bytes (`image`), or by a stored film (`id`).

    how: ``words`` (BM25), ``meaning`` (a model's text tower) or both, ``fused``.  where: a filter on the films of a
    report's study.  section: such as ``impression``.  exclude: whose reports do not count beside a film's own.
    """
    if sum(given is not None for given in (text, image, id)) != 1:
        raise HilumError("INVALID_ARGUMENT", "give exactly one of text, image or id")
    asked = reports_pb2.SearchReportsRequest(
        how=how, model=model, filter=where, section=section, limit=limit, exclude=exclude
    )
    if text is not None:
        asked.text = text
    elif id is not None:
        asked.image_id = id
    elif image is not None:
        asked.image = image if isinstance(image, bytes) else read(image)
    return asked


@dataclass(frozen=True, slots=True)
class ReportHit:
    """A section of a report. A rank of None: it was not found in that way. `sentences` answer best."""

    dataset: str
    study_id: str
    section: str
    text: str
    score: float
    lexical_rank: int | None
    meaning_rank: int | None
    sentences: list[str]
    films: list[Film]

    @classmethod
    def of(cls, hit: reports_pb2.ReportHit) -> ReportHit:
        return cls(
            hit.dataset, hit.study_id, hit.section, hit.text, hit.score, hit.lexical_rank or None,
            hit.meaning_rank or None, list(hit.sentences), list(map(Film.of, hit.images)),
        )  # fmt: skip


@dataclass(frozen=True)
class ReportResult(Sequence[ReportHit]):
    """Hits, best first, with how the answer came about. `indexed`: how many sections can be found at all."""

    hits: list[ReportHit]
    indexed: int
    provenance: dict[str, Any]

    @classmethod
    def of(cls, answer: reports_pb2.SearchReportsResponse) -> ReportResult:
        said = answer.provenance
        provenance = {
            "models": {m.name: {"fingerprint": m.fingerprint, "collection": m.collection} for m in said.models},
            "filter": said.filter, "exclude": said.exclude, "versions": dict(said.versions), "time": said.time,
            "elapsed_ms": said.elapsed_ms, "notes": list(said.notes),
        }  # fmt: skip
        return cls(list(map(ReportHit.of, answer.hits)), answer.indexed, provenance)

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, index: Any) -> Any:
        return self.hits[index]

    def __iter__(self) -> Iterator[ReportHit]:
        return iter(self.hits)

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per hit."""
        return [
            {
                "rank": rank, "score": round(hit.score, 4), "dataset": hit.dataset, "study_id": hit.study_id,
                "section": hit.section, "sentences": " … ".join(hit.sentences), "lexical_rank": hit.lexical_rank,
                "meaning_rank": hit.meaning_rank, "image_ids": [film.image_id for film in hit.films],
            }
            for rank, hit in enumerate(self.hits, 1)
        ]  # fmt: skip

    def to_pandas(self) -> Any:
        """The rows as a pandas DataFrame."""
        import pandas

        return pandas.DataFrame(self.rows())


class Reporting(Connection):
    """Reports, by words and by films."""

    def search_reports(self, text: str | None = None, **asked: Any) -> ReportResult:
        """Reports by words or by a film; the arguments are those of `hilum.reports.request`."""
        return ReportResult.of(self._call(self._to.reports.SearchReports, request(text, **asked)))

    def index_reports(self, dataset: str = "") -> Job:
        """Start making stored reports findable, of one dataset or of all; returns at once."""
        wanted = reports_pb2.IndexReportsRequest(dataset=dataset)
        return Job.of(self._call(self._to.reports.IndexReports, wanted), self)


class AsyncReporting(AsyncConnection):
    """The same as coroutines."""

    async def search_reports(self, text: str | None = None, **asked: Any) -> ReportResult:
        """As `Client.search_reports`."""
        return ReportResult.of(await self._call(self._to.reports.SearchReports, request(text, **asked)))

    async def index_reports(self, dataset: str = "") -> AsyncJob:
        """As `Client.index_reports`."""
        wanted = reports_pb2.IndexReportsRequest(dataset=dataset)
        return AsyncJob.of(await self._call(self._to.reports.IndexReports, wanted), self)
