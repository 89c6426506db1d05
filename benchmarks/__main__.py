"""Every benchmark, one after the other. Each prints ratios of two things measured side by side in its own run.

python -m benchmarks [--quick]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent

RUNS: list[tuple[str, list[str]]] = [
    ("bench_encoders.py", []),
    ("bench_ingest.py", []),
    ("bench_ingest.py", ["--n", "64", "--vit-b"]),
    ("bench_encode.py", []),
    ("bench_query.py", ["--n", "100000", "--dim", "768"]),
    ("bench_filters.py", ["--n", "100000"]),
    ("bench_engine.py", ["--n", "100000", "--dim", "768"]),
    ("bench_words.py", []),
    ("bench_analytics.py", ["--n", "20000", "--dim", "1024"]),
    ("bench_cohort.py", ["--films", "200000"]),
    ("bench_eda.py", ["--films", "200000", "--rows", "16000", "--columns", "388", "--sample", "10000"]),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes: see that they run, quote nothing")
    quick = parser.parse_args().quick
    failed = []
    for name, full in RUNS:
        arguments = [] if quick else full
        started = time.monotonic()
        print(f"== {name} {' '.join(arguments)}", flush=True)
        command = [sys.executable, str(HERE / name), *arguments]
        if subprocess.run(command, check=False, cwd=HERE.parent).returncode:
            failed.append(name)
        print(f"== {name}: {time.monotonic() - started:.0f} s\n", flush=True)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
