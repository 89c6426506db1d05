"""The closed list of errors. Both transports map it by one table (`services.transport.errors`)."""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """What went wrong, in words that do not depend on a transport."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    INVALID_FILTER = "INVALID_FILTER"
    UNREADABLE_IMAGE = "UNREADABLE_IMAGE"
    NOT_FOUND = "NOT_FOUND"
    UNKNOWN_MODEL = "UNKNOWN_MODEL"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    UNAVAILABLE = "UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CANCELLED = "CANCELLED"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    INTERNAL = "INTERNAL"


class HilumError(Exception):
    """An error whose message a client may see: it names no path, no identifier and no stored value,
    and says what to do."""

    def __init__(self, code: ErrorCode, client_message: str) -> None:
        super().__init__(client_message)
        self.code = code
        self.client_message = client_message

    def __reduce__(self) -> tuple[type[HilumError], tuple[ErrorCode, str]]:
        """Errors cross from a child process to its parent."""
        return type(self), (self.code, self.client_message)


def invalid(message: str) -> HilumError:
    """Shorthand for the commonest error."""
    return HilumError(ErrorCode.INVALID_ARGUMENT, message)
