"""Teaching files and quizzes on them, for both clients. Documents are dictionaries with the contract's names."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from google.protobuf import json_format

from hilum import queries
from hilum.errors import HilumError
from hilum.queries import By
from hilum.teaching_exports import AsyncTeachingExports, TeachingExports
from hilum.v1 import teaching_pb2

Document = Mapping[str, Any]
_PAGE = 200


@dataclass(frozen=True, slots=True)
class TeachingFile:
    """A version of a teaching file. document: title, history, images, findings, diagnosis…  may: what you may do.
    hidden_films: films of it that you may not see.  remarks: what tells the answer in a quiz, for its authors."""

    file_id: str
    state: str
    version: int
    latest: int
    published: int
    may: tuple[str, ...]
    hidden_films: int
    remarks: tuple[str, ...]
    events: tuple[dict[str, Any], ...]
    document: dict[str, Any]

    @property
    def title(self) -> str:
        return str(self.document.get("title", ""))

    @classmethod
    def of(cls, message: teaching_pb2.TeachingFile) -> TeachingFile:
        return cls(
            message.file_id, message.state, message.version, message.latest, message.published, tuple(message.may),
            message.hidden_films, tuple(message.remarks), tuple(map(_plain, message.events)), _plain(message.document),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Assembled:
    """files: drafts, as they are kept.  notes: what could not be had, and why.  seconds: what it took the service."""

    files: tuple[TeachingFile, ...]
    notes: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Imported:
    """file: a draft.  notes: what was left out, and what to look at before anybody else sees it."""

    file: TeachingFile
    notes: tuple[str, ...]


class Teaching(TeachingExports):
    """Write, assemble, import, publish and try cases."""

    def assemble_teaching(
        self, finding: str = "", *, search: str = "", models: Sequence[str] = (), where: str = "", typical: int = 4,
        atypical: int = 4, lookalikes: int = 4, normals: int = 4, cases: bool = False, title: str = "",
        restricted: bool = False, **what: Unpack[By],
    ) -> Assembled:  # fmt: skip
        """A draft from the archive: typical and atypical cases of a finding, look-alikes and normals, each with why.

        finding: ``pleural_effusion``; also, or instead, what a search takes (text, id…), or `search`, a saved one.
        cases: a file for each case instead of one with a section for each group.  restricted: take films whose licence
        forbids handing on, and say so. Raises HilumError.
        """
        counts = typical, atypical, lookalikes, normals
        request = _assemble(finding, search, models, where, counts, cases, title, restricted, what)
        return _assembled(self._call(self._to.teaching.AssembleTeachingFiles, request))

    def teaching_files(self, words: str = "", state: str = "") -> Iterator[teaching_pb2.TeachingSummary]:
        """Teaching files in which all the words stand, the one changed last first. state: draft, review, published."""
        request = teaching_pb2.ListTeachingFilesRequest(words=words, state=state, page_size=_PAGE)
        while True:
            page = self._call(self._to.teaching.ListTeachingFiles, request)
            yield from page.files
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def teaching_file(self, file_id: str, version: int = 0) -> TeachingFile:
        """One file: the latest version that you may see, or the one asked for."""
        return TeachingFile.of(self._call(self._to.teaching.GetTeachingFile, _named(file_id, version)))

    def create_teaching_file(self, document: Document, note: str = "") -> TeachingFile:
        """A draft from a document: ``{"title": …, "images": [{"image_id": …}]}``."""
        return TeachingFile.of(self._call(self._to.teaching.CreateTeachingFile, _create(document, note)))

    def update_teaching_file(self, file_id: str, made_from: int, document: Document, note: str = "") -> TeachingFile:
        """Put an edit of version `made_from` into the file, merged with what others edited meanwhile.

        Raises HilumError where both changed the same; the edit is then kept as a version, which the message names.
        """
        request = _update(file_id, made_from, document, note)
        return TeachingFile.of(self._call(self._to.teaching.UpdateTeachingFile, request))

    def review_teaching_file(self, file_id: str, version: int = 0, note: str = "") -> TeachingFile:
        """Ask for review. version: the one looked at; refused when there is a later one."""
        return TeachingFile.of(self._call(self._to.teaching.ReviewTeachingFile, _state(file_id, version, note)))

    def publish_teaching_file(self, file_id: str, version: int = 0, note: str = "") -> TeachingFile:
        """Let readers see it, after review."""
        return TeachingFile.of(self._call(self._to.teaching.PublishTeachingFile, _state(file_id, version, note)))

    def withdraw_teaching_file(self, file_id: str, version: int = 0, note: str = "") -> TeachingFile:
        """Take it back: a draft that readers do not see."""
        return TeachingFile.of(self._call(self._to.teaching.WithdrawTeachingFile, _state(file_id, version, note)))

    def share_teaching_file(
        self, file_id: str, read: Sequence[str] = (), update: Sequence[str] = (), export: Sequence[str] = ()
    ) -> TeachingFile:
        """Say who may do what, by name, or ``*`` for everybody; the owner may do all of it."""
        return TeachingFile.of(self._call(self._to.teaching.SetTeachingAccess, _share(file_id, read, update, export)))

    def teaching_versions(self, file_id: str) -> list[teaching_pb2.TeachingVersion]:
        """Every version, the latest first, refused edits among them."""
        return list(self._call(self._to.teaching.ListTeachingVersions, _named(file_id)).versions)

    def restore_teaching_file(self, file_id: str, version: int, made_from: int) -> TeachingFile:
        """Let an earlier version, or a refused edit, be the file again. made_from: the latest, as it was looked at."""
        request = teaching_pb2.RestoreTeachingVersionRequest(file_id=file_id, version=version, made_from=made_from)
        return TeachingFile.of(self._call(self._to.teaching.RestoreTeachingVersion, request))

    def delete_teaching_file(self, file_id: str) -> int:
        """Delete a file with its versions, tries and imported pictures. How many versions that were."""
        return int(self._call(self._to.teaching.DeleteTeachingFile, _named(file_id)).versions)

    def teaching_picture(self, file_id: str, key: str, version: int = 0) -> bytes:
        """A picture of a file, by the key that the file gives it: JPEG or WebP."""
        request = teaching_pb2.TeachingPictureRequest(file_id=file_id, key=key, version=version)
        return bytes(self._call(self._to.teaching.GetTeachingPicture, request).data)

    def import_teaching_file(self, archive: bytes | str | Path) -> Imported:
        """A draft from a MIRCdocument: XML, or a zip with it and its pictures; as bytes or a path."""
        return _imported(self._call(self._to.teaching.ImportTeachingFile, _import(archive)))

    def quiz(self, file_id: str, choices: bool = False, reader: str = "") -> teaching_pb2.Quiz:
        """A case as an unknown. choices: offer the differential.  reader: of several who read as one user, which."""
        request = teaching_pb2.QuizRequest(file_id=file_id, choices=choices, reader=reader)
        return self._call(self._to.teaching.GetQuiz, request)

    def answer_quiz(
        self, file_id: str, version: int, text: str = "", choice: str = "", seconds: float = 0.0, reader: str = ""
    ) -> teaching_pb2.AnswerQuizResponse:
        """Say what it is, in words or by a choice; returns the try and the file revealed."""
        return self._call(
            self._to.teaching.AnswerQuiz, _answer(file_id, version, text, choice, seconds, reader)
        )  # fmt: skip

    def judge_quiz(self, try_id: str, correct: bool) -> teaching_pb2.QuizTry:
        """Say of your own answer in words whether it was right."""
        return self._call(self._to.teaching.JudgeQuiz, teaching_pb2.JudgeQuizRequest(try_id=try_id, correct=correct))

    def quiz_results(self, file_id: str = "", reader: str = "") -> teaching_pb2.QuizResultsResponse:
        """Your tries, and all of the files that you may edit: by file, by reader, and one by one."""
        request = teaching_pb2.QuizResultsRequest(file_id=file_id, reader=reader)
        return self._call(self._to.teaching.GetQuizResults, request)


class AsyncTeaching(AsyncTeachingExports):
    """The same as coroutines."""

    async def assemble_teaching(
        self, finding: str = "", *, search: str = "", models: Sequence[str] = (), where: str = "", typical: int = 4,
        atypical: int = 4, lookalikes: int = 4, normals: int = 4, cases: bool = False, title: str = "",
        restricted: bool = False, **what: Unpack[By],
    ) -> Assembled:  # fmt: skip
        """As `Client.assemble_teaching`."""
        counts = typical, atypical, lookalikes, normals
        request = _assemble(finding, search, models, where, counts, cases, title, restricted, what)
        return _assembled(await self._call(self._to.teaching.AssembleTeachingFiles, request))

    async def teaching_files(self, words: str = "", state: str = "") -> AsyncIterator[teaching_pb2.TeachingSummary]:
        """As `Client.teaching_files`."""
        request = teaching_pb2.ListTeachingFilesRequest(words=words, state=state, page_size=_PAGE)
        while True:
            page = await self._call(self._to.teaching.ListTeachingFiles, request)
            for one in page.files:
                yield one
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def teaching_file(self, file_id: str, version: int = 0) -> TeachingFile:
        """As `Client.teaching_file`."""
        return TeachingFile.of(await self._call(self._to.teaching.GetTeachingFile, _named(file_id, version)))

    async def create_teaching_file(self, document: Document, note: str = "") -> TeachingFile:
        """As `Client.create_teaching_file`."""
        return TeachingFile.of(await self._call(self._to.teaching.CreateTeachingFile, _create(document, note)))

    async def update_teaching_file(
        self, file_id: str, made_from: int, document: Document, note: str = ""
    ) -> TeachingFile:
        """As `Client.update_teaching_file`."""
        request = _update(file_id, made_from, document, note)
        return TeachingFile.of(await self._call(self._to.teaching.UpdateTeachingFile, request))

    async def review_teaching_file(self, file_id: str, version: int = 0, note: str = "") -> TeachingFile:
        """As `Client.review_teaching_file`."""
        return TeachingFile.of(await self._call(self._to.teaching.ReviewTeachingFile, _state(file_id, version, note)))

    async def publish_teaching_file(self, file_id: str, version: int = 0, note: str = "") -> TeachingFile:
        """As `Client.publish_teaching_file`."""
        return TeachingFile.of(await self._call(self._to.teaching.PublishTeachingFile, _state(file_id, version, note)))

    async def withdraw_teaching_file(self, file_id: str, version: int = 0, note: str = "") -> TeachingFile:
        """As `Client.withdraw_teaching_file`."""
        return TeachingFile.of(await self._call(self._to.teaching.WithdrawTeachingFile, _state(file_id, version, note)))

    async def share_teaching_file(
        self, file_id: str, read: Sequence[str] = (), update: Sequence[str] = (), export: Sequence[str] = ()
    ) -> TeachingFile:
        """As `Client.share_teaching_file`."""
        return TeachingFile.of(
            await self._call(self._to.teaching.SetTeachingAccess, _share(file_id, read, update, export))
        )

    async def teaching_versions(self, file_id: str) -> list[teaching_pb2.TeachingVersion]:
        """As `Client.teaching_versions`."""
        return list((await self._call(self._to.teaching.ListTeachingVersions, _named(file_id))).versions)

    async def restore_teaching_file(self, file_id: str, version: int, made_from: int) -> TeachingFile:
        """As `Client.restore_teaching_file`."""
        request = teaching_pb2.RestoreTeachingVersionRequest(file_id=file_id, version=version, made_from=made_from)
        return TeachingFile.of(await self._call(self._to.teaching.RestoreTeachingVersion, request))

    async def delete_teaching_file(self, file_id: str) -> int:
        """As `Client.delete_teaching_file`."""
        return int((await self._call(self._to.teaching.DeleteTeachingFile, _named(file_id))).versions)

    async def teaching_picture(self, file_id: str, key: str, version: int = 0) -> bytes:
        """As `Client.teaching_picture`."""
        request = teaching_pb2.TeachingPictureRequest(file_id=file_id, key=key, version=version)
        return bytes((await self._call(self._to.teaching.GetTeachingPicture, request)).data)

    async def import_teaching_file(self, archive: bytes | str | Path) -> Imported:
        """As `Client.import_teaching_file`."""
        return _imported(await self._call(self._to.teaching.ImportTeachingFile, _import(archive)))

    async def quiz(self, file_id: str, choices: bool = False, reader: str = "") -> teaching_pb2.Quiz:
        """As `Client.quiz`."""
        request = teaching_pb2.QuizRequest(file_id=file_id, choices=choices, reader=reader)
        return await self._call(self._to.teaching.GetQuiz, request)

    async def answer_quiz(
        self, file_id: str, version: int, text: str = "", choice: str = "", seconds: float = 0.0, reader: str = ""
    ) -> teaching_pb2.AnswerQuizResponse:
        """As `Client.answer_quiz`."""
        return (await self._call(
            self._to.teaching.AnswerQuiz, _answer(file_id, version, text, choice, seconds, reader)
        ))  # fmt: skip

    async def judge_quiz(self, try_id: str, correct: bool) -> teaching_pb2.QuizTry:
        """As `Client.judge_quiz`."""
        return await self._call(
            self._to.teaching.JudgeQuiz, teaching_pb2.JudgeQuizRequest(try_id=try_id, correct=correct)
        )

    async def quiz_results(self, file_id: str = "", reader: str = "") -> teaching_pb2.QuizResultsResponse:
        """As `Client.quiz_results`."""
        request = teaching_pb2.QuizResultsRequest(file_id=file_id, reader=reader)
        return await self._call(self._to.teaching.GetQuizResults, request)


def _plain(message: Any) -> dict[str, Any]:
    return dict(json_format.MessageToDict(message, preserving_proto_field_name=True))


def _document(document: Document) -> teaching_pb2.TeachingDocument:
    try:
        return json_format.ParseDict(dict(document), teaching_pb2.TeachingDocument())
    except (json_format.ParseError, UnicodeEncodeError, ValueError, TypeError) as error:
        raise HilumError("INVALID_ARGUMENT", f"this is no document of a teaching file: {error}") from None


def _named(file_id: str, version: int = 0) -> teaching_pb2.TeachingFileRequest:
    return teaching_pb2.TeachingFileRequest(file_id=file_id, version=version)


def _create(document: Document, note: str) -> teaching_pb2.CreateTeachingFileRequest:
    """Its id of its own makes asking again safe."""
    return teaching_pb2.CreateTeachingFileRequest(
        document=_document(document), note=note, request_id=uuid.uuid4().hex
    )  # fmt: skip


def _update(
    file_id: str, made_from: int, document: Document, note: str
) -> teaching_pb2.UpdateTeachingFileRequest:  # fmt: skip
    return teaching_pb2.UpdateTeachingFileRequest(
        file_id=file_id, made_from=made_from, document=_document(document), note=note
    )


def _state(file_id: str, version: int, note: str) -> teaching_pb2.TeachingStateRequest:
    return teaching_pb2.TeachingStateRequest(file_id=file_id, version=version, note=note)


def _share(
    file_id: str, read: Sequence[str], update: Sequence[str], export: Sequence[str]
) -> teaching_pb2.SetTeachingAccessRequest:
    access = teaching_pb2.TeachingAccess(read=read, update=update, export=export)
    return teaching_pb2.SetTeachingAccessRequest(file_id=file_id, access=access)


def _import(archive: bytes | str | Path) -> teaching_pb2.ImportTeachingFileRequest:
    data = archive if isinstance(archive, bytes) else Path(archive).read_bytes()
    return teaching_pb2.ImportTeachingFileRequest(archive=data, request_id=uuid.uuid4().hex)


def _imported(answer: teaching_pb2.ImportTeachingFileResponse) -> Imported:
    return Imported(TeachingFile.of(answer.file), tuple(answer.notes))


def _assemble(
    finding: str, search: str, models: Sequence[str], where: str, counts: tuple[int, int, int, int], cases: bool,
    title: str, restricted: bool, what: By,
) -> teaching_pb2.AssembleTeachingFilesRequest:  # fmt: skip
    said: By = {name: value for name, value in what.items() if value is not None}  # type: ignore[assignment]
    typical, atypical, lookalikes, normals = (count or -1 for count in counts)  # 0 is the contract's default
    return teaching_pb2.AssembleTeachingFilesRequest(
        finding=finding, search_id=search, models=models, filter=where, typical=typical, atypical=atypical,
        lookalikes=lookalikes, normals=normals, layout="cases" if cases else "file", title=title,
        allow_restricted=restricted, query=queries.by(said) if said else None, request_id=uuid.uuid4().hex,
    )  # fmt: skip


def _assembled(answer: teaching_pb2.AssembleTeachingFilesResponse) -> Assembled:
    return Assembled(tuple(map(TeachingFile.of, answer.files)), tuple(answer.notes), answer.seconds)


def _answer(
    file_id: str, version: int, text: str, choice: str, seconds: float, reader: str
) -> teaching_pb2.AnswerQuizRequest:  # fmt: skip
    return teaching_pb2.AnswerQuizRequest(
        file_id=file_id, version=version, text=text, choice=choice, seconds=seconds, reader=reader,
        request_id=uuid.uuid4().hex,
    )  # fmt: skip
