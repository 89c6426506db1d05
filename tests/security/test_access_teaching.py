"""Films of another dataset are in no answer about teaching files, whatever is asked; only how many they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from google.protobuf.message import Message

from hilum.v1 import query_pb2, teaching_exports_pb2, teaching_pb2
from services.core.access import Access
from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError
from services.core.facts import open_facts
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from services.query.api import QueryApi
from services.query.exports_api import ExportsApi
from services.query.teaching_api import TeachingApi
from services.transport.edge import Api, Call, handler
from tests.kit.archive import Archive, spot
from tests.kit.places import PlacesEncoder

ALL_OF_IT, CALL = Call("t"), Call("t", access=Access(frozenset({"mine"})))


@pytest.fixture(scope="module")
def world(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    home: Path = tmp_path_factory.mktemp("access-teaching")
    facts, store = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url)
    archive = Archive(facts, store, Blobs(home / "blobs"), [PlacesEncoder("access-teaching")])
    archive.open()
    films = {
        dataset: [
            archive.add(
                f"{dataset}-{n}", spot(0.2 + 0.1 * n, 0.6), dataset=dataset, patient_id=f"p-{dataset}-{n}", view="PA",
                labels={"edema": "present" if n % 2 else "absent"}, licence=f"CC BY {dataset}", burned_in="no",
            )
            for n in range(6)
        ]
        for dataset in ("mine", "theirs")
    }  # fmt: skip
    archive.settle()
    query = QueryApi(facts, store, archive.encode, archive.blobs)
    api = TeachingApi(facts, query, archive.encode, archive.blobs)
    images = [
        teaching_pb2.TeachingImage(key=f"{dataset}{n}", image_id=films[dataset][n].image_id, caption=f"of {dataset}")
        for n in range(2) for dataset in films
    ]  # fmt: skip
    document = teaching_pb2.TeachingDocument(title="Both", diagnosis="d", differential=["e"], images=images)
    made = api.create_teaching_file(teaching_pb2.CreateTeachingFileRequest(document=document), ALL_OF_IT)
    secrets = [text.encode() for one in films["theirs"] for text in (one.image_id, str(one.patient_id))]
    secrets += [b"of theirs", b"CC BY theirs", b"theirs0"]
    yield SimpleNamespace(
        api=api, exports=ExportsApi(facts, archive.blobs, b"s" * 32), name=made.file_id, films=films, secrets=secrets
    )
    query.close()
    archive.clear()
    archive.close()
    store.close()
    facts.close()


def ask(world: SimpleNamespace, rpc: str, message: Message, api: Api | None = None) -> Message | ErrorCode:
    """The answer, or the error's code; neither says a word of a hidden film."""
    try:
        answer: Message = handler(api or world.api, rpc)(message, CALL)
    except HilumError as error:
        assert not any(secret in error.client_message.encode() for secret in world.secrets)
        return error.code
    assert not any(secret in answer.SerializeToString() for secret in world.secrets), rpc
    return answer


def test_no_answer_has_a_hidden_film(world: SimpleNamespace) -> None:
    named = teaching_pb2.TeachingFileRequest(file_id=world.name)
    shown = ask(world, "GetTeachingFile", named)
    assert (len(shown.document.images), shown.hidden_films) == (2, 2)
    assert ask(world, "GetTeachingFile", teaching_pb2.TeachingFileRequest(file_id=world.name, version=1)) == shown
    [listed] = ask(world, "ListTeachingFiles", teaching_pb2.ListTeachingFilesRequest(words="both")).files
    assert listed.films == 2
    for words in ("theirs", world.films["theirs"][0].image_id):
        assert not ask(world, "ListTeachingFiles", teaching_pb2.ListTeachingFilesRequest(words=words)).files
    ask(world, "ListTeachingVersions", named)
    quiz = ask(world, "GetQuiz", teaching_pb2.QuizRequest(file_id=world.name, choices=True))
    assert (len(quiz.images), quiz.hidden_films) == (2, 2)
    tried = teaching_pb2.AnswerQuizRequest(file_id=world.name, version=1, text="d")
    assert ask(world, "AnswerQuiz", tried).answer.hidden_films == 2
    ask(world, "GetQuizResults", teaching_pb2.QuizResultsRequest())
    picture = teaching_pb2.TeachingPictureRequest
    assert ask(world, "GetTeachingPicture", picture(file_id=world.name, key="mine0")).data
    assert ask(world, "GetTeachingPicture", picture(file_id=world.name, key="theirs0")) is ErrorCode.NOT_FOUND
    for format in ("mirc", "html"):
        export = teaching_exports_pb2.ExportTeachingFileRequest(file_id=world.name, format=format)
        assert ask(world, "ExportTeachingFile", export, world.exports).data


def test_a_hidden_film_is_neither_shown_nor_lost_by_an_edit(world: SimpleNamespace) -> None:
    hidden = world.films["theirs"][3].image_id
    mine = ask(world, "GetTeachingFile", teaching_pb2.TeachingFileRequest(file_id=world.name))
    stolen = teaching_pb2.TeachingDocument(title="t", images=[teaching_pb2.TeachingImage(image_id=hidden)])
    create = teaching_pb2.CreateTeachingFileRequest(document=stolen)
    assert ask(world, "CreateTeachingFile", create) is ErrorCode.NOT_FOUND
    update = teaching_pb2.UpdateTeachingFileRequest(file_id=world.name, made_from=mine.version, document=stolen)
    assert ask(world, "UpdateTeachingFile", update) is ErrorCode.NOT_FOUND
    mine.document.images.pop()
    mine.document.discussion = "less"
    update.document.CopyFrom(mine.document)
    assert ask(world, "UpdateTeachingFile", update).hidden_films == 2
    ask(world, "RestoreTeachingVersion", teaching_pb2.RestoreTeachingVersionRequest(
        file_id=world.name, version=mine.version, made_from=mine.version + 1
    ))  # fmt: skip
    whole = world.api.get_teaching_file(teaching_pb2.TeachingFileRequest(file_id=world.name), ALL_OF_IT)
    assert len(whole.document.images) == 4


def test_nothing_hidden_is_assembled(world: SimpleNamespace) -> None:
    asked = teaching_pb2.AssembleTeachingFilesRequest
    theirs = query_pb2.Query(image_id=world.films["theirs"][1].image_id)
    examples = query_pb2.Query(examples=query_pb2.Examples(positive=[theirs]))
    for layout in ("file", "cases"):
        made = ask(world, "AssembleTeachingFiles", asked(finding="edema", layout=layout, typical=50))
        assert sum(len(file.document.images) for file in made.files) == 3
    by_words = query_pb2.Query(text="edema upper right")
    assert ask(world, "AssembleTeachingFiles", asked(query=by_words, lookalikes=50, normals=50)).files
    for query in (theirs, examples):
        for finding in ("", "edema"):
            found = ask(world, "AssembleTeachingFiles", asked(query=query, finding=finding))
            assert found is ErrorCode.NOT_FOUND, (query, finding)
