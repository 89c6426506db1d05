"""Pictures are named by their content, whole or not there, and nothing else can be named."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def test_what_is_put_is_got_by_the_hash_of_its_content(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    digest = blobs.put(b"picture")
    assert digest == hashlib.sha256(b"picture").hexdigest()
    assert blobs.get(digest) == b"picture"
    assert blobs.put(b"picture") == digest
    assert files(tmp_path) == [tmp_path / digest[:2] / digest]


def test_a_root_may_be_any_filesystem() -> None:
    blobs = Blobs("memory://pictures")
    assert blobs.get(blobs.put(b"x")) == b"x"


def test_deleting_twice_is_no_error_and_getting_then_is_not_found(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    digest = blobs.put(b"x")
    blobs.delete(digest)
    blobs.delete(digest)
    with pytest.raises(HilumError) as refused:
        blobs.get(digest)
    assert refused.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize(
    "name", ["", "../secret", "/etc/passwd", "a" * 63, "A" * 64, "g" * 64, "../" * 21 + "a", "a" * 64 + "\n", "\0" * 64]
)
def test_a_name_that_is_no_hash_reaches_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    blobs = Blobs(tmp_path / "blobs")
    for call in (blobs.get, blobs.delete):
        with pytest.raises(HilumError) as refused:
            call(name)
        assert refused.value.code is ErrorCode.NOT_FOUND
    assert (tmp_path / "secret").exists()


def test_writers_of_the_same_picture_do_not_disturb_each_other(tmp_path: Path) -> None:
    data = os.urandom(200_000)
    threads = [threading.Thread(target=Blobs(tmp_path).put, args=(data,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() for path in files(tmp_path)] == [data]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LocalFileSystem, "mv", full)
    with pytest.raises(OSError, match="No space"):
        Blobs(tmp_path).put(b"x")
    monkeypatch.undo()
    assert files(tmp_path) == []
    assert Blobs(tmp_path).get(Blobs(tmp_path).put(b"x")) == b"x"
