"""A small archive that really answers, over gRPC, for clients, commands and assistants alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from hilum import Client
from hilum.locate import Endpoint
from services.analytics.api import AnalyticsApi
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.facts import open_facts
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from services.query.api import QueryApi
from services.query.searches_api import SearchesApi
from services.query.sets_api import SetsApi
from services.query.upkeep import Upkeep
from services.transport.jobs import JobsApi
from tests.kit.archive import Archive, png, spot
from tests.kit.places import PlacesEncoder
from tests.kit.served import served

FILMS = 24


@dataclass(frozen=True)
class Library:
    """films: ids, the bright spot wandering from left to right; two of each patient, one of each study."""

    grpc: str
    films: list[str]
    archive: Archive
    home: Path

    def client(self, **options: float) -> Client:
        return Client(endpoint=Endpoint(self.grpc), **options)

    @staticmethod
    def picture(place: int) -> bytes:
        """The film at a place, as a file that the archive has never seen."""
        return png(spot(0.52, 0.1 + 0.8 * place / FILMS))


@pytest.fixture(scope="session")
def library(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    home = tmp_path_factory.mktemp("library")
    with ExitStack() as opened:
        facts = open_facts(f"sqlite:///{home / 'facts.db'}")
        opened.callback(facts.close)
        store = VectorStore(engine.url)
        opened.callback(store.close)
        archive = Archive(
            facts, store, Blobs(home / "blobs"), [PlacesEncoder("sdk"), PlacesEncoder("sdk-mute", 24, 1, False)]
        )
        opened.callback(archive.close)
        archive.open()
        films = [
            archive.add(
                f"film-{place}", spot(0.5, 0.1 + 0.8 * place / FILMS), patient_id=f"p-{place // 2}",
                study_id=f"s-{place}", view=["PA", "AP"][place % 2], sex="FM"[place % 2], age=30.0 + place,
                study_date=f"2020-01-{place + 1:02}", labels={"edema": ["present", "absent"][place % 2]},
            ).image_id
            for place in range(FILMS)
        ]  # fmt: skip
        archive.settle()
        query = QueryApi(facts, store, archive.encode, archive.blobs)
        opened.callback(query.close)
        settings = Settings(data_dir=home)
        apis = [
            query, SearchesApi(facts, query.pages), SetsApi(facts, Upkeep(facts, store), home / "runs"),
            archive.encode_api, AnalyticsApi(settings, facts), JobsApi(facts),
        ]  # fmt: skip
        yield Library(opened.enter_context(served(apis)).grpc, films, archive, home)


@pytest.fixture
def client(library: Library) -> Iterator[Client]:
    with library.client() as opened:
        yield opened
