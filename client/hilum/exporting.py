"""Cohorts as files, for both clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hilum.connection import AsyncConnection, Connection
from hilum.errors import HilumError
from hilum.folder import Folder, Writing
from hilum.requests import PathLike
from hilum.v1 import cohort_exports_pb2, jobs_pb2

Seen = Callable[[jobs_pb2.JobProgress], None]
More = Callable[[Folder], None]
Answer = cohort_exports_pb2.ExportCohortAnswer
_PICTURES = "pictures/"


@dataclass(frozen=True, slots=True)
class Exported:
    """What is where. written, kept: files that this call wrote, and those that were there already, whole.  left_out:
    why pictures were left out → films.  gone: films that were frozen and have left the archive since."""

    to: Path
    written: int
    kept: int
    left_out: dict[str, int] = field(default_factory=dict)
    gone: int = 0


class Exporting(Connection):
    """Give cohorts away."""

    def export_cohort(
        self,
        name: str,
        to: PathLike,
        formats: Sequence[str] = (),
        *,
        right: str = "",
        seen: Seen | None = None,
        more: More | None = None,
    ) -> Exported:
        """Write a frozen cohort into the folder `to`, or the zip when that ends in ``.zip``. Interrupted, the same call
        goes on: files that are whole are not sent or written again.

        formats: csv, parquet, ids, tables, omop, methods, croissant, jpg (default: all but ids, omop and jpg).  right:
        to hand films on, in your words, where their licences do not say it; their pictures are left out without it.
        seen: told how far it is.  more: puts further files into the folder before it is closed. Raises HilumError.
        """
        folder = Folder(to)
        request = _asked(name, formats, right, folder)
        receiving = _Receiving(folder, seen)
        for answer in self._stream(self._to.cohort_exports.ExportCohort, request):
            receiving.take(answer)
        return receiving.finish(more)


class AsyncExporting(AsyncConnection):
    """The same as coroutines."""

    async def export_cohort(
        self,
        name: str,
        to: PathLike,
        formats: Sequence[str] = (),
        *,
        right: str = "",
        seen: Seen | None = None,
        more: More | None = None,
    ) -> Exported:
        """As `Client.export_cohort`."""
        folder = Folder(to)
        request = await asyncio.to_thread(_asked, name, formats, right, folder)
        receiving = _Receiving(folder, seen)
        answers: AsyncIterator[Answer] = self._stream(self._to.cohort_exports.ExportCohort, request)
        async for answer in answers:
            receiving.take(answer)
        return await asyncio.to_thread(receiving.finish, more)


def _asked(name: str, formats: Sequence[str], right: str, folder: Folder) -> cohort_exports_pb2.ExportCohortRequest:
    """With what is there already: pictures come by name, so the last one before a gap stands for them."""
    have = {one: digest for one, digest in folder.verified().items() if not one.startswith(_PICTURES)}
    return cohort_exports_pb2.ExportCohortRequest(
        name=name, formats=formats, right=right, have=have, after=folder.last(_PICTURES)
    )


class _Receiving:
    """Answers as they come, put into the folder file by file."""

    def __init__(self, folder: Folder, seen: Seen | None) -> None:
        self._folder, self._seen = folder, seen
        self._open: Writing | None = None
        self._done: cohort_exports_pb2.CohortExported | None = None

    def take(self, answer: Answer) -> None:
        kind = answer.WhichOneof("told")
        if kind == "data" and self._open is not None:
            self._open.add(answer.data)
        elif kind == "progress" and self._seen is not None:
            self._seen(answer.progress)
        elif kind == "file":
            self._end()
            if answer.file.unchanged:
                self._folder.keep(answer.file.name)
            else:
                self._open = self._folder.begin(answer.file.name, answer.file.sha256)
        elif kind == "done":
            self._end()
            self._done = answer.done

    def finish(self, more: More | None) -> Exported:
        if self._done is None:
            raise HilumError("UNAVAILABLE", "the service ended before the export did; give the same command again")
        if more is not None:
            more(self._folder)
        to = self._folder.close()
        return Exported(to, self._folder.written, self._folder.kept, dict(self._done.left_out), self._done.gone)

    def _end(self) -> None:
        if self._open is not None:
            self._open.end()
        self._open = None
