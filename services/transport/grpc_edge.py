"""Api objects as a gRPC server, with reflection and health."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.core.access import ALL, Access
from services.core.errors import HilumError
from services.core.limits import MAX_MESSAGE_BYTES
from services.core.security import same_token
from services.transport import errors
from services.transport.bind import loopback
from services.transport.edge import OPERATOR_HEADER, REQUEST_HEADER, Api, Call, invoke, request_class, request_id

_THREADS = 48
_CONCURRENT = 200  # beyond it a call is refused with RESOURCE_EXHAUSTED, so that memory stays bounded


class GrpcServer:
    """A running server; `port` is the one it listens on."""

    def __init__(self, server: grpc.Server, port: int, probe: health.HealthServicer, names: Sequence[str]) -> None:
        self._server, self.port, self._probe, self._names = server, port, probe, names

    def stop(self, grace: float = 10.0) -> None:
        """Say NOT_SERVING, let calls in flight end, then close."""
        self._probe.enter_graceful_shutdown()
        self._server.stop(grace).wait()


def serve(apis: Sequence[Api], bind: str, operator_token: str = "", access: Access = ALL) -> GrpcServer:
    """Serve `apis` on `bind` (port 0 picks a free one); `access` is what every caller may see at most.

    Raises FAILED_PRECONDITION when it may not or cannot listen.
    """
    host, port = loopback(bind)
    server = grpc.server(
        futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="grpc"),
        maximum_concurrent_rpcs=_CONCURRENT,
        options=[
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),
        ],
    )
    names = [api.service.full_name for api in apis]
    for api in apis:
        handlers = {method.name: _rpc(api, method, operator_token, access) for method in api.service.methods}
        generic = grpc.method_handlers_generic_handler(api.service.full_name, handlers)
        server.add_generic_rpc_handlers((generic,))
    probe = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(probe, server)
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    try:
        bound = server.add_insecure_port(f"{host}:{port}" if ":" not in host else f"[{host}]:{port}")
    except RuntimeError:
        raise _taken(bind) from None
    if bound == 0:
        raise _taken(bind)
    server.start()
    for name in ["", *names]:
        probe.set(name, health_pb2.HealthCheckResponse.SERVING)
    return GrpcServer(server, bound, probe, names)


def _taken(bind: str) -> HilumError:
    from services.core.errors import ErrorCode

    return HilumError(ErrorCode.FAILED_PRECONDITION, f"cannot listen on {bind}: is another server there? choose --grpc")


def _rpc(api: Api, method: MethodDescriptor, token: str, access: Access) -> grpc.RpcMethodHandler:
    def unary(message: Message, context: grpc.ServicerContext) -> Message:
        call = _call(context, token, access)
        with _Aborting(context, call):
            answer: Message = invoke(api, method.name, message, call, "grpc")
            return answer
        raise AssertionError("abort always raises")

    def stream(message: Message, context: grpc.ServicerContext) -> Iterator[Message]:
        call = _call(context, token, access)
        with _Aborting(context, call):
            yield from invoke(api, method.name, message, call, "grpc")

    maker: Callable[..., grpc.RpcMethodHandler] = (
        grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
    )
    return maker(
        stream if method.server_streaming else unary,
        request_deserializer=request_class(method).FromString,
        response_serializer=lambda answer: answer.SerializeToString(),
    )


def _call(context: grpc.ServicerContext, token: str, access: Access) -> Call:
    metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    left = context.time_remaining()
    call = Call(
        request_id=request_id(metadata.get(REQUEST_HEADER)),
        operator=same_token(metadata.get(OPERATOR_HEADER), token),
        deadline=None if left is None else time.monotonic() + left,
        is_cancelled=lambda: not context.is_active(),
        access=access,
    )
    context.send_initial_metadata(((REQUEST_HEADER, call.request_id),))
    return call


class _Aborting:
    """Ends a call with the status and the detail of a HilumError."""

    def __init__(self, context: grpc.ServicerContext, call: Call) -> None:
        self._context, self._call = context, call

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> bool:
        if isinstance(error, HilumError):
            detail = errors.message(error, self._call.request_id).SerializeToString()
            self._context.set_trailing_metadata(((errors.ERROR_METADATA, detail),))
            self._context.abort(errors.TABLE[error.code][0], error.client_message)
        return False
