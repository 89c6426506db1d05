"""Where exports are written to: nothing half, nothing twice, nothing elsewhere, and on again after a kill."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest

from hilum import AsyncClient, Client, HilumError
from hilum.folder import SUMS, Folder
from hilum.locate import Endpoint
from services.analytics.cohort.export import router
from services.analytics.cohort.export.api import CohortExportsApi
from services.analytics.cohort.export.bundle import FORMATS
from services.core.access import Access
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.facts import open_facts
from tests.kit.cohorts import NAME, film, publish
from tests.kit.served import Served, served

FILMS = 40
CHILD = """
import sys
from hilum import Client
from hilum.locate import Endpoint
with Client(endpoint=Endpoint(sys.argv[1])) as client:
    client.export_cohort(sys.argv[2], sys.argv[3], sys.argv[4:], right="own")
"""


class Site:
    """A served archive with one cohort."""

    def __init__(self, home: Path) -> None:
        self.facts, self.settings = open_facts(f"sqlite:///{home / 'facts.db'}"), Settings(home)
        self.frozen = publish(home, self.facts, Blobs(home / "blobs"), [film(number) for number in range(FILMS)])
        self.api = CohortExportsApi(self.settings, self.facts)
        self.where: Served | None = None

    def client(self) -> Client:
        assert self.where
        return Client(endpoint=Endpoint(self.where.grpc), patience=1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    with served([made.api], [router.build(made.settings, made.facts)]) as made.where:
        yield made
    made.facts.close()


@pytest.fixture(scope="module")
def whole(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export in all formats, as it is when nothing disturbs it."""
    out = tmp_path_factory.mktemp("whole") / NAME
    with site.client() as client:
        done = client.export_cohort(NAME, out, FORMATS, right="own")
    assert (done.kept, done.left_out, done.written) == (0, {}, len(files(out)) - 1)
    return out


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_holds_checksums_that_agree_and_again_nothing_is_written(site: Site, whole: Path) -> None:
    with site.client() as client:
        again = client.export_cohort(NAME, whole, FORMATS, right="own")
    assert (again.written, again.kept) == (0, len(files(whole)) - 1)
    check = subprocess.run(["sha256sum", "-c", "--strict", SUMS], cwd=whole, capture_output=True, check=False)
    assert check.returncode == 0, check.stdout
    listed = {line[66:] for line in (whole / SUMS).read_text().splitlines()}
    assert listed == files(whole).keys() - {SUMS}


def test_ids_have_the_hash_that_the_record_states(site: Site, whole: Path) -> None:
    ids = (whole / "ids.txt").read_text()
    assert hashlib.sha256(ids.rstrip("\n").encode()).hexdigest() == site.frozen.ids_sha256


def test_killed_in_the_middle_it_goes_on_and_rewrites_nothing_that_is_whole(
    site: Site, whole: Path, tmp_path: Path
) -> None:
    assert site.where
    out = tmp_path / "out"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, site.where.grpc, NAME, str(out), *FORMATS],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    deadline = time.monotonic() + 60
    while len(list(out.glob("pictures/*.jpg"))) < 3 and time.monotonic() < deadline:
        if child.poll() is not None:
            break
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (out / "README.md").exists(), "the child was done before it could be killed"
    (out / "pictures").mkdir(exist_ok=True)
    finished = {line[66:] for line in (out / SUMS).read_text().splitlines()}
    with open(out / SUMS, "a") as sums:
        sums.write("0123")  # as a power cut leaves it
    found = {name for name in files(out) if not name.endswith((SUMS, ".part"))}
    assert finished <= found and len(found - finished) <= 1  # killed before the line of a file that was in its place
    there = {name: (out / name).stat() for name in finished}
    torn = sorted(name for name in there if name.startswith("pictures/"))[1]
    (out / torn).write_bytes(b"torn")
    with site.client() as client:
        done = client.export_cohort(NAME, out, FORMATS, right="own")
    assert files(out) == files(whole)
    assert done.kept and done.kept + done.written == len(files(whole)) - 1
    for name, before in there.items():
        after = (out / name).stat()
        assert ((after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)) == (name != torn), name


def test_a_zip_is_made_of_whole_files_alone(whole: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = Folder(tmp_path / name / f"{NAME}.zip")
        for file, data in files(whole).items():
            if file != SUMS:
                folder.write(file, hashlib.sha256(data).hexdigest(), [data])
        assert not (tmp_path / name / f"{NAME}.zip").exists()
        folder.close()
        assert [path.name for path in (tmp_path / name).iterdir()] == [f"{NAME}.zip"]
    assert (tmp_path / "one" / f"{NAME}.zip").read_bytes() == (tmp_path / "two" / f"{NAME}.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one" / f"{NAME}.zip") as archive:
        archive.extractall(tmp_path)
    assert files(tmp_path / NAME) == files(whole)
    with pytest.raises(HilumError, match="there is a file of this name"):
        Folder(tmp_path / "one" / f"{NAME}.zip")


def test_a_browser_saves_the_same_files_as_one_zip(site: Site, whole: Path, tmp_path: Path) -> None:
    assert site.where
    asked = {"formats": ",".join(FORMATS), "right": "own"}
    answer = httpx.get(f"{site.where.url}/v1/cohorts/{NAME}/export.zip", params=asked, timeout=60)
    assert answer.headers["content-disposition"] == f'attachment; filename="{NAME}.zip"'
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path)
    assert files(tmp_path / NAME) == files(whole)
    told = httpx.post(f"{site.where.url}/v1/cohorts/{NAME}:export", json={"formats": ["ids"]}, timeout=60).text
    assert '"done"' in told and "ids.txt" in told


def test_what_is_wrong_is_said_and_nothing_is_written(site: Site, tmp_path: Path) -> None:
    assert site.where
    with site.client() as client:
        for name, formats, code in (
            ("nobody", ["csv"], "NOT_FOUND"),
            ("../../etc/passwd", ["csv"], "NOT_FOUND"),
            ("", ["csv"], "NOT_FOUND"),
            (NAME, ["exe"], "INVALID_ARGUMENT"),
        ):
            with pytest.raises(HilumError) as refused:
                client.export_cohort(name, tmp_path / "out", formats)
            assert refused.value.code == code
    assert files(tmp_path / "out") == {}
    for bad in ("nobody/export.zip", f"{NAME}/export.zip?formats=exe", "..%2F..%2Fetc/export.zip"):
        assert httpx.get(f"{site.where.url}/v1/cohorts/{bad}").status_code in (400, 404)


def test_two_exports_are_not_mixed_and_files_of_others_not_touched(site: Site, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    digest = hashlib.sha256(b"mine").hexdigest()
    (tmp_path / "sums").mkdir()
    (tmp_path / "sums" / "thesis.txt").write_text("mine")
    (tmp_path / "sums" / SUMS).write_text(f"{digest}  thesis.txt\n")
    with site.client() as client:
        for name in ("mine", "sums"):
            with pytest.raises(HilumError, match="no export made"):
                client.export_cohort(NAME, tmp_path / name, ["csv"])
            assert (tmp_path / name / "thesis.txt").read_text() == "mine"
        client.export_cohort(NAME, tmp_path / "out", ["ids"])
        before = files(tmp_path / "out")
        with pytest.raises(HilumError, match="another export"):
            client.export_cohort(NAME, tmp_path / "out", ["ids", "methods"])
        (tmp_path / "out" / "export.json").unlink()
        with pytest.raises(HilumError, match="another export"):
            client.export_cohort(NAME, tmp_path / "out", ["ids", "methods"])
    assert files(tmp_path / "out").items() <= before.items()


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/x",
        "a/../../x",
        "pictures/../../x",
        SUMS,
        "x.part",
        ".bashrc",
        "a/b/c",
        "a\\..\\x",
        "x\0",
        "~/x",
        "",
    ],
)
def test_a_service_that_lies_about_names_writes_nothing(tmp_path: Path, name: str) -> None:
    folder = Folder(tmp_path / "out")
    with pytest.raises(HilumError, match="no export has"):
        folder.write(name, "0" * 64, [b"x"])
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert files(tmp_path / "out") == {}


def test_links_lead_nobody_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    folder = Folder(tmp_path / "out")
    folder.write("export.json", hashlib.sha256(b"{}").hexdigest(), [b"{}"])
    (tmp_path / "out" / "pictures").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HilumError):
        folder.write("pictures/a.jpg", hashlib.sha256(b"x").hexdigest(), [b"x"])
    (tmp_path / "secret").write_bytes(b"s")
    (tmp_path / "out" / "ids.txt").symlink_to(tmp_path / "secret")
    folder.write("ids.txt", hashlib.sha256(b"x").hexdigest(), [b"x"])
    assert (tmp_path / "secret").read_bytes() == b"s" and not list((tmp_path / "elsewhere").iterdir())


def test_bytes_that_come_damaged_are_refused(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "out")
    with pytest.raises(HilumError, match="damaged"):
        folder.write("ids.txt", "0" * 64, [b"x"])
    assert files(tmp_path / "out") == {}


def test_who_may_not_see_every_film_gets_none(site: Site, tmp_path: Path) -> None:
    seen = Access.named(["open"])
    with served([_As(site.api, seen)], [router.build(site.settings, site.facts, seen)]) as where:
        with Client(endpoint=Endpoint(where.grpc)) as client, pytest.raises(HilumError) as refused:
            client.export_cohort(NAME, tmp_path / "out")
        assert refused.value.code == "NOT_FOUND"
        assert httpx.get(f"{where.url}/v1/cohorts/{NAME}/export.zip").status_code == 404
    both = Access.named(["open", "closed"])
    with served([_As(site.api, both)]) as where, Client(endpoint=Endpoint(where.grpc)) as client:
        assert client.export_cohort(NAME, tmp_path / "out", ["ids"]).written


def test_the_async_client_writes_the_same(site: Site, whole: Path, tmp_path: Path) -> None:
    async def export() -> None:
        assert site.where
        async with AsyncClient(endpoint=Endpoint(site.where.grpc)) as client:
            await client.export_cohort(NAME, tmp_path / "a", ["ids"])

    asyncio.run(export())
    assert (tmp_path / "a" / "ids.txt").read_bytes() == (whole / "ids.txt").read_bytes()


class _As:
    """The api for somebody who sees less."""

    def __init__(self, api: CohortExportsApi, access: Access) -> None:
        self.service, self.routes, self._api, self._access = api.service, api.routes, api, access

    def export_cohort(self, request: object, call: object) -> object:
        call.access = self._access  # type: ignore[attr-defined]
        return self._api.export_cohort(request, call)  # type: ignore[arg-type]
