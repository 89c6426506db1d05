"""What an installed encoder is, where it came from, what it was measured to be: ``hilum-model.json`` in its folder."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.models import ModelSpec
from services.core.security import confine
from services.encoders.known import Licence

FILE = "hilum-model.json"
SCHEMA = 1
CODE = (".py", ".pyc", ".so")  # what is never taken from a checkpoint


@dataclass(frozen=True, slots=True)
class Origin:
    """repo: of the hub, empty for a folder that was added.  revision: the commit, or a digest of the added files."""

    repo: str
    revision: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """A file as it was when the encoder was added: hex digest and bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What the encoder was found to be. bytes: of its weights in memory.

    film, text: the first numbers of the vectors of one fixed picture and one fixed text, to notice when a new version
    of a library encodes otherwise.  versions: of the libraries then.
    """

    spec: ModelSpec
    bytes: int
    film: str
    text: str
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Manifest:
    """One installed encoder. `measured` is None only while it is being added.

    files: relative path → what it was.  folder: where they lie when not beside the manifest (``add --in-place``).
    trust_remote_code: whether the checkpoint's own code may run; nothing here runs any, so True is refused.
    """

    name: str
    family: str
    origin: Origin
    licence: Licence
    files: Mapping[str, Recorded]
    measured: Measured | None = None
    variant: str = "default"
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""
    trust_remote_code: bool = False
    added_at: str = ""
    schema: int = SCHEMA

    @property
    def spec(self) -> ModelSpec:
        """What it must still be when it is loaded."""
        return self.found.spec

    @property
    def found(self) -> Measured:
        """Raises FAILED_PRECONDITION while it has not been measured."""
        if self.measured is None:
            raise HilumError(ErrorCode.FAILED_PRECONDITION, "this encoder was never verified; add it again")
        return self.measured


_SHAPE = TypeAdapter(Manifest)


def read(home: Path) -> Manifest:
    """The manifest of the folder `home`. Raises FAILED_PRECONDITION saying what is wrong with it."""
    try:
        manifest = _SHAPE.validate_json((home / FILE).read_bytes())
    except OSError as error:
        raise _damaged("cannot be read") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _damaged(f"is no manifest: {'.'.join(map(str, first['loc'])) or 'JSON'}: {first['msg']}") from error
    except HilumError as error:  # a specification that can be none
        raise _damaged(error.client_message) from error
    _check(manifest)
    return manifest


def write(home: Path, manifest: Manifest) -> None:
    """Whole or not at all, also through a power cut."""
    part = home / f".{FILE}.part"
    with part.open("w", encoding="utf-8") as file:
        json.dump(asdict(manifest), file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(home / FILE)


def name_of(text: str) -> str:
    """`text`, if it can name a model and its folder. Raises INVALID_ARGUMENT."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", text):
        raise invalid("a model name is a slug of a-z, 0-9 and '-', at most 63 characters")
    return text


def relative(path: str) -> str:
    """`path`, if it names a file below a folder and nothing that would run. Raises FAILED_PRECONDITION."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or any(c in path for c in "\\\0:") or any(p.startswith(".") for p in parts):
        raise HilumError(ErrorCode.FAILED_PRECONDITION, "a file of this checkpoint has a name that leads out of it")
    if path.lower().endswith(CODE):
        raise HilumError(ErrorCode.FAILED_PRECONDITION, "a checkpoint's own code is never taken: list its data files")
    return path


def place(folder: Path, path: str) -> Path:
    """Where the checkpoint's file `path` really lies. A cache of the hub keeps its snapshots' files two folders up.

    Raises FAILED_PRECONDITION for a link or a name that leads elsewhere.
    """
    cache = folder.parent.parent if folder.parent.name == "snapshots" else folder
    real = confine(folder, relative(path)) or confine(cache, folder / path)
    if real is None:
        raise HilumError(ErrorCode.FAILED_PRECONDITION, "a file of this checkpoint is a link that leads out of it")
    return real


def _check(manifest: Manifest) -> None:
    """What a shape cannot say."""
    if manifest.schema != SCHEMA:
        raise _damaged("was written by another version of Hilum")
    if manifest.measured is None or not manifest.files:
        raise _damaged("lacks what was measured when the encoder was added")
    if manifest.trust_remote_code:
        raise _damaged("asks to run the checkpoint's own code, which Hilum never does")
    if manifest.name != manifest.spec.name:
        raise _damaged("has two names")
    if manifest.folder and (not Path(manifest.folder).is_absolute() or "\0" in manifest.folder):
        raise _damaged("does not say where the files are")
    for path in manifest.files:
        relative(path)


def _damaged(why: str) -> HilumError:
    return HilumError(ErrorCode.FAILED_PRECONDITION, f"its {FILE} {why}; remove the encoder and add it again")
