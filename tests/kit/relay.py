"""A TCP relay on loopback that harms connections as it is told: late, reset, cut off, or silent.

It also keeps the request lines that pass, so that tests can count what was asked for.
"""

from __future__ import annotations

import asyncio
import random
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Relay:
    """A relay to `target` on this machine. Faults may be changed while it runs; they count for data from then on.

    resets: the share of answers that come as a reset.  cut: bytes of answers after which a
    connection is closed, for the next `cuts` connections that get so far.  silent: nothing comes back.  latency: in
    seconds, for each piece.  only: a part of the request line; other requests pass unharmed.
    """

    target: int
    port: int = 0
    resets: float = 0.0
    cut: int | None = None
    cuts: int = 1_000_000
    silent: bool = False
    latency: float = 0.0
    only: str = ""
    dice: random.Random = field(default_factory=lambda: random.Random(7))
    _lines: list[str] = field(default_factory=list)

    def heal(self) -> None:
        """No faults any more."""
        self.resets, self.cut, self.cuts, self.silent, self.latency, self.only = 0.0, None, 1_000_000, False, 0.0, ""

    def lines(self) -> list[str]:
        """Request lines since the last call."""
        taken, self._lines = self._lines, []
        return taken

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        last = ["", ""]  # the request at hand, and the one whose answer has begun
        back = asyncio.create_task(self._answers(upstream_reader, writer, last))
        try:
            while data := await reader.read(65536):
                for line in re.findall(rb"^(?:GET|POST) \S+", data, re.MULTILINE):
                    last[0] = line.decode("latin-1")
                    self._lines.append(last[0])
                upstream.write(data)
                await upstream.drain()
        except OSError:
            pass
        finally:
            upstream.close()
            await asyncio.gather(back, return_exceptions=True)
            writer.close()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, last: list[str]) -> None:
        sent = 0
        while data := await reader.read(65536):
            harmed = self.only in last[0]
            if harmed and self.latency:
                await asyncio.sleep(self.latency)
            while harmed and self.silent:
                await asyncio.sleep(0.05)
            if harmed and last[0] is not last[1] and self.dice.random() < self.resets:
                _reset(writer)
                return
            last[1] = last[0]
            if harmed and self.cut is not None and sent + len(data) > self.cut and self.cuts > 0:
                self.cuts -= 1
                writer.write(data[: max(0, self.cut - sent)])
                await writer.drain()
                writer.close()
                return
            sent += len(data)
            writer.write(data)
            await writer.drain()
        writer.close()


@contextmanager
def relay(target: int) -> Iterator[Relay]:
    """Run a relay to port `target`."""
    state = Relay(target)
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(state.serve, "127.0.0.1", 0))
    state.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, name="relay", daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.heal()
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(_end, loop)
        thread.join()
        loop.close()


def _end(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.call_soon(loop.call_soon, loop.stop)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
