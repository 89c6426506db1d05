"""Generate ``client/hilum/v1`` from ``proto/hilum/v1``; the result is committed, and a test checks that it is current.

python proto/generate.py [OUT]
"""

import sys
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).resolve().parent


def generate(out: Path) -> None:
    """Write the message and service modules of every .proto file below `out`."""
    well_known = Path(protoc.__file__).parent / "_proto"
    files = sorted(str(path.relative_to(HERE)) for path in HERE.glob("hilum/v1/*.proto"))
    arguments = ["protoc", f"-I{HERE}", f"-I{well_known}", f"--python_out={out}", f"--pyi_out={out}",
                 f"--grpc_python_out={out}", *files]  # fmt: skip
    if protoc.main(arguments):
        raise SystemExit("protoc failed")


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "client")
