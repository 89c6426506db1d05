"""Make the virtual environment: locked dependencies, CPU torch unless CUDA is there, and Hilum itself, editable.

    python3 requirements/install.py .venv

The lock is complete, so packages are installed as listed and nothing is resolved anew.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
TORCH = "torch==2.13.0"
# PyTorch's own index of CPU builds. On Linux the default build brings several GB of CUDA libraries along.
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - older interpreters are to be told, not to fail midway
        raise SystemExit("Hilum needs Python 3.11 or newer; call `make PYTHON=python3.11 …`")
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ".venv")
    if not (target / "bin" / "python").exists():
        venv.create(target, with_pip=True)
    pip = [str(target / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    lean = [*pip, "--no-deps", "--no-compile"]
    print("installing torch …", flush=True)
    _torch(pip, lean)
    print("installing the locked dependencies …", flush=True)
    subprocess.run([*lean, "-r", str(HERE / "lock.txt")], check=True)
    subprocess.run([*lean, "--no-build-isolation", "-e", str(HERE.parent)], check=True)
    print("compiling what commands import …", flush=True)
    subprocess.run([str(target / "bin" / "python"), str(HERE / "bytecode.py")], check=False)  # only speed hangs on it


def _torch(pip: list[str], lean: list[str]) -> None:
    if platform.system() != "Linux" or shutil.which("nvidia-smi"):
        subprocess.run([*pip, TORCH], check=True)  # macOS: the plain build is small; CUDA: its libraries are wanted
        return
    cpu = f"{TORCH}+cpu"
    if subprocess.run([*lean, cpu], check=False, stderr=subprocess.DEVNULL).returncode:  # a local mirror may have it
        subprocess.run([*lean, "--extra-index-url", CPU_INDEX, cpu], check=True)


if __name__ == "__main__":
    main()
