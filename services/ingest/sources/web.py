"""Asking a web server for bytes: bounded in size, in time and in repetitions, at pinned addresses, redirects refused.

httpx rather than a DICOMweb library: those at hand gather an answer whole before anybody has looked at its length,
follow redirects, and resolve a name at every connection.
"""

from __future__ import annotations

import json
import logging
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import certifi
import httpx

from services.core.dicomweb import DicomWebServer
from services.core.errors import ErrorCode, HilumError
from services.ingest.sources.addresses import Resolve, pinned, resolve

FETCHES = 6  # at a time: enough to hide a network's latency, few enough for a hospital's server
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_AWAY = {429, 502, 503, 504}
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 20.0


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to connect, between two bytes, and for one question with all its repetitions; and how often a server that
    is there is asked the same."""

    connect: float = 5.0
    silence: float = 15.0
    question: float = 120.0
    tries: int = 6


class UnansweredError(Exception):
    """The server answers other questions, but not this one. `absent`: it says that it does not have it."""

    def __init__(self, absent: bool = False) -> None:
        super().__init__("unanswered")
        self.absent = absent


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: httpx.Headers
    body: bytes


class Web:
    """Questions to one server. May be asked from several threads. Raises PERMISSION_DENIED for where it may not go."""

    def __init__(
        self, server: DicomWebServer, stopped: Callable[[], bool], patience: Patience | None = None,
        how: Resolve = resolve,
    ) -> None:  # fmt: skip
        # httpx names whole addresses in its log, and with them studies.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._addresses, self._at = pinned(server, how), 0
        self._stopped, self._patience = stopped, patience or Patience()
        self._host, self._probe = server.origin[0], f"{server.url}/studies"
        self._headers = {"accept-encoding": "identity"}
        if server.authorization:
            self._headers["authorization"] = server.authorization
        wait = httpx.Timeout(self._patience.silence, connect=self._patience.connect, pool=None)
        self._client = httpx.Client(
            verify=_trust(server), trust_env=False, follow_redirects=False, timeout=wait,
            limits=httpx.Limits(max_connections=FETCHES),
        )  # fmt: skip
        self._heard = 0.0  # when somebody last got a proper answer

    def close(self) -> None:
        self._client.close()

    def json(self, url: str, most: int, **parameters: str) -> tuple[Any, httpx.Headers]:
        """A JSON answer, None for an empty one, and its headers. Raises as `get`."""
        answer = self.get(url, most, {"accept": "application/dicom+json, application/json"}, parameters)
        if not answer.body:
            return None, answer.headers
        try:
            return json.loads(answer.body), answer.headers
        except (ValueError, RecursionError):
            raise nonsense() from None

    def get(
        self, url: str, most: int, headers: Mapping[str, str], parameters: Mapping[str, str] | None = None,
        good: Callable[[Answer], bool] = lambda _: True,
    ) -> Answer:  # fmt: skip
        """An answer of 2xx and at most `most` bytes; one that is not `good` counts as cut off on its way.

        Raises `UnansweredError`, `TooLongError`; FAILED_PRECONDITION when no repetition would help, UNAVAILABLE when
        the server is gone, CANCELLED when the job is to stop.
        """
        began, pause, probed = time.monotonic(), _FIRST_PAUSE, False
        deadline = began + self._patience.question
        for attempt in count(1):
            try:
                answer = self._once(url, most, headers, parameters, deadline)
                if answer.status not in _PASSING and good(_checked(answer)):
                    return answer
                pause = max(pause, _seconds(answer.headers.get("retry-after", "")))
            except httpx.TransportError:
                self._at += 1  # the name's next address, if it has several
            late = time.monotonic() >= deadline
            if late or attempt >= self._patience.tries:
                if self._heard > began or probed:
                    raise UnansweredError
                probed = self._there()  # if so, it may just have come back: once more
                if late and not probed:
                    raise HilumError(
                        ErrorCode.UNAVAILABLE,
                        "the DICOMweb server does not answer; see whether it runs and whether its certificate is one "
                        "to trust, and submit the job again to go on",
                    )
            self._sleep(pause, deadline)
            pause = min(2 * pause, _LONGEST_PAUSE)
        raise AssertionError

    def _there(self) -> bool:
        """Does the server answer anything at all? Then it is the question that it cannot answer."""
        try:
            answer = self._once(self._probe, 2**20, {}, {"limit": "1"}, time.monotonic() + self._patience.silence)
        except (httpx.TransportError, TooLongError):
            return False
        return answer.status not in _AWAY

    def _once(
        self, url: str, most: int, headers: Mapping[str, str], parameters: Mapping[str, str] | None, deadline: float
    ) -> Answer:
        target, parts = httpx.URL(url), urlsplit(url)
        address = self._addresses[self._at % len(self._addresses)]
        request = self._client.build_request(
            "GET", target.copy_with(host=address), params=parameters or None,
            headers={**self._headers, **headers, "host": parts.netloc}, extensions={"sni_hostname": self._host},
        )  # fmt: skip
        answer = self._client.send(request, stream=True)
        try:
            body = bytearray()
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise nonsense()
            if _length(answer.headers) > most:
                raise TooLongError
            for chunk in answer.iter_raw():
                body += chunk
                if len(body) > most:
                    raise TooLongError
                if self._stopped():
                    raise _cancelled()
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer drips")
        finally:
            answer.close()
        if answer.status_code not in _PASSING:
            self._heard = time.monotonic()
        return Answer(answer.status_code, answer.headers, bytes(body))

    def _sleep(self, pause: float, deadline: float) -> None:
        until = min(time.monotonic() + pause * random.uniform(0.5, 1.0), deadline)
        while (left := until - time.monotonic()) > 0:
            if self._stopped():
                raise _cancelled()
            time.sleep(min(left, 0.1))


class TooLongError(Exception):
    """An answer beyond its bound."""


def nonsense() -> HilumError:
    """What no repetition mends."""
    return HilumError(
        ErrorCode.FAILED_PRECONDITION,
        "what answers there speaks no DICOMweb; check the address: it ends where /studies would follow",
    )


def _checked(answer: Answer) -> Answer:
    status = answer.status
    if 200 <= status < 300:
        return answer
    if status in (401, 403):
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            "the DICOMweb server refuses us; set HILUM_DICOMWEB_NAME_TOKEN, or _USER and _PASSWORD, in the environment",
        )
    if 300 <= status < 400:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            "the DICOMweb server sends us elsewhere; no redirect is followed, give the address it leads to",
        )
    raise UnansweredError(absent=status in (404, 410))


def _trust(server: DicomWebServer) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(server.ca or certifi.where()))
    except (OSError, ssl.SSLError):
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION, "the file of certificates in HILUM_DICOMWEB_NAME_CA cannot be read as PEM"
        ) from None
    context.load_default_certs()
    return context


def _cancelled() -> HilumError:
    return HilumError(ErrorCode.CANCELLED, "the job was stopped")


def _seconds(text: str) -> float:
    return min(float(text), _LONGEST_PAUSE) if text.isdecimal() else 0.0


def _length(headers: httpx.Headers) -> int:
    text = headers.get("content-length", "0")
    return int(text) if text.isdecimal() and len(text) < 19 else 0
