"""A hub of our own on loopback: the HTTP answers that the hub's library asks for, with faults on demand.

Repositories are folders. Large files (`LARGE` bytes and more) are told with their sha256, as the hub tells LFS files;
small ones with git's digest. Facts of the protocol: the endpoints and headers that huggingface_hub 1.33 uses.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

LARGE = 50_000


@dataclass
class Repository:
    """A repository with one commit.

    gated: files only for `token`.  cut: file name → how many answers break off halfway.  lies: file name → bytes sent
    in place of its own, at the same length.  extra_names: names that are listed, whatever they are.
    """

    folder: Path
    commit: str = "0123456789abcdef0123456789abcdef01234567"
    gated: bool = False
    token: str = ""
    cut: dict[str, int] = field(default_factory=dict)
    lies: set[str] = field(default_factory=set)
    extra_names: tuple[str, ...] = ()


@dataclass
class Hub:
    """url: for HF_ENDPOINT.  asked: (method, path, range, authorization) of every request, in order."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    url: str = ""
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)

    def downloads(self) -> list[tuple[str, str]]:
        """(path, range) of every file that was asked for."""
        return [(path, part) for method, path, part, _ in self.asked if method == "GET" and "/resolve/" in path]


@contextmanager
def serve(**repositories: Repository) -> Iterator[Hub]:
    """Serve repositories ``owner__name=…`` as ``owner/name``."""
    hub = Hub({name.replace("__", "/").replace("_", "-"): repo for name, repo in repositories.items()})

    class Handler(_Handler):
        served = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.served.asked.append(
            (self.command, path, self.headers.get("Range", ""), self.headers.get("Authorization", ""))
        )
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            self._info("/".join(parts[2:4]), parts[5] if len(parts) > 5 else "main")
        elif "resolve" in parts:
            self._file("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        else:
            self._refuse(404, "EntryNotFound")

    def _info(self, name: str, revision: str) -> None:
        repo = self.served.repositories.get(name)
        if repo is None:
            return self._refuse(401, "RepoNotFound")
        if revision not in ("main", repo.commit):
            return self._refuse(404, "RevisionNotFound")
        files = [path for path in sorted(repo.folder.rglob("*")) if path.is_file()]
        siblings = [_sibling(str(path.relative_to(repo.folder)), path.read_bytes()) for path in files]
        siblings += [_sibling(listed, b"x") for listed in repo.extra_names]
        body = {"id": name, "sha": repo.commit, "gated": "manual" if repo.gated else False, "siblings": siblings}
        self._send(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _file(self, name: str, revision: str, file: str) -> None:
        repo = self.served.repositories.get(name)
        if repo is None:
            return self._refuse(401, "RepoNotFound")
        if repo.gated and self.headers.get("Authorization") != f"Bearer {repo.token}":
            return self._refuse(403, "GatedRepo")
        if revision != repo.commit or not (repo.folder / file).is_file():
            return self._refuse(404, "EntryNotFound")
        content = (repo.folder / file).read_bytes()
        headers = {"ETag": f'"{_digests(content)[1]}"', "X-Repo-Commit": repo.commit, "Accept-Ranges": "bytes"}
        if file in repo.lies:
            content = bytes(byte ^ 1 for byte in content)
        start, status = 0, 200
        if asked := self.headers.get("Range"):
            start, status = int(asked.removeprefix("bytes=").rstrip("-")), 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        body = content[start:]
        if self.command == "GET" and repo.cut.get(file, 0) > 0:
            repo.cut[file] -= 1
            self._send(status, body, headers, sent=body[: len(body) // 2])
            self.close_connection = True
            return None
        return self._send(status, body, headers)

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, b'{"error": "no"}', {"X-Error-Code": code})

    def _send(self, status: int, body: bytes, headers: dict[str, str], sent: bytes | None = None) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body if sent is None else sent)


def _digests(content: bytes) -> tuple[str, str]:
    """sha256 of the bytes, and git's digest of them as a blob."""
    git = hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False)
    return hashlib.sha256(content).hexdigest(), git.hexdigest()


def _sibling(name: str, content: bytes) -> dict[str, object]:
    sha256, git = _digests(content)
    large = {"lfs": {"sha256": sha256, "size": len(content), "pointerSize": 134}} if len(content) >= LARGE else {}
    return {"rfilename": name, "size": len(content), "blobId": git, **large}
