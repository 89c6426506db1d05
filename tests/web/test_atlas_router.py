"""What the atlas' routes serve, and what they do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from services.analytics import atlas, atlas_router, manifest
from services.core.errors import HilumError
from services.transport import http_edge

RUN = "7b0c1c1e-5f0e-4e0e-9c5e-0123456789ab"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A finished run of two models, an unfinished one, and things that are nobody's business."""
    run = manifest.runs_dir(tmp_path) / RUN
    for model in ("one", "two"):
        (run / "atlas" / model).mkdir(parents=True)
        (run / "atlas" / model / "dataset.parquet").write_bytes(b"PAR1" + model.encode() * 100)
        (run / "atlas" / model / "metadata.json").write_text(json.dumps({"props": {}, "of": model}))
    (run / "manifest.json").write_text("{}")
    (run / "report.html").write_text("<h1>report</h1>")
    (run / "knn-one.npz").write_bytes(b"graph")
    (manifest.runs_dir(tmp_path) / f".part-{RUN}-0").mkdir()
    (tmp_path / "secret").write_text("pseudonym key")
    return tmp_path


@pytest.fixture
def client(data: Path) -> TestClient:
    return TestClient(http_edge.build([], [atlas_router.build(data)]), follow_redirects=False)


def test_a_run_of_several_models_lists_them(client: TestClient) -> None:
    page = client.get(f"/v1/runs/{RUN}/atlas/")
    assert page.status_code == 200
    assert 'href="one/"' in page.text
    assert 'href="two/"' in page.text
    assert client.get(f"/v1/runs/{RUN}/atlas").headers["location"] == "atlas/"
    assert client.get(f"/v1/runs/{RUN}/atlas/two").headers["location"] == "two/"


def test_the_page_is_the_front_ends_under_our_name(client: TestClient) -> None:
    page = client.get(f"/v1/runs/{RUN}/atlas/one/")
    assert "<title>Hilum atlas · one · run 7b0c1c1e</title>" in page.text
    assert atlas.NOTE in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "'unsafe-eval'" not in policy
    assert "*" not in policy


def test_files_come_with_their_types_and_may_be_kept(client: TestClient) -> None:
    root = f"/v1/runs/{RUN}/atlas/one"
    assert client.get(f"{root}/data/metadata.json").json()["of"] == "one"
    data = client.get(f"{root}/data/dataset.parquet", headers={"range": "bytes=0-3"})
    assert (data.status_code, data.content) == (206, b"PAR1")
    assert client.head(f"{root}/data/dataset.parquet").headers["content-length"] == "304"
    kinds = {"assets/*.wasm": "application/wasm", "assets/*.js": "text/javascript", "assets/*.css": "text/css",
             "duckdb-wasm/**/parquet.duckdb_extension.wasm": "application/wasm"}  # fmt: skip
    for pattern, kind in kinds.items():
        path = next(atlas.frontend().glob(pattern)).relative_to(atlas.frontend()).as_posix()
        answer = client.head(f"{root}/{path}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert ("immutable" in answer.headers["cache-control"]) == path.startswith("assets/")
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/runs/{RUN}/atlas/three/",
        f"/v1/runs/{RUN}/atlas/one/nothing.js",
        f"/v1/runs/{RUN}/atlas/one/../../knn-one.npz",
        f"/v1/runs/{RUN}/atlas/one/%2e%2e/%2e%2e/manifest.json",
        f"/v1/runs/{RUN}/atlas/one/data/%2e%2e/%2e%2e/%2e%2e/manifest.json",
        f"/v1/runs/{RUN}/atlas/one//etc/passwd",
        f"/v1/runs/{RUN}/atlas/one/%2fetc%2fpasswd",
        f"/v1/runs/{RUN}/atlas/one/assets/..%2f..%2f__init__.py",
        f"/v1/runs/{RUN}/atlas/%2e%2e/",
        f"/v1/runs/{RUN}/atlas/one/knn-one.npz",
        "/v1/runs/../secret/atlas/",
        "/v1/runs/%2e%2e/report",
        "/v1/runs/.part-0/report",
        "/v1/runs/00000000-0000-0000-0000-000000000000/report",
    ],
)
def test_nothing_else_is_served(client: TestClient, data: Path, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert b"pseudonym" not in answer.content
    assert b"graph" not in answer.content
    assert str(data) not in answer.text


def test_the_report_runs_no_script(client: TestClient) -> None:
    report = client.get(f"/v1/runs/{RUN}/report")
    assert report.text == "<h1>report</h1>"
    assert "script-src" not in report.headers["content-security-policy"]
    assert "default-src 'none'" in report.headers["content-security-policy"]


def test_export_is_whole_and_overwrites_nothing(data: Path, tmp_path: Path) -> None:
    out = atlas.export_static(manifest.runs_dir(data), RUN, tmp_path / "out")
    names = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert {
        "index.html",
        "report.html",
        "one/index.html",
        "one/data/dataset.parquet",
        "two/data/metadata.json",
    } <= names
    assert any(name.startswith("assets/duckdb-eh") for name in names)
    assert any(name.startswith("two/duckdb-wasm/") for name in names)
    assert not any("knn" in name or "manifest" in name for name in names)
    with pytest.raises(HilumError, match="not empty"):
        atlas.export_static(manifest.runs_dir(data), RUN, out)
    with pytest.raises(HilumError, match="no such run"):
        atlas.export_static(manifest.runs_dir(data), "../runs", tmp_path / "elsewhere")


def test_a_runs_own_files_may_be_kept_and_no_others(client: TestClient, data: Path) -> None:
    (manifest.runs_dir(data) / RUN / "link.json").symlink_to(data / "secret")
    assert manifest.files(manifest.runs_dir(data), RUN) == ["knn-one.npz", "manifest.json", "report.html"]
    kept = client.get(f"/v1/runs/{RUN}/files/knn-one.npz")
    assert kept.content == b"graph"
    assert kept.headers["content-disposition"] == 'attachment; filename="knn-one.npz"'
    assert client.get(f"/v1/runs/{RUN}/files/report.html").headers["content-security-policy"] == atlas_router.REPORT_CSP
    for name in ("atlas", "link.json", "..%2f..%2fsecret", "../../secret", "nothing.json", "manifest.json%00"):
        with pytest.raises(HilumError, match="no such file"):
            manifest.file(manifest.runs_dir(data), RUN, name)
        assert client.get(f"/v1/runs/{RUN}/files/{name}").status_code == 404
