"""OpenAPI from the contract's own descriptors, and a page that reads it without any network."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

from fastapi.responses import HTMLResponse
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from services.transport.edge import Api, Route

_SCALARS: dict[int, dict[str, Any]] = {
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_INT64: {"type": "string", "format": "int64"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "format": "byte"},
}


def document(apis: Sequence[Api], version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of everything that `apis` route."""
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for api in apis:
        for route in api.routes:
            method = api.service.methods_by_name[route.rpc]
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, method, schemas)
    info = {"title": "Hilum", "version": version, "description": "Chest X-ray embeddings. Research use only."}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def page(apis: Sequence[Api]) -> HTMLResponse:
    """The list of addresses with their messages, for people."""
    rows = []
    for api in apis:
        for route in api.routes:
            method = api.service.methods_by_name[route.rpc]
            asked = ", ".join(field.name for field in method.input_type.fields)
            cells = (route.method, route.path, method.full_name.removeprefix("hilum.v1."), asked)
            rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    return HTMLResponse(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Hilum API</title>"
        "<style>body{font:15px system-ui;margin:2rem;background:#111;color:#ddd}td{padding:.3rem .8rem;"
        "border-top:1px solid #333;vertical-align:top}td:nth-child(2){font-family:monospace}a{color:#8cf}</style>"
        "<h1>Hilum API</h1><p>HTTP mirrors gRPC; fields as in <code>proto/hilum/v1</code>. "
        "<a href=/openapi.json>openapi.json</a>. Errors: <code>{error: {code, message, request_id}}</code>.</p>"
        f"<table><tr><th>method<th>path<th>rpc<th>fields</tr>{''.join(rows)}</table>"
    )


def _operation(route: Route, method: MethodDescriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    in_path = re.findall(r"{(\w+)}", route.path)
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in in_path]
    operation: dict[str, Any] = {"operationId": method.full_name, "parameters": parameters}
    if route.method == "GET":
        parameters += [
            {"name": field.name, "in": "query", "schema": _field(field, schemas)}
            for field in method.input_type.fields
            if field.name not in in_path
        ]
    elif method.input_type.fields:
        body = {"application/json": {"schema": _reference(method.input_type, schemas)}}
        operation["requestBody"] = {"content": body}
    kind = "text/event-stream" if method.server_streaming else "application/json"
    content = (
        {"*/*": {"schema": {"type": "string", "format": "binary"}}}
        if method.output_type.name == "Blob"
        else {kind: {"schema": _reference(method.output_type, schemas)}}
    )
    operation["responses"] = {"200": {"description": "OK", "content": content}}
    return operation


def _reference(message: Descriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    if message.full_name.startswith("google.protobuf."):
        return {"type": "object"}
    if message.name not in schemas:
        schemas[message.name] = {}  # before its fields: messages may nest
        schemas[message.name] = {
            "type": "object",
            "properties": {field.name: _field(field, schemas) for field in message.fields},
        }
    return {"$ref": f"#/components/schemas/{message.name}"}


def _field(field: FieldDescriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    message = field.message_type
    if message is not None and message.GetOptions().map_entry:
        return {"type": "object", "additionalProperties": _field(message.fields_by_name["value"], schemas)}
    if field.enum_type is not None:
        one: dict[str, Any] = {"type": "string", "enum": [value.name for value in field.enum_type.values]}
    else:
        one = _reference(message, schemas) if message is not None else _SCALARS[field.type]
    return {"type": "array", "items": one} if field.is_repeated else one
