"""Analyses in this process: what the child does, on an archive at hand."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.analytics import kinds
from services.analytics.bench import Bench
from services.core import attempts
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.facts import Facts
from services.core.store import VectorStore


@dataclass
class Made:
    """A run's folder."""

    folder: Path

    def json(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / name).read_text())
        return found

    @property
    def metrics(self) -> dict[str, Any]:
        return self.json("metrics.json")

    @property
    def report(self) -> str:
        return (self.folder / "report.html").read_text()


def make(home: Path, facts: Facts, store: VectorStore, encode: str = "", **asked: Any) -> Made:
    """Run an analysis, asked as in a ``CreateRunRequest``. encode: where the Encode RPC answers."""
    run_id = str(uuid.uuid4())
    part = home / "runs" / run_id
    part.mkdir(parents=True)
    settings = Settings(data_dir=home, encode=encode)
    given = kinds.parse(asked)
    given.check(facts)
    kinds.work(given.kind)(Bench(given, run_id, part, facts, store, Blobs(home / "blobs"), settings))
    attempts.drop(home, given.as_json())  # as whoever completes a run does
    return Made(part)
