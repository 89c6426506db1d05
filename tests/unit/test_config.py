"""Settings come from what main() hands over, never from an import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.core.config import Settings, from_environment
from services.core.errors import ErrorCode, HilumError


def test_nothing_set_gives_the_defaults(tmp_path: Path) -> None:
    settings = from_environment({"HOME": str(tmp_path)})
    assert settings == Settings(data_dir=tmp_path / ".local/share/hilum")
    assert settings.facts == f"sqlite:///{tmp_path}/.local/share/hilum/facts.db"


def test_variables_are_read(tmp_path: Path) -> None:
    settings = from_environment({
        "HILUM_DATA": str(tmp_path), "HILUM_ENGINE_URL": "http://qdrant:6334", "HILUM_ENGINE_API_KEY": "k",
        "HILUM_FACTS_URL": "postgresql+psycopg://db/hilum", "HILUM_HTTP": "127.0.0.1:1", "HILUM_GRPC": "127.0.0.1:2",
        "HILUM_MODELS": "a, b,", "HILUM_MODELS_DIR": "/models", "HILUM_INGEST_ROOTS": "/films:/more",
        "HILUM_THREADS": "3", "HILUM_VECTOR_CACHE": "0", "HILUM_DECODE_WORKERS": "4", "HILUM_MODELS_MEMORY": "1.5g",
        "HILUM_DEVICE": "cuda:1", "HILUM_ENCODE": "ingest:50051",
    })  # fmt: skip
    assert settings == Settings(
        data_dir=tmp_path, engine_url="http://qdrant:6334", engine_api_key="k",
        facts_url="postgresql+psycopg://db/hilum", http_bind="127.0.0.1:1", grpc_bind="127.0.0.1:2", models=("a", "b"),
        models_dir=Path("/models"), ingest_roots=(Path("/films"), Path("/more")), threads=3, decode_workers=4,
        models_memory=3 * 2**29, vector_cache=0, device="cuda:1", encode="ingest:50051",
    )  # fmt: skip
    assert settings.facts == "postgresql+psycopg://db/hilum"
    assert settings.models_home == Path("/models")
    assert from_environment({}, str(tmp_path)).models_home == tmp_path / "models"
    assert settings.with_engine("127.0.0.1:7").engine_url == "127.0.0.1:7"


def test_engines_are_told_apart_by_commas(tmp_path: Path) -> None:
    told = {"HOME": str(tmp_path), "HILUM_ENGINE_URL": "http://one:6334, two:6334"}
    assert from_environment(told).engine_url == "http://one:6334,two:6334"


def test_an_empty_variable_is_one_that_is_not_set(tmp_path: Path) -> None:
    names = [
        "ENGINE_URL",
        "ENGINE_API_KEY",
        "FACTS_URL",
        "HTTP",
        "GRPC",
        "MODELS",
        "MODELS_DIR",
        "INGEST_ROOTS",
        "THREADS",
    ]
    empty = {f"HILUM_{name}": "" for name in names}
    assert from_environment(empty, str(tmp_path)) == Settings(data_dir=tmp_path)


def test_the_command_line_wins_over_the_environment(tmp_path: Path) -> None:
    assert from_environment({"HILUM_DATA": "/elsewhere"}, data=str(tmp_path)).data_dir == tmp_path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HILUM_THREADS", "two"), ("HILUM_THREADS", "-1"), ("HILUM_THREADS", "1.5"), ("HILUM_DECODE_WORKERS", "x"),
        ("HILUM_MODELS_MEMORY", "much"), ("HILUM_MODELS_MEMORY", "-1"), ("HILUM_MODELS_MEMORY", "8X"),
        ("HILUM_DEVICE", "gpu"), ("HILUM_DEVICE", "cuda:"), ("HILUM_DEVICE", "cpu:0"),
        ("HILUM_ENCODE", "ingest"), ("HILUM_ENCODE", "http://ingest:1"),
        ("HILUM_ENGINE_URL", "embeded:"), ("HILUM_ENGINE_URL", "ftp://host:1"), ("HILUM_ENGINE_URL", "http://host"),
        ("HILUM_ENGINE_URL", "http://host:port"), ("HILUM_ENGINE_URL", "http://[::1"),
        ("HILUM_ENGINE_URL", "host:1,"), ("HILUM_ENGINE_URL", "host:1,other"), ("HILUM_ENGINE_URL", "embedded:,host:1"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_read_is_refused_with_the_variables_name(name: str, value: str) -> None:
    with pytest.raises(HilumError) as refused:
        from_environment({name: value}, "data")
    assert refused.value.code is ErrorCode.INVALID_ARGUMENT
    assert name in refused.value.client_message


def test_importing_the_kernel_reads_no_variable_of_ours_and_opens_nothing(tmp_path: Path) -> None:
    """Each variable holds what `from_environment` refuses, so a module that read it at import would fail."""
    program = (
        "import services.core.config, services.core.store, services.core.facts, services.core.filters, "
        "services.core.blobs, services.core.logs, services.core.ids, sys\n"
        "print(sorted({'torch', 'fastapi'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    bad = {"HILUM_THREADS": "two", "HILUM_ENGINE_URL": "?", "HILUM_FACTS_URL": "?", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**bad, "PYTHONPATH": str(root), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")
    assert list(tmp_path.iterdir()) == []
