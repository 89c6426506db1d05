"""hilum.v1.ModelsService."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hilum.v1 import jobs_pb2, models_pb2
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, jobs, promotions
from services.core.facts.promotions import Promotion
from services.core.ids import load_secret
from services.core.seal import sealed
from services.core.store import VectorStore
from services.encoders import slices
from services.encoders.registry import Registry
from services.ingest import embeddings, fill, promotion
from services.ingest import promotions as promoting
from services.ingest.embeddings import EmbeddingsPlan
from services.ingest.paths import allowed, allowed_file, allowed_folder
from services.ingest.sources import layouts
from services.ingest.sources.files import LAYOUTS
from services.ingest.sources.mapped import read_map
from services.ingest.stated_model import read_stated
from services.transport.edge import Call, Route
from services.transport.jobs import job_message


class ModelsApi:
    """Takes jobs that give a model its vectors or its name; the worker does them."""

    service = models_pb2.DESCRIPTOR.services_by_name["ModelsService"]
    routes = (
        Route("POST", "/v1/embeddings/jobs", "CreateEmbeddingsJob"),
        Route("POST", "/v1/models/{model}:fill", "FillModel"),
        Route("POST", "/v1/models/{model}:promote", "PromoteModel"),
        Route("POST", "/v1/models/{model}:rollback", "RollbackModel"),
        Route("GET", "/v1/models/{model}/promotions", "ListPromotions"),
    )

    def __init__(self, settings: Settings, facts: Facts, store: VectorStore, registry: Registry) -> None:
        self._settings, self._facts, self._store, self._registry = settings, facts, store, registry
        self._secret = load_secret(settings.data_dir)

    def create_embeddings_job(self, request: models_pb2.CreateEmbeddingsJobRequest, call: Call) -> jobs_pb2.Job:
        _named("dataset", request.dataset)
        if (layout := request.layout or "auto") == slices.LAYOUT:
            raise invalid("ready-made vectors of CT slices are not taken")
        if layout not in LAYOUTS:
            layouts.named(layout)
        model = read_stated(request.spec)
        if model.name in {*self._registry.names(), *self._registry.damaged} or slices.split(model.name):
            raise invalid("an encoder of this installation has that name; state another for ready-made vectors")
        where = (self._settings.ingest_roots, call.operator)
        source = allowed(request.source, "source", *where)
        if not source.is_dir() and not source.is_file():
            raise invalid("source is neither a folder nor a file on this server; check the path")
        columns = allowed_file(request.map, "map", *where)
        if columns:
            read_map(Path(columns))
        plan = EmbeddingsPlan(
            str(source), request.dataset, model.model_dump(mode="json"), layout,
            allowed_file(request.labels, "labels", *where), allowed_folder(request.tables, "tables", *where),
            columns, request.keep_ids,
        )  # fmt: skip
        return self._submit(embeddings.KIND, sealed(self._secret, asdict(plan)), request.request_id)

    def fill_model(self, request: models_pb2.FillModelRequest, call: Call) -> jobs_pb2.Job:
        self._registry.offer(request.model)
        if request.dataset:
            _named("dataset", request.dataset)
        return self._submit(fill.KIND, {"model": request.model, "dataset": request.dataset}, request.request_id)

    def promote_model(self, request: models_pb2.PromoteModelRequest, call: Call) -> jobs_pb2.Job:
        if not request.check_only:
            _operators(call, "what answers for a model; comparing (check_only) is open to all")
        _, new = promotion.candidate(self._facts, request.model, request.fingerprint)
        asked = {
            "model": request.model, "fingerprint": new.fingerprint, "check_only": request.check_only,
            "partial": request.partial,
        }  # fmt: skip
        return self._submit(promoting.KIND, asked, request.request_id)

    def rollback_model(self, request: models_pb2.RollbackModelRequest, call: Call) -> models_pb2.Promotion:
        _operators(call, "what answers for a model")
        return _message(promotion.rollback(self._facts, self._store, request.model))

    def list_promotions(
        self, request: models_pb2.ListPromotionsRequest, call: Call
    ) -> models_pb2.ListPromotionsResponse:
        found = promotions.of(self._facts, request.model)
        return models_pb2.ListPromotionsResponse(promotions=map(_message, found))

    def _submit(self, kind: str, spec: Mapping[str, Any], request_id: str) -> jobs_pb2.Job:
        if len(request_id) > 64:
            raise invalid("request_id has at most 64 characters")
        return job_message(jobs.submit(self._facts, kind, spec, request_id or None))


def _operators(call: Call, what: str) -> None:
    """Filling a model adds to it, as an ingest does; changing who answers changes everybody's searches."""
    if not call.operator:
        raise HilumError(ErrorCode.PERMISSION_DENIED, f"only this installation's operator may change {what}")


def _named(what: str, text: str) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", text):
        raise invalid(f"{what} is a name of a-z, 0-9, '-' and '_', at most 63 characters")


def _message(made: Promotion) -> models_pb2.Promotion:
    message = models_pb2.Promotion(
        model=made.name, fingerprint=made.fingerprint, previous=made.previous, how=made.how, time=made.created_at
    )
    message.comparison.update(made.comparison)
    return message
