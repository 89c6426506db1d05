"""The committed code of ``client/hilum/v1`` is what the .proto files say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_generated_code_is_current(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "proto" / "generate.py", tmp_path],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    fresh = {path.name: path.read_text() for path in (tmp_path / "hilum" / "v1").iterdir()}
    kept = {path.name: path.read_text() for path in (ROOT / "client" / "hilum" / "v1").glob("*_pb2*")}
    assert fresh.keys() == kept.keys()
    stale = sorted(name for name, text in fresh.items() if kept[name] != text)
    assert not stale, "run `make proto` and commit what it writes"
