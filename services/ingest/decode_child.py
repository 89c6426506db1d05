"""The decode child: a process that may crash, hang or run out of memory without harm to anybody.

    python -m services.ingest.decode_child FD MEMORY_BYTES CPU_SECONDS

It reads films from the socket FD and answers on it; it opens no file, writes none, prints nothing, and never imports
torch. One message in: the layout, then the file. One answer out: a JSON header, then the pictures.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing.connection import Connection

import numpy as np

from services.ingest.decode import Decoded, decode
from services.ingest.reasons import BadFilm, Reason

Decoder = Callable[[bytes, str], Decoded]


def main(decoder: Decoder = decode) -> None:
    """Serve until the parent closes its end."""
    fd, memory, cpu = (int(argument) for argument in sys.argv[1:4])
    warnings.simplefilter("ignore")  # pydicom's warnings repeat values of the header
    logging.disable(logging.CRITICAL)
    _confine(memory)
    connection = Connection(fd)
    connection.send_bytes(b"ready")
    while True:
        try:
            layout = connection.recv_bytes().decode()
            data = connection.recv_bytes()
        except (EOFError, ConnectionError):
            return
        # The CPU limit counts from the process' start, so it moves along: so many seconds for each film.
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + 1 + cpu, resource.RLIM_INFINITY))
        _answer(connection, decoder, data, layout)


def _answer(connection: Connection, decoder: Decoder, data: bytes, layout: str) -> None:
    try:
        decoded = decoder(data, layout)
    except BadFilm as error:
        connection.send_bytes(json.dumps({"reason": error.reason.value}).encode())
        return
    except MemoryError:
        connection.send_bytes(json.dumps({"reason": Reason.OUT_OF_MEMORY.value}).encode())
        return
    film = decoded.film
    is_8_bit = film.full.shape == film.display.shape and bool((film.full == film.display * np.uint16(257)).all())
    header = {
        "shape": film.display.shape, "is_8_bit": is_8_bit, "stated": asdict(decoded.stated),
        "sop_uid": decoded.sop_uid, "pixel_sha256": decoded.pixel_sha256, "phash": decoded.phash,
    }  # fmt: skip
    connection.send_bytes(json.dumps(header).encode())
    connection.send_bytes(decoded.thumbnail)
    connection.send_bytes(np.ascontiguousarray(film.display).data.cast("B"))
    if not is_8_bit:
        connection.send_bytes(np.ascontiguousarray(film.full).data.cast("B"))


def _confine(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold a film and its header
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


if __name__ == "__main__":
    main()
