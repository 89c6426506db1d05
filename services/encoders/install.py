"""Adding an encoder: files gathered beside the others, measured in a process of their own, then moved into place."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatch
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from services.core.errors import ErrorCode, HilumError, invalid
from services.encoders.bundled import FAMILIES as BUNDLED
from services.encoders.families import FAMILIES
from services.encoders.known import Known, Licence
from services.encoders.manifest import CODE, FILE, Manifest, Origin, Recorded, name_of, place, read, relative, write
from services.encoders.verify import Check

Seen = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""

_LEFT_OUT = ("*.md", "LICENSE*", FILE)
_CHUNK = 1 << 20


def unseen(done: int, total: int) -> None:
    """For those who show no progress."""


def add(
    home: Path, name: str, source: Path, family: str = "", options: Mapping[str, Any] | None = None,
    entry: Known | None = None, variant: str = "default", in_place: bool = False, seen: Seen = unseen,
    isolated: bool = True, licence: Licence | None = None,
) -> tuple[Manifest, list[Check]]:  # fmt: skip
    """Install the checkpoint in the folder `source` as `name`. What it is comes from `family` and `options`; else from
    the manifest that lies in it, when it was carried over from another installation; else from the catalogue's `entry`.
    licence: of a family's checkpoint, where it is known.

    Returns what was found and the answers to all checks; when one is bad, nothing is installed. Raises ALREADY_EXISTS,
    INVALID_ARGUMENT, and FAILED_PRECONDITION for a checkpoint that cannot be used.
    """
    if not source.is_dir():
        raise invalid("--path is no folder; name the one that holds the checkpoint's files")
    source = source.resolve()
    draft = _draft(name, source, family, options or {}, entry, variant)
    if family and licence:
        draft = replace(draft, licence=licence)
    paths = list(draft.files) or listed(source, _patterns(entry))
    with adding(home, name) as staging:
        try:
            files = _gathered(source, paths, None if in_place else staging, seen)
            if draft.files and files != draft.files:
                raise HilumError(
                    ErrorCode.FAILED_PRECONDITION, "the files are not those of their manifest; copy them again"
                )
            folder = str(source) if in_place else ""
            return install(home, replace(draft, files=files, folder=folder), staging, isolated)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def install(home: Path, draft: Manifest, staging: Path, isolated: bool = True) -> tuple[Manifest, list[Check]]:
    """Measure what lies in `staging`, or in place, and give it its name if all is well.

    isolated: measure in a process of its own, with the environment that encoders need.
    """
    if not draft.origin.revision:
        draft = replace(draft, origin=Origin(draft.origin.repo, digest(draft.files)))
    folder = Path(draft.folder) if draft.folder else staging
    manifest, checks = _apart(measured, draft, folder) if isolated else measured(draft, folder)
    if all(check.ok for check in checks):
        write(staging, manifest)
        staging.rename(home / draft.name)
    return manifest, checks


def measured(draft: Manifest, folder: Path) -> tuple[Manifest, list[Check]]:
    """The draft with what its encoder is found to be, loaded from `folder`, and whether that is of any use.

    Raises FAILED_PRECONDITION when it cannot be loaded.
    """
    from services.encoders.families import load
    from services.encoders.network import Checkpoint
    from services.encoders.verify import prove

    options = _Read(draft.options)
    try:
        encoder = load(draft.family, Checkpoint(folder, draft.name, draft.origin.revision, options))
    except HilumError as error:
        if _asks_for_code(folder):
            said = f"{error.client_message}. It asks to run code of its own (auto_map), which Hilum never does"
            raise HilumError(error.code, said) from error
        raise
    if unread := sorted(draft.options.keys() - options.read):
        raise invalid(f"{draft.family} has no use for these options here: {', '.join(unread)}; leave them out")
    found, checks = prove(encoder)
    found = replace(found, bytes=found.bytes or sum(file.size for file in draft.files.values()))
    return replace(draft, measured=found, added_at=datetime.now(UTC).isoformat(timespec="seconds")), checks


@contextmanager
def adding(home: Path, name: str) -> Iterator[Path]:
    """A folder beside the installed ones in which to gather `name`. What a failure leaves in it can be gone on with.

    Raises ALREADY_EXISTS, and FAILED_PRECONDITION while another command adds an encoder.
    """
    refuse_taken(home, name)
    staging = home / f".adding-{name}"
    staging.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION, "another command is adding an encoder; let it finish"
            ) from None
        yield staging


def refuse_taken(home: Path, name: str) -> None:
    """Raises ALREADY_EXISTS when an encoder of this name is here."""
    if name_of(name) in BUNDLED or (home / name).exists():
        raise HilumError(
            ErrorCode.ALREADY_EXISTS, f"{name} is installed; `hilum models remove {name}` first, or choose another name"
        )


def listed(source: Path, patterns: tuple[str, ...] = ("*",)) -> list[str]:
    """The checkpoint's files below `source`, by relative path: no code, nothing hidden, no reading matter."""
    found = (str(file.relative_to(source)) for file in sorted(source.rglob("*")) if file.is_file())
    return [
        path for path in found
        if not path.lower().endswith(CODE)
        and not any(part.startswith((".", "__")) for part in Path(path).parts)
        and not any(fnmatch(Path(path).name, pattern) for pattern in _LEFT_OUT)
        and any(fnmatch(path, pattern) for pattern in patterns)
    ]  # fmt: skip


def files_of(source: Path) -> dict[str, Recorded]:
    """The checkpoint's files as they are now."""
    return _gathered(source, listed(source), None, unseen)


def digest(files: Mapping[str, Recorded]) -> str:
    """A revision for files that have none: another file, another revision."""
    table = json.dumps({path: files[path].sha256 for path in sorted(files)})
    return f"files-{hashlib.sha256(table.encode()).hexdigest()[:16]}"


def room(folder: Path, needed: int) -> None:
    """Raises FAILED_PRECONDITION when the disk has no place for so many bytes and a little more."""
    free = shutil.disk_usage(folder).free
    if needed + 2**26 > free:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"this needs {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; free some or set HILUM_MODELS_DIR",
        )


class _Read(Mapping[str, Any]):
    """Options that remember which of them were looked at: one that nobody reads is a slip of the pen."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return self._options[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._options)

    def __len__(self) -> int:
        return len(self._options)


def _draft(
    name: str, source: Path, family: str, options: Mapping[str, Any], entry: Known | None, variant: str
) -> Manifest:  # fmt: skip
    if family and family not in FAMILIES:
        raise invalid(f"there is no such family of encoders; there are: {', '.join(sorted(FAMILIES))}")
    if family:
        return Manifest(name, family, Origin("", ""), Licence("unknown", "", ""), {}, options={**options})
    if (source / FILE).exists():
        return replace(read(source), name=name, measured=None)
    if entry is None:
        raise invalid("say --family: the catalogue does not know this name, and no manifest lies with the files")
    origin, chosen = Origin(entry.source.repo, ""), {**entry.options(variant), **options}
    return Manifest(name, entry.family, origin, entry.licence, {}, variant=variant, options=chosen)


def _patterns(entry: Known | None) -> tuple[str, ...]:
    """Which files of a folder a model of the catalogue needs; all where the catalogue does not say."""
    if entry is None or not entry.source.files:
        return ("*",)
    return (*entry.source.files, *(extra["to"] for extra in entry.source.extra))


def _gathered(source: Path, paths: Iterable[str], to: Path | None, seen: Seen) -> dict[str, Recorded]:
    """Digest every file, and copy it where `to` is given."""
    places = {relative(path): place(source, path) for path in paths}
    if not places:
        raise invalid("there are no files of a checkpoint in this folder")
    try:
        sizes = {path: real.stat().st_size for path, real in places.items()}
        done, total, found = 0, sum(sizes.values()), dict[str, Recorded]()
        if to:
            room(to, total)
        for path, real in places.items():
            hashed = hashlib.sha256()
            if to:
                (to / path).parent.mkdir(parents=True, exist_ok=True)
            with real.open("rb") as file, (to / path if to else Path(os.devnull)).open("wb") as copy:
                while chunk := file.read(_CHUNK):
                    hashed.update(chunk)
                    copy.write(chunk)
                    seen(done := done + len(chunk), total)
            found[path] = Recorded(hashed.hexdigest(), sizes[path])
        return found
    except OSError as error:
        raise HilumError(ErrorCode.FAILED_PRECONDITION, "a file of the checkpoint cannot be read or copied") from error


def _apart(work: Callable[..., Any], *given: Any) -> Any:
    """Call `work` in a process of its own: a checkpoint that takes all memory takes that process only."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as child:
        try:
            return child.submit(work, *given).result()
        except BrokenProcessPool as error:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION, "the process that tried this encoder died; has it enough memory?"
            ) from error


def _asks_for_code(folder: Path) -> bool:
    return any(b'"auto_map"' in file.read_bytes() for file in folder.glob("*.json") if file.stat().st_size < _CHUNK)
