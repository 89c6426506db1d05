"""What a call to Hilum can fail with."""

from __future__ import annotations

import grpc

from hilum.v1 import common_pb2

_DETAIL = "hilum-error-bin"


class HilumError(Exception):
    """A failed call. `code` is one of the names of hilum.v1.ErrorCode; the message says what to do."""

    def __init__(self, code: str, message: str, request_id: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.request_id = code, message, request_id

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]"


def from_rpc(error: grpc.RpcError) -> HilumError:
    """The error the service stated, or what the transport says when no service answered."""
    for key, value in error.trailing_metadata() or ():
        if key == _DETAIL:
            sent = common_pb2.Error.FromString(value)
            return HilumError(common_pb2.ErrorCode.Name(sent.code), sent.message, sent.request_id)
    code = error.code().name
    if code == "UNAVAILABLE":
        return HilumError(
            code,
            "Hilum does not answer there; start it with `hilum up`, or set HILUM_URL to the gRPC address it prints",
        )
    if code == "DEADLINE_EXCEEDED":
        return HilumError(code, "no answer in time; ask for less, or give the client a larger timeout")
    if code == "RESOURCE_EXHAUSTED":
        return HilumError(code, "the message is too large for one call, or the server is busy; send less or try again")
    return HilumError(code, error.details() or code)
