"""The same api objects over HTTP: proto JSON with the contract's own field names."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as ASGIMessage

from hilum.v1 import common_pb2
from services.core.access import ALL, Access
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.limits import MAX_HTTP_BODY_BYTES
from services.core.security import same_token
from services.transport import errors, metrics, openapi
from services.transport.edge import (
    OPERATOR_HEADER,
    REQUEST_HEADER,
    Api,
    Call,
    Route,
    invoke,
    log,
    request_class,
    request_id,
)

_MOST_NOTES = 2_000  # characters in a header
_HEADERS = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-store"}


def build(
    apis: Sequence[Api],
    routers: Sequence[APIRouter] = (),
    ready: Callable[[], dict[str, bool]] = dict,
    operator_token: str = "",
    version: str = "0",
    access: Access = ALL,
) -> FastAPI:
    """An application that serves `apis` by their routes, `routers` (pages, atlases), health and metrics.

    `ready` names what must answer before this server is of use, and whether it does.  access: what every caller
    may see at most.
    """
    app = FastAPI(title="Hilum", version=version, docs_url=None, redoc_url=None, openapi_url=None)
    # A page elsewhere that resolves its own name to this machine must not be able to read the archive.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]", "testserver"])
    _answer_errors(app)

    for api in apis:
        for route in sorted(api.routes, key=lambda route: "}:" not in route.path):  # {id}:verb before {id}
            app.add_api_route(
                route.path,
                _endpoint(api, route, operator_token, access),
                methods=[route.method],
                include_in_schema=False,
            )
    for router in routers:
        app.include_router(router)
    document = openapi.document(apis, version)
    app.add_api_route("/openapi.json", lambda: JSONResponse(document), include_in_schema=False)
    app.add_api_route("/docs", lambda: openapi.page(apis), include_in_schema=False)
    app.add_api_route("/healthz", lambda: JSONResponse({"status": "ok"}), include_in_schema=False)

    def readyz() -> Response:
        parts = ready()
        return JSONResponse({"ready": all(parts.values()), "parts": parts}, 200 if all(parts.values()) else 503)

    def exposition() -> Response:
        body, kind = metrics.page()
        return Response(body, media_type=kind)

    app.add_api_route("/readyz", readyz, include_in_schema=False)
    app.add_api_route("/metrics", exposition, include_in_schema=False)
    return app


def _endpoint(api: Api, route: Route, token: str, access: Access) -> Callable[[Request], Awaitable[Response]]:
    method = api.service.methods_by_name[route.rpc]

    async def endpoint(request: Request) -> Response:
        call = Call(
            request_id=request.state.request_id,
            operator=same_token(request.headers.get(OPERATOR_HEADER), token),
            deadline=time.monotonic() + 60.0,
            access=access,
        )
        body = await _body(request)

        def work() -> Response:
            """Off the loop, JSON too: a film takes long to read, a thousand hits long to tell."""
            answer = invoke(api, route.rpc, _message(method, request, body), call, "http")
            if method.server_streaming:
                return StreamingResponse(_events(answer, call), media_type="text/event-stream")
            if isinstance(answer, common_pb2.Blob):
                return Response(answer.data, media_type=answer.content_type, headers=_file(answer))
            return Response(to_json(answer), media_type="application/json")

        return await run_in_threadpool(work)

    return endpoint


def _file(blob: common_pb2.Blob) -> dict[str, str]:
    """Pictures are named by what they show, and never change under one id. A file to keep is no page of ours, whatever
    is in it: it is saved, and runs nothing where somebody opens it here."""
    if not blob.filename:
        return {"cache-control": "private, max-age=86400"}
    return {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(blob.filename, safe='')}",
        "content-security-policy": "sandbox; default-src 'none'",
        "x-hilum-notes": quote(" ".join(blob.notes)[:_MOST_NOTES], safe=" "),
    }


def to_json(message: Message) -> str:
    """Proto JSON with the contract's field names, defaults included."""
    return json.dumps(
        json_format.MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True),
        ensure_ascii=False,
    )


def _message(method: MethodDescriptor, request: Request, body: bytes) -> Message:
    message = request_class(method)()
    if body:
        if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
            raise invalid("send JSON with the header content-type: application/json")
        try:
            json_format.Parse(body, message, max_recursion_depth=64)
        except (json_format.ParseError, UnicodeDecodeError, RecursionError):
            raise invalid(f"the body is not a JSON {method.input_type.name}; see /docs for its fields") from None
    fields = method.input_type.fields_by_name
    given: dict[str, Any] = {}
    for name in request.query_params:
        if name not in fields:
            raise invalid(f"no such parameter; there are: {', '.join(fields)}")
        values = request.query_params.getlist(name)
        given[name] = values if fields[name].is_repeated else _scalar(fields[name], values[-1])
    given.update(request.path_params)
    try:
        json_format.ParseDict(given, message)
    except json_format.ParseError:
        raise invalid(f"a parameter has the wrong type; see /docs for those of {method.input_type.name}") from None
    return message


def _scalar(field: FieldDescriptor, text: str) -> Any:
    return text.lower() in ("1", "true", "yes") if field.type == FieldDescriptor.TYPE_BOOL else text


async def _body(request: Request) -> bytes:
    """The body, refused while it streams in once it is larger than a film may be, whatever its header claims."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_HTTP_BODY_BYTES:
            raise HilumError(
                ErrorCode.PAYLOAD_TOO_LARGE, f"a request may hold at most {MAX_HTTP_BODY_BYTES // 2**20} MiB"
            )
        chunks.append(chunk)
    return b"".join(chunks)


def _events(messages: Iterator[Message], call: Call) -> Iterator[str]:
    try:
        for message in messages:
            yield f"data: {to_json(message)}\n\n"
    except HilumError as error:
        yield f"event: error\ndata: {to_json(errors.message(error, call.request_id))}\n\n"


class _Outermost:
    """Every request gets an id, and every answer it and our headers, also where something unforeseen failed."""

    def __init__(self, app: ASGIApp, answer: Callable[[HilumError, Request], Response]) -> None:
        self._app, self._answer = app, answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        known = request.state.request_id = request_id(request.headers.get(REQUEST_HEADER))
        begun = False

        async def sending(message: ASGIMessage) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in {**_HEADERS, REQUEST_HEADER: known}.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            log.exception("request.failed", error, request_id=known)
            if begun:
                raise
            await self._answer(errors.unexpected(), request)(scope, receive, sending)


def _answer_errors(app: FastAPI) -> None:
    def answer(error: HilumError, request: Request) -> Response:
        wire = errors.message(error, getattr(request.state, "request_id", ""))
        return Response(f'{{"error": {to_json(wire)}}}', errors.TABLE[error.code][1], media_type="application/json")

    app.add_middleware(_Outermost, answer=answer)

    @app.exception_handler(HilumError)
    async def known(request: Request, error: HilumError) -> Response:
        return answer(error, request)

    @app.exception_handler(404)
    async def missing(request: Request, _: Exception) -> Response:
        return answer(HilumError(ErrorCode.NOT_FOUND, "no such address; see /docs"), request)

    @app.exception_handler(405)
    async def not_allowed(request: Request, _: Exception) -> Response:
        return answer(HilumError(ErrorCode.UNIMPLEMENTED, "this address has no such method; see /docs"), request)
