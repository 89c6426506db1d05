"""Errors of the engine and how they leave it: a gRPC code and a message that echoes no stored value."""

from __future__ import annotations

import functools
import logging
import re
import time
from collections.abc import Callable
from typing import Any

import grpc

from .files import DiskFullError

log = logging.getLogger("hilum.engine")

# What Edge says is passed on only where the whole message is known to name fields, vectors or sizes and no payload.
_SAFE_EDGE_MESSAGES = re.compile(
    r"^(No (range|appropriate) index for |Not existing vector name|Vector dimension error|invalid JSON path "
    r"|Expected .* vector|Invalid (query|fusion)|failed to parse date-time)"
)


class EngineError(Exception):
    """A refusal with the gRPC status that Qdrant's server would give."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> EngineError:
    """The request itself is wrong."""
    return EngineError(grpc.StatusCode.INVALID_ARGUMENT, f"Wrong input: {message}")


def not_found(message: str) -> EngineError:
    """The collection, alias, point or snapshot does not exist."""
    return EngineError(grpc.StatusCode.NOT_FOUND, f"Not found: {message}")


def unsupported(field: str) -> EngineError:
    """A server could do this, the embedded engine does not; `field` names what to leave out."""
    return EngineError(
        grpc.StatusCode.UNIMPLEMENTED,
        f"the embedded engine does not support `{field}`: leave it out, or use a Qdrant server",
    )


def refuse_fields(message: Any, *names: str) -> None:
    """Raise UNIMPLEMENTED if any of the named fields of a proto message is set."""
    for field, _ in message.ListFields():
        if field.name in names:
            raise unsupported(f"{message.DESCRIPTOR.name}.{field.name}")


def from_edge(error: Exception) -> EngineError:
    """Translate an exception of Edge. Unknown texts are withheld: they may quote a payload."""
    text = str(error)
    if _SAFE_EDGE_MESSAGES.match(text):
        return invalid(text.splitlines()[0][:300])
    if isinstance(error, (ValueError, TypeError)):
        return invalid("the request holds a value of a kind the engine cannot take")
    return EngineError(grpc.StatusCode.INTERNAL, f"the engine could not run the request ({type(error).__name__})")


def rpc(method: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """Wrap a servicer method: fill in `time`, turn errors into statuses, let no other text out."""

    @functools.wraps(method)
    def call(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        started = time.perf_counter()
        try:
            response = method(self, request, context)
        except EngineError as error:
            context.abort(error.code, error.message)
        except DiskFullError as error:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        except Exception as error:
            known = from_edge(error)
            if known.code is grpc.StatusCode.INTERNAL:
                log.error("%s failed: %s", method.__name__, _where(error))
            context.abort(known.code, known.message)
        if "time" in response.DESCRIPTOR.fields_by_name:
            response.time = time.perf_counter() - started
        return response

    return call


def _where(error: Exception) -> str:
    """Type and code place of an error, without its text (which may quote a payload)."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}" if trace else "?"
    return f"{type(error).__name__} at {place}"
