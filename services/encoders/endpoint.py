"""Encoders that run on another machine: one HTTPS client for all of them, and what they share as encoders.

Sending films away is the operator's decision, taken in the encoder's options; nothing here is reachable without them.
No redirect is followed, no key is stored, every answer is bounded and checked.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from services.core.errors import ErrorCode, HilumError, invalid
from services.encoders.checkpoint import broken
from services.encoders.network import Checkpoint

MAX_ANSWER = 64 * 2**20
_PASSING = {408, 429, 500, 502, 503, 504}  # worth asking again; other refusals stay what they are
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 20.0


class RefusedError(Exception):
    """The endpoint takes other questions, but not this one: whoever asks may find out by halves which part it is."""


class Endpoint:
    """Where an encoder runs, and how to ask it. Options, from the encoder's manifest:

    url: https only, http to this very machine.  sends_images: must be true.  version: of the deployed model.
    key_env or key_file: what holds the bearer key, read at every question.  timeout: seconds for one question with all
    its repetitions (default 60).  Raises INVALID_ARGUMENT or FAILED_PRECONDITION.
    """

    def __init__(self, at: Checkpoint, headers: Mapping[str, str] | None = None) -> None:
        self._name, self._headers = at.name, dict(headers or {})
        if at.options.get("sends_images") is not True:
            raise broken(
                "this encoder sends the pixels of every film to another machine, and with them what may be protected "
                "health information; say sends_images: true in its options if you are allowed to"
            )
        self._url, local = _checked(str(at.options.get("url", "")))
        self._version = str(at.options.get("version", ""))
        if not self._version:
            raise invalid("say which version of the model is deployed: the option version")
        self._timeout = _seconds(at.options.get("timeout", 60))
        self._key_env, self._key_file = (str(at.options.get(name, "")) for name in ("key_env", "key_file"))
        self._key()
        # A proxy of the environment is for the world outside.
        self._client = httpx.Client(follow_redirects=False, trust_env=not local)

    @property
    def identity(self) -> str:
        """sha256 of what identifies the deployment, hex: host, path, the headers that choose it, and its version.

        It stands where the digest of weights stands for encoders that run here: a model redeployed under the same
        version cannot be told from the one before.
        """
        parts = urlsplit(self._url)
        told = {"host": parts.netloc.lower(), "path": parts.path, "version": self._version, **self._headers}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def ask(self, question: Mapping[str, Any]) -> Any:
        """The JSON answer. Raises `RefusedError`, UNAVAILABLE when repeating did not help, FAILED_PRECONDITION."""
        body, deadline, pause = json.dumps(question).encode(), time.monotonic() + self._timeout, _FIRST_PAUSE
        while True:
            wait = pause * random.uniform(0.5, 1.0)
            try:
                status, after, answer = self._post(body, deadline)
                if status not in _PASSING:
                    return self._read(status, answer)
                wait = max(wait, after)
            except httpx.HTTPError:
                pass
            if time.monotonic() + wait >= deadline:
                raise HilumError(
                    ErrorCode.UNAVAILABLE, f"the endpoint of {self._name} does not answer; see whether it runs"
                )
            time.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _post(self, body: bytes, deadline: float) -> tuple[int, float, bytes]:
        """Status, seconds that the endpoint asks to be left alone, and body."""
        headers = {
            "content-type": "application/json", "accept-encoding": "identity", "authorization": f"Bearer {self._key()}",
            **self._headers,
        }  # fmt: skip
        left = max(deadline - time.monotonic(), 0.01)
        with self._client.stream("POST", self._url, content=body, headers=headers, timeout=left) as answer:
            found = bytearray()
            for chunk in answer.iter_raw():
                found += chunk
                if len(found) > MAX_ANSWER:
                    raise nonsense(self._name)
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer drips")
            return answer.status_code, _number(answer.headers.get("retry-after", "")), bytes(found)

    def _read(self, status: int, answer: bytes) -> Any:
        if status == 200:
            try:
                return json.loads(answer)
            except ValueError:
                raise nonsense(self._name) from None
        if status in (401, 403):
            raise broken(f"the endpoint of {self._name} refuses the key; renew it where its option says")
        if status == 404 or 300 <= status < 400:
            raise broken(f"the endpoint of {self._name} is not at its url; no redirect is followed, say where it leads")
        raise RefusedError(f"status {status}")

    def _key(self) -> str:
        if bool(self._key_env) == bool(self._key_file):
            raise invalid("say where the endpoint's key is: the option key_env, or key_file")
        try:
            key = Path(self._key_file).read_text("ascii") if self._key_file else os.environ.get(self._key_env, "")
        except (OSError, UnicodeDecodeError):
            key = ""
        key = key.strip()
        if not key or not (key.isascii() and key.isprintable()):
            where = "key_file names a file" if self._key_file else "key_env names an environment variable"
            raise broken(f"the option {where} that holds no key for the endpoint of {self._name}; put it there")
        return key


def nonsense(name: str) -> HilumError:
    """An answer that is none of the schema's. FAILED_PRECONDITION: asking again would not mend it."""
    return broken(f"the endpoint of {name} answers otherwise than its schema says; is it another model or version?")


def _checked(url: str) -> tuple[str, bool]:
    """The address, and whether it is this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port  # a port that is no number raises here
    except ValueError:
        raise invalid("the option url is no address; for example https://host/score") from None
    local = _loopback(host)
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise invalid("the option url begins with https: films must not travel in the clear")
    if not host or parts.username or parts.password or parts.query or parts.fragment:
        raise invalid("the option url is a host and a path alone: no user, no key, no query")
    return url, local


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 600:
        raise invalid("the option timeout is a number of seconds between 1 and 600")
    return float(value)


def _number(text: str) -> float:
    return min(float(text), _LONGEST_PAUSE) if text.isdigit() else 0.0
