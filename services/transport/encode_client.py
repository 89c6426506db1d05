"""How query and analytics reach an encoder: by the Encode RPC, or in the same process by the same messages."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

import grpc
import numpy as np
from numpy.typing import NDArray

from hilum.v1 import common_pb2, encode_pb2, encode_pb2_grpc, saliency_pb2
from services.core.errors import ErrorCode, HilumError
from services.core.limits import MAX_MESSAGE_BYTES
from services.transport import errors
from services.transport.edge import Call
from services.transport.vectors import from_message

Vector = NDArray[np.float32]
Box = tuple[float, float, float, float]
PATIENCE = 120.0  # seconds: an encoder may have to be loaded first


class _Encode(Protocol):
    """What both an api object and a stub can be called as."""

    def __call__(self, rpc: str, request: Any) -> Any: ...


class EncodeClient:
    """Words and films to vectors, ``(D,) float32`` each, or ``(T, D)`` for a film under a model of several tokens."""

    def __init__(self, invoke: _Encode) -> None:
        self._invoke = invoke

    @classmethod
    def remote(cls, target: str, timeout: float = PATIENCE) -> EncodeClient:
        """Ask the Encode RPC at ``host:port``."""
        size = [
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ]
        stub = encode_pb2_grpc.EncodeServiceStub(grpc.insecure_channel(target, options=size))

        def invoke(rpc: str, request: Any) -> Any:
            try:
                return getattr(stub, rpc)(request, timeout=timeout)
            except grpc.RpcError as error:
                raise errors.from_rpc(error) from None

        return cls(invoke)

    @classmethod
    def local(cls, api: Any, timeout: float = PATIENCE) -> EncodeClient:
        """Ask an EncodeApi of this process."""
        methods = {
            "EncodeTexts": "encode_texts",
            "EncodeImages": "encode_images",
            "EncodePrompts": "encode_prompts",
            "Explain": "explain",
            "ReadPictures": "read_pictures",
            "ListModels": "list_models",
        }

        def invoke(rpc: str, request: Any) -> Any:
            call = Call(request_id="local", operator=True, deadline=time.monotonic() + timeout)
            return getattr(api, methods[rpc])(request, call)

        return cls(invoke)

    def models(self) -> list[encode_pb2.Model]:
        """The encoders at hand."""
        return list(self._invoke("ListModels", encode_pb2.ListModelsRequest()).models)

    def encode_texts(self, model: str, texts: Sequence[str], fingerprint: str = "") -> list[Vector | HilumError]:
        """One vector, or the reason there is none, per text.

        fingerprint: the encoder that the vectors will meet; FAILED_PRECONDITION when another one answers to the name.
        """
        answer = self._invoke("EncodeTexts", encode_pb2.EncodeTextsRequest(model=model, texts=texts))
        return _results(answer, fingerprint)

    def encode_images(self, model: str, images: Sequence[bytes], fingerprint: str = "") -> list[Vector | HilumError]:
        """One vector, or the reason there is none, per file; `fingerprint` as for `encode_texts`."""
        answer = self._invoke("EncodeImages", encode_pb2.EncodeImagesRequest(model=model, images=images))
        return _results(answer, fingerprint)

    def encode_regions(
        self, model: str, regions: Sequence[tuple[bytes, Box]], fingerprint: str = ""
    ) -> list[Vector | HilumError]:
        """The same for parts of films: a file and (x, y, width, height), fractions of the film from its top left."""
        crops = [encode_pb2.Crop(x=x, y=y, width=width, height=height) for _, (x, y, width, height) in regions]
        request = encode_pb2.EncodeImagesRequest(model=model, images=[data for data, _ in regions], crops=crops)
        return _results(self._invoke("EncodeImages", request), fingerprint)

    def encode_prompts(
        self, request: encode_pb2.EncodePromptsRequest, fingerprint: str = ""
    ) -> list[Vector | HilumError]:
        """One direction ``(D,)`` to search by, or the reason there is none, per finding, then per prompt.

        As the model's authors ask (encoders/prompts): towards the positive texts, away from the negative ones.
        `fingerprint` as for `encode_texts`.
        """
        return _results(self._invoke("EncodePrompts", request), fingerprint)

    def pictures(self, films: Sequence[bytes]) -> list[bytes | HilumError]:
        """A picture to look at (JPEG), or the reason there is none, per file."""
        answer = self._invoke("ReadPictures", encode_pb2.ReadPicturesRequest(images=films))
        return [_error(one.error) if one.HasField("error") else one.picture for one in answer.results]

    def explain(self, request: encode_pb2.ExplainRequest, fingerprint: str = "") -> saliency_pb2.Explanation:
        """Where in a film a model sees what is asked for; `fingerprint` as for `encode_texts`."""
        answer: saliency_pb2.Explanation = self._invoke("Explain", request)
        _check(answer.provenance.models[0].fingerprint, fingerprint)
        return answer


def _check(found: str, wanted: str) -> None:
    if wanted and found != wanted:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            "this model's weights or preprocessing have changed since the films were stored; ingest them again with "
            "it, then see `hilum models promote`",
        )


def _error(message: common_pb2.Error) -> HilumError:
    return HilumError(ErrorCode(common_pb2.ErrorCode.Name(message.code)), message.message)


def _results(
    answer: encode_pb2.EncodeResponse | encode_pb2.EncodePromptsResponse, fingerprint: str
) -> list[Vector | HilumError]:
    _check(answer.model.fingerprint, fingerprint)
    return [
        _error(result.error) if result.HasField("error") else from_message(result.vector) for result in answer.results
    ]
