"""Endpoints of encoders on loopback, in the schemas of the real ones, with a small network behind, and with faults."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import numpy as np
from PIL import Image

from services.encoders.base import Encoder
from services.encoders.network import TorchEncoder

KEY = "a-key-that-must-stay-secret"
Answer = Callable[[Any], Any]


@dataclass
class Served:
    """A running endpoint.

    faults: what to do with the next requests instead of answering them, one after another: a status, or a function of
    the handler.  seen: the questions, with their headers.  limit: of a request's bytes.
    """

    url: str = ""
    faults: list[int | Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=list)
    seen: list[tuple[dict[str, str], Any]] = field(default_factory=list)
    limit: int = 1_500_000
    keys: set[str] = field(default_factory=lambda: {KEY})


@contextmanager
def served(answer: Answer, path: str = "/score") -> Iterator[Served]:
    """`answer`: a question as JSON → the answer as JSON; ValueError for one that is refused."""
    state = Served()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            state.seen.append((headers, json.loads(body)))
            if state.faults:
                fault = state.faults.pop(0)
                return self.tell(fault, b"{}") if isinstance(fault, int) else fault(self)
            if headers.get("authorization", "").removeprefix("Bearer ") not in state.keys:
                return self.tell(401, b"{}")
            if self.path != path:
                return self.tell(404, b"{}")
            if len(body) > state.limit:
                return self.tell(413, b"{}")
            try:
                return self.tell(200, json.dumps(answer(json.loads(body))).encode())
            except ValueError:
                return self.tell(424, b'{"error": "the model failed"}')

        def tell(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}{path}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


def medimageinsight(encoder: Encoder) -> Answer:
    """An Azure deployment of the tiny MedImageInsight: rows of a picture, a text, or both."""
    assert isinstance(encoder, TorchEncoder)

    def answer(question: Any) -> Any:
        table = question["input_data"]
        if table["columns"] != ["image", "text"] or table["index"] != list(range(len(table["data"]))):
            raise ValueError("not the documented table")
        rows = []
        for image, text in table["data"]:
            row: dict[str, Any] = {}
            if image:
                grey = picture(image).convert("L").resize((96, 96), Image.Resampling.BICUBIC)
                row["image_features"] = encoder.encode_images([np.asarray(grey)]).tolist()
            if text:
                row["text_features"] = encoder.encode_texts([text])[0].tolist()
            rows.append(row)
        return rows

    return answer


def cxr_foundation(question: Any) -> Any:
    """A Vertex deployment with a small network of fixed weights in ELIXR's place: 32 questions to 8 x 8 places."""
    weights = np.random.default_rng(5)
    asked, general = weights.standard_normal((32, 64)), weights.standard_normal((1, 768))
    contrastive, letters = weights.standard_normal((64, 128)), weights.standard_normal((128, 128))
    rows = []
    for instance in question["instances"]:
        if "prompt_query" in instance:
            counts = np.bincount([ord(c) % 128 for c in instance["prompt_query"]], minlength=128)
            rows.append({"contrastive_txt_emb": (counts @ letters).tolist()})
            continue
        try:
            grey = np.asarray(picture(instance["input_bytes"]).convert("L").resize((8, 8)), float).ravel() / 255 - 0.5
        except OSError:
            rows.append({"error": "no picture"})
            continue
        rows.append({
            "general_img_emb": (np.tanh(asked * grey).sum(1, keepdims=True) * general + np.sin(general)).tolist(),
            "contrastive_img_emb": ((asked * grey) @ contrastive).tolist(),
        })  # fmt: skip
    return {"predictions": rows, "deployedModelId": "1"}


def picture(text: str) -> Image.Image:
    """What a base64 field holds."""
    return Image.open(io.BytesIO(base64.b64decode(text, validate=True)))


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Take the question and say nothing."""
    time.sleep(5)


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Promise an answer and send it byte by byte."""
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    for _ in range(50):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)


def cut(handler: BaseHTTPRequestHandler) -> None:
    """Break off in the middle of an answer."""
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b'[{"image_fea')
    handler.close_connection = True


def body(content: bytes, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer with these very bytes."""
    return lambda handler: handler.tell(status, content, **headers)  # type: ignore[attr-defined]
