"""Reader studies, for whoever runs them and for whoever reads, for both clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, Unpack

from hilum.connection import AsyncConnection, Connection
from hilum.errors import HilumError
from hilum.keeping import Seen
from hilum.v1 import reader_study_pb2 as wire


class Design(TypedDict, total=False):
    """What a study asks. kind: choose (the k most alike), pairs (the one of two) or grades (0 to 3 each).

    against: whose the other films are, furthest or random.  where: among which films queries are drawn, candidates: and
    candidates.  strata: filters, equally many queries of each; stratify: or a field, one stratum for each value.
    repeats: sets that come twice.
    """

    kind: str
    model: str
    sets: int
    nearest: int
    others: int
    against: str
    where: str
    candidates: str
    strata: Sequence[str]
    stratify: str
    repeats: int
    seed: int
    instructions: str


class Studying(Connection):
    """Let people judge which films are alike, and hold them against each other and a model."""

    def create_study(
        self, title: str, *, queries: Sequence[str] = (), seen: Seen | None = None, **design: Unpack[Design]
    ) -> wire.ReaderStudy:
        """Draw the sets of a study and open it. queries: ids of the films to ask with, instead of drawing them.
        `seen` hears progress."""
        for answer in self._stream(self._to.studies.CreateReaderStudy, _create(title, queries, design)):
            if answer.WhichOneof("told") == "study":
                return answer.study
            if seen is not None:
                seen(answer.progress)
        raise _broken_off()

    def studies(self) -> list[wire.ReaderStudy]:
        """Your studies, the newest first."""
        return list(self._call(self._to.studies.ListReaderStudies, wire.ListReaderStudiesRequest()).studies)

    def study(self, study_id: str) -> wire.ReaderStudy:
        """One study, with who was invited and how far they are."""
        return self._call(self._to.studies.GetReaderStudy, _named(study_id))

    def invite(self, study_id: str, name: str, *, renew: bool = False) -> wire.ReaderInvitation:
        """Invite a reader; their link is said this once. renew: a new link, in place of the old one."""
        request = wire.InviteReaderRequest(study_id=study_id, name=name, renew=renew)
        return self._call(self._to.studies.InviteReader, request)

    def close_study(self, study_id: str, *, reopen: bool = False) -> wire.ReaderStudy:
        """Take no more answers; or take them again."""
        request = wire.CloseReaderStudyRequest(study_id=study_id, open=reopen)
        return self._call(self._to.studies.CloseReaderStudy, request)

    def delete_study(self, study_id: str) -> int:
        """Delete a study with all answers; how many there were."""
        return int(self._call(self._to.studies.DeleteReaderStudy, _named(study_id)).answers)

    def study_results(self, study_id: str, readers: Sequence[str] = ()) -> wire.ReaderStudyResults:
        """What came out, for all readers who answered or those of these names."""
        request = wire.ReaderStudyResultsRequest(study_id=study_id, readers=readers)
        return self._call(self._to.studies.GetReaderStudyResults, request)

    def export_study(self, study_id: str, form: str = "csv") -> bytes:
        """A study as a file: csv (a row for each film judged), json (all of it) or qrels (as trec_eval reads)."""
        request = wire.ExportReaderStudyRequest(study_id=study_id, format=form)
        return bytes(self._call(self._to.studies.ExportReaderStudy, request).data)

    def keep_grades(self, study_id: str) -> list[str]:
        """Keep what readers made of the films as marks of saved searches, one for each query; their ids."""
        return list(self._call(self._to.studies.KeepReaderGrades, _named(study_id)).search_ids)

    def reading(self, token: str) -> wire.Reading:
        """What the reader with this link sees."""
        return self._call(self._to.reading.OpenReading, wire.OpenReadingRequest(token=token))

    def reading_picture(self, token: str, number: int, place: int) -> bytes:
        """The picture at a place of a set, 0 for the query."""
        request = wire.ReadingPictureRequest(token=token, number=number, place=place)
        return bytes(self._call(self._to.reading.GetReadingPicture, request).data)

    def answer_reading(
        self, token: str, number: int, *, chosen: Sequence[int] = (), grades: Sequence[int] = (), seconds: float = 0.0
    ) -> wire.ReadingSet:
        """Answer a set, or change an answer: places, from 1, or a grade for each place. seconds: in all."""
        return self._call(self._to.reading.AnswerReading, _answer(token, number, chosen, grades, seconds))


class AsyncStudying(AsyncConnection):
    """The same as coroutines."""

    async def create_study(
        self, title: str, *, queries: Sequence[str] = (), seen: Seen | None = None, **design: Unpack[Design]
    ) -> wire.ReaderStudy:
        """As `Client.create_study`."""
        async for answer in self._stream(self._to.studies.CreateReaderStudy, _create(title, queries, design)):
            if answer.WhichOneof("told") == "study":
                return answer.study
            if seen is not None:
                seen(answer.progress)
        raise _broken_off()

    async def studies(self) -> list[wire.ReaderStudy]:
        """As `Client.studies`."""
        return list((await self._call(self._to.studies.ListReaderStudies, wire.ListReaderStudiesRequest())).studies)

    async def study(self, study_id: str) -> wire.ReaderStudy:
        """As `Client.study`."""
        return await self._call(self._to.studies.GetReaderStudy, _named(study_id))

    async def invite(self, study_id: str, name: str, *, renew: bool = False) -> wire.ReaderInvitation:
        """As `Client.invite`."""
        request = wire.InviteReaderRequest(study_id=study_id, name=name, renew=renew)
        return await self._call(self._to.studies.InviteReader, request)

    async def close_study(self, study_id: str, *, reopen: bool = False) -> wire.ReaderStudy:
        """As `Client.close_study`."""
        request = wire.CloseReaderStudyRequest(study_id=study_id, open=reopen)
        return await self._call(self._to.studies.CloseReaderStudy, request)

    async def delete_study(self, study_id: str) -> int:
        """As `Client.delete_study`."""
        return int((await self._call(self._to.studies.DeleteReaderStudy, _named(study_id))).answers)

    async def study_results(self, study_id: str, readers: Sequence[str] = ()) -> wire.ReaderStudyResults:
        """As `Client.study_results`."""
        request = wire.ReaderStudyResultsRequest(study_id=study_id, readers=readers)
        return await self._call(self._to.studies.GetReaderStudyResults, request)

    async def export_study(self, study_id: str, form: str = "csv") -> bytes:
        """As `Client.export_study`."""
        request = wire.ExportReaderStudyRequest(study_id=study_id, format=form)
        return bytes((await self._call(self._to.studies.ExportReaderStudy, request)).data)

    async def keep_grades(self, study_id: str) -> list[str]:
        """As `Client.keep_grades`."""
        return list((await self._call(self._to.studies.KeepReaderGrades, _named(study_id))).search_ids)

    async def reading(self, token: str) -> wire.Reading:
        """As `Client.reading`."""
        return await self._call(self._to.reading.OpenReading, wire.OpenReadingRequest(token=token))

    async def reading_picture(self, token: str, number: int, place: int) -> bytes:
        """As `Client.reading_picture`."""
        request = wire.ReadingPictureRequest(token=token, number=number, place=place)
        return bytes((await self._call(self._to.reading.GetReadingPicture, request)).data)

    async def answer_reading(
        self, token: str, number: int, *, chosen: Sequence[int] = (), grades: Sequence[int] = (), seconds: float = 0.0
    ) -> wire.ReadingSet:
        """As `Client.answer_reading`."""
        return await self._call(self._to.reading.AnswerReading, _answer(token, number, chosen, grades, seconds))


def _create(title: str, queries: Sequence[str], design: Design) -> wire.CreateReaderStudyRequest:
    told = {("filter" if name == "where" else name): value for name, value in design.items() if value}
    asked = wire.ReaderDesign(**told)  # type: ignore[arg-type]
    return wire.CreateReaderStudyRequest(title=title, design=asked, image_ids=queries)


def _named(study_id: str) -> wire.ReaderStudyIdRequest:
    return wire.ReaderStudyIdRequest(study_id=study_id)


def _answer(
    token: str, number: int, chosen: Sequence[int], grades: Sequence[int], seconds: float
) -> wire.AnswerReadingRequest:
    return wire.AnswerReadingRequest(token=token, number=number, chosen=chosen, grades=grades, seconds=seconds)


def _broken_off() -> HilumError:
    return HilumError("UNAVAILABLE", "the service ended while it drew the sets; give the same call again")
