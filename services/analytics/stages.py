"""What the finished stages of a run leave behind until the run is complete, so that an attempt which was cut short is
taken up where it stopped.

    <folder>/<stage>-<of what>.npz    what the stage made
             told.jsonl               attempt, stage, seconds: a line for each that was finished

A folder (`core.attempts`) belongs to what is asked; a file to what it was made from: the films, what is known of them,
their vectors as they were written, and the code that made it.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from services.analytics import frozen
from services.core.logs import get_logger

T = TypeVar("T")
_PACKAGE = "services.analytics"
_TOLD = "told.jsonl"

log = get_logger("analytics")


class Stages:
    """One attempt at a run. `again`: the seconds that finished stages of earlier attempts took, by stage, as far as
    this one needed no more of them."""

    def __init__(self, home: Path, module: str = __name__) -> None:
        """home: a folder (`core.attempts`).  module: the code that makes the stages."""
        self._home, self._module = home, module
        self._told = _lines(home / _TOLD)
        self.attempt = 1 + max((int(one["attempt"]) for one in self._told), default=0)
        self.again: dict[str, float] = {}

    def once(self, stage: str, make: Callable[[], T], *made_from: object) -> T:
        """What `make` makes, or what an earlier attempt kept of it. made_from: everything that it depends on, of the
        values that `frozen` knows."""
        path = self._home / f"{_slug(stage)}-{frozen.digest([_code(self._module), stage, *made_from])[:24]}.npz"
        with contextlib.suppress(OSError, ValueError):
            found: T = frozen.read(path)
            self.again[stage] = sum(float(one["seconds"]) for one in self._told if one["stage"] == stage)
            log.info("stage.kept", stage=_slug(stage), elapsed_ms=round(1000 * self.again[stage]))
            return found
        started = time.monotonic()
        made = make()
        self._keep(path, stage, made, round(time.monotonic() - started, 3))
        return made

    @property
    def told(self) -> list[dict[str, Any]]:
        """Each stage that was finished, by which attempt, in how many seconds."""
        return list(self._told)

    @property
    def continued(self) -> dict[str, Any]:
        """What was taken up from earlier attempts; empty where this is the first."""
        if not self.again:
            return {}
        return {
            "attempt": self.attempt,
            "stages": list(self.again),
            "seconds_saved": round(sum(self.again.values()), 1),
        }

    def _keep(self, path: Path, stage: str, made: object, seconds: float) -> None:
        """Keep it, whole or not at all: a full disk is no reason to fail."""
        line = {"attempt": self.attempt, "stage": stage, "seconds": seconds}
        self._told.append(line)
        part = path.with_name(f".{os.urandom(6).hex()}.part")
        try:
            for place in (self._home.parent, self._home):
                place.mkdir(exist_ok=True, mode=0o700)
            frozen.write(part, made)
            part.chmod(0o600)
            part.replace(path)
            with open(self._home / _TOLD, "a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError:
            part.unlink(missing_ok=True)


@cache
def _code(module: str) -> str:
    """Of a module of this package and all that it imports from this package, as they are: what another version made is
    not taken up."""
    found, waiting, told = hashlib.sha256(), [module], set[str]()
    while waiting:
        name = waiting.pop()
        path = Path(__file__).parent.joinpath(*name.split(".")[2:]).with_suffix(".py")
        if name in told or not path.is_file():
            continue
        told.add(name)
        text = path.read_bytes()
        found.update(text)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(_PACKAGE):
                waiting += [node.module, *sorted(f"{node.module}.{alias.name}" for alias in node.names)]
    return found.hexdigest()


def _lines(path: Path) -> list[dict[str, Any]]:
    with contextlib.suppress(OSError, ValueError):
        return [json.loads(line) for line in path.read_text().splitlines()]
    return []


def _slug(stage: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", stage)[:80]
