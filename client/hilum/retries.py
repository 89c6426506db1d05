"""Asking again while a service is away or busy, inside the caller's deadline.

gRPC's own retry policy does a part of it: at most five attempts, none once the service has sent its headers (ours does,
with the request id, before it says UNAVAILABLE), and it would send a film again that is too large. So we ask ourselves.
"""

from __future__ import annotations

import random
import time
from typing import Any

import grpc

from hilum.v1 import common_pb2

ERROR_DETAIL = "hilum-error-bin"
# Rpcs that change nothing, or nothing more when they come twice. Every rpc is here, or below.
AGAIN = frozenset({
    "Search", "SearchStream", "SearchBatch", "WhyNot", "GetImage", "GetThumbnail", "QueryImages", "FacetImages",
    "ExplainMatch", "SearchReports",
    "GetSearch", "ListSearches", "RunSearch", "RefineSearch", "MarkHits", "ListMarks",
    "ListModels", "EncodeImages", "EncodeTexts", "EncodePrompts", "Classify", "Explain", "ReadPictures",
    "FindDuplicates", "ListPromotions",
    "GetJob", "ListJobs", "ListJobItems", "WatchJob", "CancelJob",
    "GetRun", "GetRunFile", "ListRuns", "GetQuality", "ListSets", "ListSideTables",
    "ListReaderStudies", "GetReaderStudy", "CloseReaderStudy", "GetReaderStudyResults", "ExportReaderStudy",
    "OpenReading", "GetReadingPicture", "AnswerReading",
    "PreviewCohort", "GetCohort", "ListCohorts", "DiffCohort", "ExportCohort",
    "ListTeachingFiles", "GetTeachingFile", "UpdateTeachingFile", "ReviewTeachingFile", "PublishTeachingFile",
    "WithdrawTeachingFile", "SetTeachingAccess", "ListTeachingVersions", "GetTeachingPicture", "GetQuiz", "JudgeQuiz",
    "ExportTeachingFile",
    "GetQuizResults",
})  # fmt: skip
# Rpcs that do something each time they come. Those with a request_id are known by it, and come once whatever happens.
ONCE = frozenset({
    "CreateIngestJob", "ForgetPatient", "Reconcile", "CreateEmbeddingsJob", "FillModel", "PromoteModel",
    "RollbackModel", "CreateRun", "SaveSearch", "DeleteSearch", "IndexReports", "CreateSet", "DeleteSet",
    "StoreSideTable", "DeleteSideTable", "CreateCohort", "RerunCohort", "DeleteCohort",
    "CreateReaderStudy", "InviteReader", "DeleteReaderStudy", "KeepReaderGrades",
    "CreateTeachingFile", "AssembleTeachingFiles", "ImportTeachingFile", "DeleteTeachingFile", "RestoreTeachingVersion",
    "AnswerQuiz",
})  # fmt: skip
_FIRST, _MOST = 0.1, 2.0  # seconds: the longest first pause, and the longest of all
_BUSY = {"UNAVAILABLE", "RESOURCE_EXHAUSTED"}


class Tries:
    """One call's attempts.

    timeout: seconds for all of them together; None for no limit.  patience: seconds from now, and from every sign of
    life, for which a service that is away is asked again.
    """

    def __init__(self, rpc: str, request: Any, timeout: float | None, patience: float) -> None:
        self._again = rpc in AGAIN or bool(getattr(request, "request_id", ""))
        self._end = None if timeout is None else time.monotonic() + timeout
        self._patience = patience
        self.alive()

    def alive(self) -> None:
        """The service has answered something: patience starts anew."""
        self._until, self._failed = time.monotonic() + self._patience, 0

    def left(self) -> float | None:
        """Seconds for the next attempt: what gRPC sends along as its deadline."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def pause(self, error: grpc.RpcError) -> float | None:
        """Seconds to wait before the next attempt, drawn at random so that clients do not come back in step; None when
        it is of no use, not allowed, or too late."""
        if not self._again or not _worth_it(error):
            return None
        pause = random.uniform(0, min(_MOST, _FIRST * 2**self._failed))
        self._failed += 1
        end = self._until if self._end is None else min(self._until, self._end)
        return pause if time.monotonic() + pause < end else None


def _worth_it(error: grpc.RpcError) -> bool:
    """Away or busy, which passes; not a message that is too large."""
    for key, value in error.trailing_metadata() or ():
        if key == ERROR_DETAIL:
            return common_pb2.ErrorCode.Name(common_pb2.Error.FromString(value).code) in _BUSY
    return error.code().name in _BUSY and "larger than max" not in (error.details() or "")
