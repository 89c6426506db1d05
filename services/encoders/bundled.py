"""The two small encoders that ship with Hilum. They know phantoms only: never for clinical use.

They are installed like any other, in a folder of the package. Their manifests hold their fingerprints, so that no
change of code can turn them, unnoticed, into other encoders. Whoever means to change them writes the manifests anew:

    python -m services.encoders.bundled
"""

from __future__ import annotations

from pathlib import Path

CHECKPOINTS = Path(__file__).parent / "checkpoints"
CLIP, DINO = "hilum-cxr-clip", "hilum-cxr-dino"
FAMILIES = {CLIP: "open-clip", DINO: "dinov2"}
REVISION = "1"


def main() -> None:
    """Measure the bundled encoders and write what they are."""
    from services.encoders.install import files_of, measured
    from services.encoders.known import Licence
    from services.encoders.manifest import Manifest, Origin, write

    licence = Licence("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0", "phantoms only")
    for name, family in FAMILIES.items():
        home = CHECKPOINTS / name
        draft = Manifest(name, family, Origin("", REVISION), licence, files_of(home))
        manifest, checks = measured(draft, home)
        if bad := [check for check in checks if not check.ok]:
            raise SystemExit(f"{name}: {bad}")
        write(home, manifest)


if __name__ == "__main__":
    main()
