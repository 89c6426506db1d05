"""A decode child whose decoder does the worst that decoders do, by the first bytes of the file. Run by a DecodePool."""

from __future__ import annotations

import ctypes
import time

from services.ingest.decode import Decoded, decode
from services.ingest.decode_child import main


def hostile(data: bytes, layout: str) -> Decoded:
    """SEGV, HANG, SPIN, HOG and EXIT misbehave; everything else is decoded."""
    match data[:4]:
        case b"SEGV":
            ctypes.string_at(0)
        case b"HANG":
            time.sleep(3600)
        case b"SPIN":
            while True:
                pass
        case b"HOG!":
            hoard = []
            while True:
                hoard.append(bytearray(64 * 2**20))
        case b"EXIT":
            raise SystemExit(3)
    return decode(data, layout)


if __name__ == "__main__":
    main(hostile)
