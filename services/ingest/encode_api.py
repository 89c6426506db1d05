"""hilum.v1.EncodeService: films and words to vectors, for whoever has no encoder of his own."""

from __future__ import annotations

from collections.abc import Sequence

from hilum.v1 import encode_pb2, saliency_pb2
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, images, models
from services.core.limits import MAX_BATCH, MAX_UPLOAD_BYTES
from services.core.models import ModelSpec
from services.encoders.prompts import Prompt, style_of
from services.encoders.registry import Registry
from services.ingest import zero_shot
from services.ingest.crops import Crop, encode_crops
from services.ingest.decode_pool import DecodePool
from services.ingest.encode_lanes import EncodeLanes, Vector, Vectors, weight
from services.ingest.explain import ASKED_PER_MAP, Explainer
from services.ingest.looks import thumbnail
from services.ingest.reasons import BadFilm
from services.transport import errors
from services.transport.edge import Call, Route
from services.transport.vectors import to_message


class EncodeApi:
    """One answer per input, in order. A bad film or text costs the others nothing."""

    service = encode_pb2.DESCRIPTOR.services_by_name["EncodeService"]
    routes = (
        Route("POST", "/v1/images:encode", "EncodeImages"),
        Route("POST", "/v1/texts:encode", "EncodeTexts"),
        Route("POST", "/v1/prompts:encode", "EncodePrompts"),
        Route("POST", "/v1/images:classify", "Classify"),
        Route("POST", "/v1/images:explain", "Explain"),
        Route("POST", "/v1/images:picture", "ReadPictures"),
        Route("GET", "/v1/models", "ListModels"),
    )

    def __init__(self, facts: Facts, registry: Registry, pool: DecodePool, lanes: EncodeLanes | None = None) -> None:
        self._facts, self._registry = facts, registry
        self._pool, self._lanes = pool, lanes or EncodeLanes(pool)
        self._explain = Explainer(pool, self._lanes)

    def encode_images(self, request: encode_pb2.EncodeImagesRequest, call: Call) -> encode_pb2.EncodeResponse:
        _count(request.images, "images")
        if request.crops and len(request.crops) != len(request.images):
            raise invalid("send one crop per image, or none")
        with (
            self._lanes.admitted(call, len(request.images), weight(request.images)) as caller,
            self._registry.lease(request.model) as encoder,
        ):
            if request.crops:
                crops = [Crop(crop.x, crop.y, crop.width, crop.height) for crop in request.crops]
                found = encode_crops(self._lanes, self._pool, caller, encoder, request.images, crops)
            else:
                found = self._lanes.films(caller, encoder, request.images)
            return _response(encoder.spec, found)

    def encode_texts(self, request: encode_pb2.EncodeTextsRequest, call: Call) -> encode_pb2.EncodeResponse:
        _count(request.texts, "texts")
        with (
            self._lanes.admitted(call, len(request.texts), 4 * sum(map(len, request.texts))) as caller,
            self._registry.lease(request.model) as encoder,
        ):
            return _response(encoder.spec, self._lanes.texts(caller, encoder, request.texts))

    def encode_prompts(self, request: encode_pb2.EncodePromptsRequest, call: Call) -> encode_pb2.EncodePromptsResponse:
        """A direction to search by per finding and prompt."""
        model = zero_shot.model_of(self._registry, request.model)
        prompts = zero_shot.wanted(model, request.findings, request.prompts)
        with (
            self._lanes.admitted(call, *_of_prompts(prompts)) as caller,
            self._registry.lease(model) as encoder,
        ):
            asked = zero_shot.encoded(self._lanes, caller, encoder, prompts)
            results = []
            for prompt, one in zip(prompts, asked, strict=True):
                result = encode_pb2.PromptResult(prompt=zero_shot.message_of(prompt))
                if isinstance(one, HilumError):
                    result.error.CopyFrom(errors.message(one))
                else:
                    result.vector.CopyFrom(to_message(one.direction))
                results.append(result)
            return encode_pb2.EncodePromptsResponse(
                model=_model(encoder.spec, True, 0), results=results, source=style_of(model).source
            )

    def classify(self, request: encode_pb2.ClassifyRequest, call: Call) -> encode_pb2.ClassifyResponse:
        """Every finding of every film, without training."""
        _count(request.images, "images")
        model = zero_shot.model_of(self._registry, request.model)
        prompts = zero_shot.wanted(model, request.findings, request.prompts)
        items, size = _of_prompts(prompts)
        with (
            self._lanes.admitted(call, items + len(request.images), size + weight(request.images)) as caller,
            self._registry.lease(model) as encoder,
        ):
            asked = []
            for one in zero_shot.encoded(self._lanes, caller, encoder, prompts):
                if isinstance(one, HilumError):
                    raise one
                asked.append(one)
            scale = zero_shot.scale_of(encoder)
            films = self._lanes.films(caller, encoder, request.images)
            return encode_pb2.ClassifyResponse(
                model=_model(encoder.spec, True, 0),
                prompts=map(zero_shot.message_of, prompts),
                results=[zero_shot.classification(asked, film, scale) for film in films],
                logit_scale=scale,
                source=style_of(model).source,
            )

    def explain(self, request: encode_pb2.ExplainRequest, call: Call) -> saliency_pb2.Explanation:
        """Where in a film a model sees words, another film or a vector."""
        films = [request.image, request.other_image] if request.other_image else [request.image]
        with (
            self._lanes.admitted(call, len(films) * ASKED_PER_MAP, weight(films)) as caller,
            self._registry.lease(request.model) as encoder,
        ):
            return self._explain(encoder, request, caller, call)

    def read_pictures(self, request: encode_pb2.ReadPicturesRequest, call: Call) -> encode_pb2.ReadPicturesResponse:
        """Films to look at, one after the other."""
        _count(request.images, "images")
        with self._lanes.admitted(call, len(request.images), weight(request.images)):
            return encode_pb2.ReadPicturesResponse(results=[self._picture(data, call) for data in request.images])

    def _picture(self, data: bytes, call: Call) -> encode_pb2.PictureResult:
        try:
            if call.cancelled() or not call.time_left():
                raise HilumError(ErrorCode.CANCELLED, "the client went away")
            if len(data) > MAX_UPLOAD_BYTES:
                raise HilumError(ErrorCode.PAYLOAD_TOO_LARGE, "a film file has at most 64 MiB")
            return encode_pb2.PictureResult(picture=thumbnail(self._pool.decode(data).film))
        except BadFilm as error:
            return encode_pb2.PictureResult(
                error=errors.message(HilumError(ErrorCode.UNREADABLE_IMAGE, error.reason.message))
            )
        except HilumError as error:
            return encode_pb2.PictureResult(error=errors.message(error))

    def list_models(self, request: encode_pb2.ListModelsRequest, call: Call) -> encode_pb2.ListModelsResponse:
        """Encoders at hand, then those that only the archive knows."""
        counts = images.count_by_model(self._facts)
        here = self._registry.specs()
        fingerprints = {spec.fingerprint for spec in here.values()}
        stored = [spec for spec in models.active(self._facts).values() if spec.fingerprint not in fingerprints]
        listed = [(spec, True) for spec in here.values()] + [(spec, self._sees_slices(spec)) for spec in stored]
        return encode_pb2.ListModelsResponse(
            models=[_model(spec, available, counts.get(spec.fingerprint, 0)) for spec, available in listed]
        )

    def _sees_slices(self, spec: ModelSpec) -> bool:
        """Is it an encoder at hand at work on CT slices? Those are not listed for themselves."""
        try:
            offer = self._registry.offer(spec.name)
        except HilumError:
            return False
        return (offer.spec or self._registry.get(spec.name).spec).fingerprint == spec.fingerprint

    def close(self) -> None:
        """End the lanes' threads; callers that wait get CANCELLED."""
        self._lanes.close()


def _count(things: Sequence[object], what: str) -> None:
    if not 1 <= len(things) <= MAX_BATCH:
        raise invalid(f"send between 1 and {MAX_BATCH} {what}")


def _of_prompts(prompts: Sequence[Prompt]) -> tuple[int, int]:
    """How many texts, and their bytes."""
    texts = [text for prompt in prompts for text in (*prompt.positive, *prompt.negative)]
    return len(texts), 4 * sum(map(len, texts))


def _response(spec: ModelSpec, results: Vectors) -> encode_pb2.EncodeResponse:
    return encode_pb2.EncodeResponse(model=_model(spec, True, 0), results=[_result(result) for result in results])


def _result(result: Vector | HilumError) -> encode_pb2.EncodeResult:
    if isinstance(result, HilumError):
        return encode_pb2.EncodeResult(error=errors.message(result))
    return encode_pb2.EncodeResult(vector=to_message(result))


def _model(spec: ModelSpec, available: bool, count: int) -> encode_pb2.Model:
    return encode_pb2.Model(
        name=spec.name, fingerprint=spec.fingerprint, collection=spec.collection, dim=spec.dim,
        text=spec.text_space is not None, revision=spec.revision, preprocessing=spec.preprocessing,
        pooling=spec.pooling, dtype=spec.dtype, available=available, images=count, tokens=spec.tokens,
    )  # fmt: skip
