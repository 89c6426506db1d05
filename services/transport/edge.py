"""What an edge is: an api object whose methods take and return messages of the contract.

    class QueryApi:
        service = query_pb2.DESCRIPTOR.services_by_name["QueryService"]
        routes = (Route("POST", "/v1/search", "Search"),)

        def search(self, request: SearchRequest, call: Call) -> SearchResponse: ...

`grpc_edge` and `http_edge` serve such objects; neither knows what they do, so both transports behave alike.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from services.core.access import ALL, Access
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.logs import get_logger
from services.transport import errors, metrics

log = get_logger("transport")

OPERATOR_HEADER = "x-hilum-operator"
REQUEST_HEADER = "x-request-id"


@dataclass(frozen=True, slots=True)
class Route:
    """An HTTP way to an rpc. `{name}` in `path` fills the message's field of that name."""

    method: str
    path: str
    rpc: str


class Api(Protocol):
    """One service of the contract."""

    service: ServiceDescriptor
    routes: tuple[Route, ...]


@dataclass(slots=True)
class Call:
    """What a handler may know of the call besides its message."""

    request_id: str
    operator: bool = False  # holds this installation's own token: somebody at this machine with its user's rights
    deadline: float | None = None  # monotonic seconds
    is_cancelled: Callable[[], bool] = field(default=lambda: False)
    access: Access = ALL  # whose films the caller may see

    def time_left(self, default: float = 30.0) -> float:
        """Seconds until the client stops waiting."""
        return default if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def cancelled(self) -> bool:
        return self.is_cancelled()


def request_class(method: MethodDescriptor) -> type[Message]:
    return message_factory.GetMessageClass(method.input_type)


def response_class(method: MethodDescriptor) -> type[Message]:
    return message_factory.GetMessageClass(method.output_type)


def handler(api: Api, rpc: str) -> Callable[[Message, Call], Any]:
    """The api's method for an rpc: ``ListModels`` → ``list_models``."""
    found: Callable[[Message, Call], Any] = getattr(api, re.sub(r"(?<!^)(?=[A-Z])", "_", rpc).lower())
    return found


def request_id(given: str | None) -> str:
    """The client's request id when it is fit to be logged, else a new one."""
    return given if given and re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given) else uuid.uuid4().hex


def invoke(api: Api, rpc: str, message: Message, call: Call, transport: str) -> Any:
    """Run a handler. Whatever goes wrong leaves as a HilumError with a client-safe message."""
    started = time.perf_counter()
    code = "OK"
    try:
        return handler(api, rpc)(message, call)
    except HilumError as error:
        code = error.code.value
        raise
    except RecursionError:
        code = ErrorCode.INVALID_ARGUMENT.value
        raise invalid("the request is nested too deeply") from None
    except Exception as error:
        code = ErrorCode.INTERNAL.value
        log.exception("request.failed", error, rpc=rpc, request_id=call.request_id)
        raise errors.unexpected() from error
    finally:
        metrics.observe(transport, rpc, code, time.perf_counter() - started)
