"""Who may start an ingest of what, and what it answers when something is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from hilum.v1.ingest_pb2 import CreateIngestJobRequest
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, jobs
from services.core.ids import load_secret
from services.core.store import VectorStore
from services.ingest.api import IngestApi
from services.ingest.pipeline import Plan
from services.transport.edge import Call
from tests.kit.encoders import tiny_registry

CLIENT, OPERATOR = Call("test"), Call("test", operator=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "films").mkdir(parents=True)
    (tmp_path / "root" / "labels.csv").write_text("file\n")
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "root"


@pytest.fixture
def api(tmp_path: Path, facts: Facts, root: Path, store: VectorStore) -> IngestApi:
    settings = Settings(tmp_path / "data", ingest_roots=(root,))
    return IngestApi(settings, facts, tiny_registry(), store, Blobs(tmp_path / "blobs"))


def refused(api: IngestApi, call: Call = CLIENT, **fields: object) -> HilumError:
    with pytest.raises(HilumError) as error:
        api.create_ingest_job(CreateIngestJobRequest(**fields), call)
    return error.value


def test_a_job_is_queued_once_per_request_id(api: IngestApi, facts: Facts, root: Path, tmp_path: Path) -> None:
    request = CreateIngestJobRequest(
        source=str(root / "films"), dataset="demo", labels=str(root / "labels.csv"), models=["tiny"], request_id="r1"
    )
    first, second = (api.create_ingest_job(request, CLIENT) for _ in range(2))
    assert first.job_id == second.job_id and first.kind == "ingest" and first.state == "queued"
    spec = jobs.get(facts, first.job_id).spec
    assert str(root) not in repr(spec), "names of folders can name people"
    plan = Plan.of(spec, load_secret(tmp_path / "data"))
    assert plan == Plan(str(root / "films"), "demo", labels=str(root / "labels.csv"), models=("tiny",))


@pytest.mark.parametrize("dataset", ["", "Demo", "a b", "../x", "a" * 64, "-x", "é"])
def test_dataset_names(api: IngestApi, root: Path, dataset: str) -> None:
    assert refused(api, source=str(root / "films"), dataset=dataset).code is ErrorCode.INVALID_ARGUMENT


@pytest.mark.parametrize("path", ["/etc", "{root}/../elsewhere", "{root}/link", "{root}2"])
def test_clients_stay_below_the_ingest_roots_and_the_operator_does_not(api: IngestApi, root: Path, path: str) -> None:
    (root / "link").symlink_to(root.parent / "elsewhere")
    Path(f"{root}2").mkdir()
    source = path.format(root=root)
    error = refused(api, source=source, dataset="demo")
    assert error.code is ErrorCode.PERMISSION_DENIED and source not in error.client_message
    assert api.create_ingest_job(CreateIngestJobRequest(source=source, dataset="demo"), OPERATOR).state == "queued"


def test_tables_are_confined_as_sources_are(api: IngestApi, root: Path) -> None:
    for field in ("labels", "reports"):
        fields = {"source": str(root / "films"), "dataset": "demo"}
        assert refused(api, **fields, **{field: "/etc/passwd"}).code is ErrorCode.PERMISSION_DENIED
        assert refused(api, **fields, **{field: str(root / "none.csv")}).code is ErrorCode.INVALID_ARGUMENT
        assert refused(api, OPERATOR, **fields, **{field: str(root)}).code is ErrorCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"source": ""}, ErrorCode.INVALID_ARGUMENT),
        ({"source": "films"}, ErrorCode.INVALID_ARGUMENT),
        ({"source": "/nowhere\0"}, ErrorCode.INVALID_ARGUMENT),
        ({"source": "/nowhere"}, ErrorCode.INVALID_ARGUMENT),
        ({"layout": "zip"}, ErrorCode.INVALID_ARGUMENT),
        ({"models": ["rad-dino"]}, ErrorCode.UNKNOWN_MODEL),
        ({"request_id": "x" * 65}, ErrorCode.INVALID_ARGUMENT),
    ],
)
def test_requests_that_cannot_be_done(api: IngestApi, root: Path, fields: dict[str, object], code: ErrorCode) -> None:
    whole = {"source": str(root / "films"), "dataset": "demo", **fields}
    assert refused(api, OPERATOR, **whole).code is code
