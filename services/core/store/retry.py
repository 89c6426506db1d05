"""Turn the engine's answers into Hilum's errors, and wait out an engine that is coming back."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from qdrant_client.common.client_exceptions import ResourceExhaustedResponse

from services.core.errors import ErrorCode, HilumError
from services.core.logs import get_logger

T = TypeVar("T")
log = get_logger("store")

READ_PATIENCE = 2.0  # seconds a question waits for an engine that restarts; then its user is told
WRITE_PATIENCE = 60.0  # seconds an ingest waits: nothing is lost, it only pauses

_BY_STATUS = {
    "UNAVAILABLE": (ErrorCode.UNAVAILABLE, "the vector engine does not answer; it starts again by itself, retry soon"),
    "DEADLINE_EXCEEDED": (ErrorCode.DEADLINE_EXCEEDED, "the vector engine took too long; narrow the request or retry"),
    "RESOURCE_EXHAUSTED": (ErrorCode.RESOURCE_EXHAUSTED, "the vector engine is busy or out of room; try again later"),
    "NOT_FOUND": (ErrorCode.NOT_FOUND, "the vector engine has no such collection or point; ingest films first"),
    "UNIMPLEMENTED": (ErrorCode.UNIMPLEMENTED, "this vector engine cannot do that"),
    "INVALID_ARGUMENT": (ErrorCode.INVALID_ARGUMENT, "the vector engine refused the request as malformed"),
    "UNAUTHENTICATED": (ErrorCode.FAILED_PRECONDITION, "the vector engine refused our key; set HILUM_ENGINE_API_KEY"),
    "PERMISSION_DENIED": (ErrorCode.FAILED_PRECONDITION, "the vector engine refused our key; set HILUM_ENGINE_API_KEY"),
}  # fmt: skip


def answered(call: Callable[[], T], patience: float) -> T:
    """Run `call`, trying again with jittered back-off while the engine is unavailable, for `patience` seconds at most.

    A caller with a write's patience also tries again when the engine was too slow: every write here is idempotent.

    Raises HilumError with a client-safe message whatever the engine said.
    """
    deadline = time.monotonic() + patience
    pause = 0.05
    while True:
        try:
            return call()
        except Exception as error:
            status = _status(error)
            if status is None:
                raise
            again = ("UNAVAILABLE", "DEADLINE_EXCEEDED") if patience >= WRITE_PATIENCE else ("UNAVAILABLE",)
            if status not in again or time.monotonic() + pause > deadline:
                code, message = _BY_STATUS.get(status, (ErrorCode.INTERNAL, "the vector engine failed"))
                if "free some space" in str(error):  # as `services.engine.files` says it
                    message = "the disk of the vector engine is nearly full; free some space and try again"
                raise HilumError(code, message) from error
            log.warning("engine.unavailable", elapsed_ms=int(pause * 1000))
        time.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(pause * 2, 1.0)


def _status(error: Exception) -> str | None:
    """The gRPC status name of an error of the Qdrant client, or None for an error of ours."""
    code = getattr(error, "code", None)
    if callable(code):
        return str(code().name)
    if isinstance(error, ResourceExhaustedResponse):  # the client's own error when a server names a time to wait
        return "RESOURCE_EXHAUSTED"
    return None
