"""hilum.v1.CohortExportsService."""

from __future__ import annotations

import time
from collections.abc import Iterator

from hilum.v1 import cohort_exports_pb2, jobs_pb2
from services.analytics import manifest
from services.analytics.cohort.export.bundle import Bundle, Present
from services.analytics.cohort.export.frozen import Frozen
from services.analytics.cohort.export.kept import kept
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts
from services.transport.edge import Call, Route

Answer = cohort_exports_pb2.ExportCohortAnswer
_BEAT = 0.2  # seconds between words on progress
_FEW = 25  # files from which on one can tell how long the rest takes: the first are tables, most are pictures


class CohortExportsApi:
    """Files of a frozen cohort, as they are made."""

    service = cohort_exports_pb2.DESCRIPTOR.services_by_name["CohortExportsService"]
    routes = (Route("POST", "/v1/cohorts/{name}:export", "ExportCohort"),)

    def __init__(self, settings: Settings, facts: Facts) -> None:
        self._facts, self._runs = facts, manifest.runs_dir(settings.data_dir)
        self._blobs = Blobs(settings.data_dir / "blobs")

    def export_cohort(self, request: cohort_exports_pb2.ExportCohortRequest, call: Call) -> Iterator[Answer]:
        """What is wrong with the request is said before the first answer."""
        frozen = kept(self._facts, self._runs, request.name, call.access)
        return self._told(self.bundle(frozen, request), request, call)

    def bundle(self, frozen: Frozen, request: cohort_exports_pb2.ExportCohortRequest) -> Bundle:
        """The files that are asked for. Raises INVALID_ARGUMENT."""
        return Bundle(frozen, self._facts, self._blobs, request.formats, request.right)

    def _told(self, bundle: Bundle, request: cohort_exports_pb2.ExportCohortRequest, call: Call) -> Iterator[Answer]:
        have, files, started, said = dict(request.have), 0, time.monotonic(), 0.0
        for file in bundle.files(request.after):
            if call.cancelled():
                raise HilumError(ErrorCode.CANCELLED, "the export was cancelled; give it again and it goes on")
            files += 1
            if isinstance(file, Present):
                yield Answer(file=cohort_exports_pb2.ExportedFile(name=file.name, unchanged=True))
            else:
                same = have.get(file.part.name) == file.sha256
                yield Answer(
                    file=cohort_exports_pb2.ExportedFile(
                        name=file.part.name, sha256=file.sha256, bytes=file.size, unchanged=same
                    )
                )
                for data in file.chunks():
                    if not same:
                        yield Answer(data=data)
            now = time.monotonic()
            if now - said >= _BEAT:
                said = now
                yield Answer(progress=_progress(files, max(files, bundle.total), now - started))
        left_out = {why: films for why, films in bundle.left_out.items() if films}
        done = cohort_exports_pb2.CohortExported(files=files, left_out=left_out, gone=bundle.content.gone)
        yield Answer(done=done)


def _progress(files: int, total: int, seconds: float) -> jobs_pb2.JobProgress:
    told = jobs_pb2.JobProgress(stage="files", done=files, total=total)
    if seconds > 1 and files > _FEW:
        told.eta_seconds = seconds / files * (total - files)
    return told
