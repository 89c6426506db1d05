"""An indexing round may die before or after any of its steps: the next start finds one whole generation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from services.engine.catalog import Catalog
from tests.faults.engine_crash_points import POINTS

ROOT = Path(__file__).resolve().parents[2]
SIGKILLED = -9
# From the first copy of the registry on, the new generation is the one that counts.
NEW = {"never", "after registry", "after pointer", "before swap", "after swap", "before remove", "after remove"}
QUICK = {"never", "after copy", "after build", "after replay", "before registry", "after registry", "before remove"}
CASES = [p if p in QUICK else pytest.param(p, marks=pytest.mark.slow) for p in ("never", *POINTS)]


def run(directory: Path, point: str) -> tuple[int, int]:
    """Exit code, and how many points were acknowledged before the end."""
    command = [sys.executable, "-m", "tests.faults.engine_crash_points", str(directory), point]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, int(done.stdout.split()[-1])


@pytest.mark.parametrize("point", CASES)
def test_nothing_acknowledged_is_lost(tmp_path: Path, point: str) -> None:
    code, sure = run(tmp_path, point)
    assert code == (0 if point == "never" else SIGKILLED)
    catalog = Catalog(tmp_path)
    try:
        shard = catalog.shard("films")
        with shard.reading() as live:
            records = live.retrieve(list(range(sure)), False, True)
        assert sorted(record.id for record in records) == list(range(sure))
        assert all(record.vector[0] == record.id + 1.0 for record in records)
        assert shard.points() == sure
        assert len(list(tmp_path.glob("collections/*/*"))) == 1
        has_graph = shard.info().segments_count >= 2
        assert has_graph == (point in NEW)
    finally:
        catalog.close()
