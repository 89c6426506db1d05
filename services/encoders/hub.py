"""Files of a hub repository at one commit: what there is, what it weighs, and fetching it whole.

Ask for this before any encoder is loaded: loading one shuts the hub's library off from the network for good
(`services.encoders.offline`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from services.core.errors import ErrorCode, HilumError
from services.encoders.hub_answers import asking
from services.encoders.install import Seen, room
from services.encoders.known import Known
from services.encoders.manifest import CODE, Recorded, relative

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Remote:
    """A file of a commit. path: where it belongs in the checkpoint.  sha256, git: its digest, as the hub keeps it: of
    the bytes for large files, git's for small ones."""

    repo: str
    revision: str
    name: str
    path: str
    size: int
    sha256: str = ""
    git: str = ""

    @property
    def part(self) -> str:
        """Where it lies until it is whole: another file never goes on from it."""
        return f"{self.path}.{(self.sha256 or self.git or self.revision)[:16]}.part"


@dataclass(frozen=True, slots=True)
class Commit:
    """What a pull of a catalogue entry would fetch. revision: the commit of its repository, and a digest of the files
    that come from others.  absent: patterns that match nothing there."""

    entry: Known
    revision: str
    files: tuple[Remote, ...]
    gated: bool
    absent: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def resolve(entry: Known, revision: str = "") -> Commit:
    """What the entry's files are at `revision` (a branch, a tag or a commit), pinned to the commit it names today.

    Raises FAILED_PRECONDITION or UNAVAILABLE saying what to do.
    """
    source = entry.source
    if not source.repo:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"no hub serves {entry.name}. {source.manual or 'Get its files from its authors'}; then "
            f"`hilum models add {entry.name} --path FOLDER`",
        )
    info = _commit(entry, source.repo, revision or source.revision)
    files = [_remote(source.repo, info, sibling) for sibling in info.siblings if _wanted(sibling, source.files)]
    absent = [p for p in source.files if not any(fnmatch(file.name, p) for file in files)]
    more = []
    for extra in source.extra:
        other = _commit(entry, extra["repo"], extra.get("revision", "main"))
        match = [sibling for sibling in other.siblings if sibling.rfilename == extra["file"]]
        more += [_remote(extra["repo"], other, sibling, extra["to"]) for sibling in match]
        absent += [] if match else [extra["file"]]
    if not files or len(more) < len(source.extra):
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION, f"the hub lacks files of {entry.name} at this revision: {', '.join(absent)}"
        )
    return Commit(entry, _revision(info.sha, more), (*files, *more), bool(info.gated), tuple(absent))


def fetch(commit: Commit, into: Path, seen: Seen) -> dict[str, Recorded]:
    """Every file of the commit below the folder `into`, each compared with the hub's digest. What an earlier attempt
    left there is gone on with.

    Raises UNAVAILABLE when the network fails: the same call goes on from there; FAILED_PRECONDITION otherwise.
    """
    wanted = {into / name for file in commit.files for name in (file.path, file.part)}
    there = [path for path in into.rglob("*") if path.is_file()]
    for stray in there:
        if stray not in wanted:
            stray.unlink()
    room(into, commit.size - sum(path.stat().st_size for path in there if path in wanted))
    found, before = dict[str, Recorded](), 0
    for file in commit.files:
        with asking(commit.entry, file.repo):
            found[file.path] = _fetched(file, into, lambda n, b=before: seen(b + n, commit.size))
        before += file.size
        seen(before, commit.size)
    return found


def _fetched(file: Remote, into: Path, seen: Callable[[int], None]) -> Recorded:
    """One file, made whole under another name first."""
    to, part = into / file.path, into / file.part
    if to.is_file() and (recorded := _digested(file, to)):
        return recorded
    part.parent.mkdir(parents=True, exist_ok=True)
    if part.is_file() and part.stat().st_size > file.size:
        part.unlink()
    with part.open("ab") as out:
        _download(file, out, seen)
    recorded = _digested(file, part)
    if recorded is None:
        part.unlink()  # going on with wrong bytes would never end
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            "a file arrived with other bytes than the hub's digest says, and was thrown away; pull again",
        )
    part.replace(to)
    return recorded


def _download(file: Remote, out: BinaryIO, seen: Callable[[int], None]) -> None:
    """Append what is missing. The token goes to the hub, and not to the store it points to."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import get_hf_file_metadata, http_get
    from huggingface_hub.utils import build_hf_headers, disable_progress_bars, logging

    disable_progress_bars()
    logging.set_verbosity_error()  # its warnings print signed addresses
    url = hf_hub_url(file.repo, file.name, revision=file.revision)
    told = get_hf_file_metadata(url)
    if told.commit_hash != file.revision:
        raise HilumError(ErrorCode.FAILED_PRECONDITION, "the hub answered with another commit than was asked for")
    store, hub = urlsplit(told.location), urlsplit(url)
    if hub.scheme == "https" != store.scheme:
        raise HilumError(ErrorCode.FAILED_PRECONDITION, "the hub points to a store without TLS; nothing was fetched")
    counted: Any = _Counted(out, seen)
    http_get(
        told.location, counted, resume_size=out.tell(),
        headers=build_hf_headers() if store.netloc == hub.netloc else {},
        expected_size=file.size,
    )  # fmt: skip


class _Counted:
    """A file that tells how long it has become."""

    def __init__(self, file: BinaryIO, seen: Callable[[int], None]) -> None:
        self._file, self._seen = file, seen
        self.tell, self.seek, self.truncate = file.tell, file.seek, file.truncate

    def write(self, data: bytes) -> int:
        written = self._file.write(data)
        self._seen(self._file.tell())
        return written


def _digested(file: Remote, path: Path) -> Recorded | None:
    """The file as it is; None when the hub has other bytes."""
    size = path.stat().st_size
    sha256, git = hashlib.sha256(), hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as data:
        while chunk := data.read(_CHUNK):
            sha256.update(chunk)
            git.update(chunk)
    right = size == file.size and file.sha256 in ("", sha256.hexdigest()) and file.git in ("", git.hexdigest())
    return Recorded(sha256.hexdigest(), size) if right else None


def _commit(entry: Known, repo: str, revision: str) -> Any:
    with asking(entry, repo):
        from huggingface_hub import HfApi

        info = HfApi().model_info(repo, revision=revision, files_metadata=True, timeout=30)
        if not info.sha or not re.fullmatch(r"[0-9a-f]{40}", info.sha):
            raise HilumError(ErrorCode.UNAVAILABLE, "the hub does not tell the commit; try again later")
        info.siblings = info.siblings or []
        return info


def _revision(sha: str, more: Sequence[Remote]) -> str:
    content = "".join(f"{file.path}\0{file.sha256 or file.git}\0" for file in more)
    return f"{sha}+{hashlib.sha256(content.encode()).hexdigest()[:8]}" if more else sha


def _remote(repo: str, info: Any, sibling: Any, to: str = "") -> Remote:
    if sibling.size is None:
        raise HilumError(ErrorCode.FAILED_PRECONDITION, "the hub does not tell the size of a file; try again later")
    large = sibling.lfs
    return Remote(
        repo, info.sha, sibling.rfilename, relative(to or sibling.rfilename), sibling.size,
        large.sha256 if large else "", "" if large else sibling.blob_id or "",
    )  # fmt: skip


def _wanted(sibling: Any, patterns: tuple[str, ...]) -> bool:
    name = sibling.rfilename
    spare = name.lower().endswith(CODE) or name.endswith(".gitattributes")
    return not spare and any(fnmatch(name, pattern) for pattern in patterns)
