"""Arguments to messages: what the sync and the async client share."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from hilum.errors import HilumError
from hilum.v1 import analytics_pb2, encode_pb2, ingest_pb2, models_pb2

PathLike = str | os.PathLike[str]
_MOST_FILMS = 256  # of one request
_MOST_BYTES = 64 * 2**20


def ingest(
    source: PathLike,
    dataset: str,
    *,
    layout: str = "auto",
    labels: PathLike | None = None,
    reports: PathLike | None = None,
    tables: PathLike | None = None,
    map: PathLike | None = None,
    models: Sequence[str] = (),
    keep_ids: bool = False,
    window: str = "",
    cache_pixels: bool = False,
    where: str = "",
    recheck: bool = False,
    request_id: str = "",
) -> ingest_pb2.CreateIngestJobRequest:
    """Store a folder of films; `source`, `labels`, `reports`, `tables` and `map` are paths on the server's machine.

    source ``dicomweb:NAME`` is a DICOMweb server that the server's operator has named; of its films, those that match
    `where`, as in ``Modality=CR;StudyDate=20240101-``. What is stored is fetched again only for `recheck`.
    layout ``ct`` takes the middle slice of each CT series through `window`: header, lung, mediastinum, soft-tissue or
    bone.  cache_pixels: keep the decoded films, so that `fill` can give them to a later model.
    """
    return ingest_pb2.CreateIngestJobRequest(
        source=place(source), dataset=dataset, layout=layout, labels=absolute(labels), reports=absolute(reports),
        tables=absolute(tables), map=absolute(map), models=models, keep_ids=keep_ids, window=window,
        cache_pixels=cache_pixels, where=where, recheck=recheck, request_id=request_id,
    )  # fmt: skip


def duplicates(
    *,
    dataset: str = "",
    model: str = "",
    bits: int | None = None,
    likeness: float | None = None,
    distance: float | None = None,
    limit: int = 1000,
) -> ingest_pb2.FindDuplicatesRequest:
    """Films stored more than once, in one dataset or in all.

    model: also near-duplicates by its embeddings, up to the cosine `distance`.  bits, likeness: perceptual hashes that
    differ in at most so many bits are compared, and count when their small pictures correlate at least so much.
    """
    return ingest_pb2.FindDuplicatesRequest(
        dataset=dataset, model=model, bits=bits, likeness=likeness, distance=distance, limit=limit
    )


def embeddings(
    source: PathLike,
    dataset: str,
    spec: PathLike,
    *,
    layout: str = "auto",
    labels: PathLike | None = None,
    tables: PathLike | None = None,
    map: PathLike | None = None,
    keep_ids: bool = False,
    request_id: str = "",
) -> models_pb2.CreateEmbeddingsJobRequest:
    """Store vectors that somebody else has computed. `source`, `labels`, `tables` and `map` are paths on the server's
    machine; `spec` is a YAML file here that states the model."""
    return models_pb2.CreateEmbeddingsJobRequest(
        source=absolute(source), dataset=dataset, spec=read(spec).decode("utf-8", "replace"), layout=layout,
        labels=absolute(labels), tables=absolute(tables), map=absolute(map), keep_ids=keep_ids, request_id=request_id,
    )  # fmt: skip


def analyze(
    kind: str = "map",
    *,
    models: Sequence[str] = (),
    where: str = "",
    sample: int = 0,
    seed: int = 0,
    k: int = 15,
    resolutions: Sequence[float] = (),
    labels: Sequence[str] = (),
    request_id: str = "",
    **options: Any,
) -> analytics_pb2.CreateRunRequest:
    """An analysis of a sample (0: of every film that matches).

    kind: ``map`` (of each model one kNN graph, clusters, a map, metrics and an atlas) or one of the contract's other
    analyses, ``retrieval``, ``compare``, ``structure`` and so on, whose options are the fields of its message.
    """
    request = analytics_pb2.CreateRunRequest(
        models=models, filter=where, sample_size=sample, seed=seed, k=k, resolutions=resolutions, labels=labels,
        request_id=request_id,
    )  # fmt: skip
    kinds = request.DESCRIPTOR.oneofs_by_name["analysis"].fields
    if kind != "map" and kind not in {field.name for field in kinds}:
        raise HilumError("INVALID_ARGUMENT", f"there are: map, {', '.join(field.name for field in kinds)}")
    try:
        if kind == "map" and options:
            raise ValueError
        if kind != "map":
            getattr(request, kind).SetInParent()
            json_format.ParseDict(options, getattr(request, kind))
    except (ValueError, json_format.ParseError):
        raise HilumError("INVALID_ARGUMENT", f"{kind} has no such options: {', '.join(options)}") from None
    return request


def classify(
    images: PathLike | bytes | Sequence[PathLike | bytes],
    *,
    model: str = "",
    findings: Sequence[str] = (),
    positive: Sequence[str] = (),
    negative: Sequence[str] = (),
    template: str | None = None,
) -> Iterator[encode_pb2.ClassifyRequest]:
    """Score films, in files or in bytes, for findings without training; as many requests as their bytes need.

    findings: labels such as ``pleural_effusion``, or any words, asked for as the model's authors do; with none named
    and no `positive`, CheXpert's fourteen.  positive, negative: a question of your own, each side's texts averaged.
    template: around your texts, ``{}`` where they go; the model's own by default.
    """
    asked = {"model": model, "findings": findings, "prompts": _prompts(positive, negative, template)}
    films = [images] if isinstance(images, str | bytes | os.PathLike) else images
    if not films:
        raise HilumError("INVALID_ARGUMENT", "give at least one film")
    batch: list[bytes] = []
    for image in films:
        data = image if isinstance(image, bytes) else read(image)
        if batch and (len(batch) == _MOST_FILMS or sum(map(len, batch)) + len(data) > _MOST_BYTES):
            yield encode_pb2.ClassifyRequest(images=batch, **asked)
            batch = []
        batch.append(data)
    if batch:
        yield encode_pb2.ClassifyRequest(images=batch, **asked)


def direction(
    finding: str | None = None,
    *,
    positive: Sequence[str] = (),
    negative: Sequence[str] = (),
    template: str | None = None,
    model: str = "",
) -> encode_pb2.EncodePromptsRequest:
    """A vector to search by: a finding as the model's authors ask for it, or texts for it less texts against it."""
    if (finding is None) != bool(positive):
        raise HilumError("INVALID_ARGUMENT", "give either a finding or positive texts")
    return encode_pb2.EncodePromptsRequest(
        model=model, findings=[finding] if finding else [], prompts=_prompts(positive, negative, template)
    )


def _prompts(positive: Sequence[str], negative: Sequence[str], template: str | None) -> list[encode_pb2.Prompt]:
    if not positive and negative:
        raise HilumError("INVALID_ARGUMENT", "negative texts need positive ones")
    return [encode_pb2.Prompt(positive=positive, negative=negative, template=template)] if positive else []


def place(source: PathLike) -> str:
    """A folder's absolute path, or the address of a server as it is."""
    text = str(source)
    return text if text.startswith(("dicomweb:", "https://", "http://")) else absolute(source)


def absolute(path: PathLike | None) -> str:
    return str(Path(path).absolute()) if path else ""


def read(path: PathLike) -> bytes:
    """The bytes of a film. Raises INVALID_ARGUMENT when it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise HilumError("INVALID_ARGUMENT", f"cannot read the film: {error.strerror}") from None
