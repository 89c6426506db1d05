"""One table of errors for both transports, and the way back from a gRPC error."""

from __future__ import annotations

import grpc

from hilum.v1 import common_pb2
from services.core.errors import ErrorCode, HilumError

# code → (gRPC status, HTTP status)
TABLE: dict[ErrorCode, tuple[grpc.StatusCode, int]] = {
    ErrorCode.INVALID_ARGUMENT: (grpc.StatusCode.INVALID_ARGUMENT, 400),
    ErrorCode.INVALID_FILTER: (grpc.StatusCode.INVALID_ARGUMENT, 400),
    ErrorCode.UNREADABLE_IMAGE: (grpc.StatusCode.INVALID_ARGUMENT, 422),
    ErrorCode.NOT_FOUND: (grpc.StatusCode.NOT_FOUND, 404),
    ErrorCode.UNKNOWN_MODEL: (grpc.StatusCode.NOT_FOUND, 404),
    ErrorCode.ALREADY_EXISTS: (grpc.StatusCode.ALREADY_EXISTS, 409),
    ErrorCode.FAILED_PRECONDITION: (grpc.StatusCode.FAILED_PRECONDITION, 409),
    ErrorCode.PAYLOAD_TOO_LARGE: (grpc.StatusCode.RESOURCE_EXHAUSTED, 413),
    ErrorCode.RESOURCE_EXHAUSTED: (grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
    ErrorCode.UNAUTHENTICATED: (grpc.StatusCode.UNAUTHENTICATED, 401),
    ErrorCode.PERMISSION_DENIED: (grpc.StatusCode.PERMISSION_DENIED, 403),
    ErrorCode.UNAVAILABLE: (grpc.StatusCode.UNAVAILABLE, 503),
    ErrorCode.DEADLINE_EXCEEDED: (grpc.StatusCode.DEADLINE_EXCEEDED, 504),
    ErrorCode.CANCELLED: (grpc.StatusCode.CANCELLED, 499),
    ErrorCode.UNIMPLEMENTED: (grpc.StatusCode.UNIMPLEMENTED, 501),
    ErrorCode.INTERNAL: (grpc.StatusCode.INTERNAL, 500),
}

ERROR_METADATA = "hilum-error-bin"  # trailing metadata that carries hilum.v1.Error


def message(error: HilumError, request_id: str = "") -> common_pb2.Error:
    """The error as the contract states it."""
    code = common_pb2.ErrorCode.Value(error.code.value)
    return common_pb2.Error(code=code, message=error.client_message, request_id=request_id)


def unexpected() -> HilumError:
    """What a client hears of a fault of ours: nothing of its text."""
    return HilumError(ErrorCode.INTERNAL, "something failed on our side; quote the request id to the operator")


def from_rpc(error: grpc.RpcError) -> HilumError:
    """The HilumError behind a failed call to another Hilum service."""
    for key, value in error.trailing_metadata() or ():
        if key == ERROR_METADATA:
            sent = common_pb2.Error.FromString(value)
            return HilumError(ErrorCode(common_pb2.ErrorCode.Name(sent.code)), sent.message)
    for code, (status, _) in TABLE.items():
        if status is error.code():
            return HilumError(code, f"a Hilum service answered {status.name}; is it running and reachable?")
    return unexpected()
