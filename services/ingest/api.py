"""hilum.v1.IngestService."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from hilum.v1 import ingest_pb2, jobs_pb2
from services.core import dicomweb
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, jobs
from services.core.ids import load_secret
from services.core.store import VectorStore
from services.encoders import slices
from services.encoders.registry import Registry
from services.ingest import keeping
from services.ingest.jobs import KIND
from services.ingest.paths import allowed, allowed_file, allowed_folder
from services.ingest.pipeline import Plan
from services.ingest.sources import layouts
from services.ingest.sources.dicomweb import LAYOUT as DICOMWEB
from services.ingest.sources.files import LAYOUTS
from services.ingest.sources.mapped import read_map
from services.ingest.sources.qido import Where
from services.transport.edge import Call, Route
from services.transport.jobs import job_message


class IngestApi:
    """Takes ingest jobs; the worker does them. What keeps an archive in order is done at once, told as it goes."""

    service = ingest_pb2.DESCRIPTOR.services_by_name["IngestService"]
    routes = (
        Route("POST", "/v1/ingest/jobs", "CreateIngestJob"),
        Route("POST", "/v1/duplicates", "FindDuplicates"),
        Route("POST", "/v1/patients:forget", "ForgetPatient"),
        Route("POST", "/v1/reconcile", "Reconcile"),
    )

    def __init__(
        self, settings: Settings, facts: Facts, registry: Registry, store: VectorStore, blobs: Blobs
    ) -> None:  # fmt: skip
        self._settings, self._facts, self._registry = settings, facts, registry
        self._store, self._blobs = store, blobs
        self._secret = load_secret(settings.data_dir)

    def create_ingest_job(self, request: ingest_pb2.CreateIngestJobRequest, call: Call) -> jobs_pb2.Job:
        plan = self._plan(request, call.operator)
        return job_message(jobs.submit(self._facts, KIND, plan.spec(self._secret), request.request_id or None))

    def find_duplicates(self, request: ingest_pb2.FindDuplicatesRequest, call: Call) -> Iterator[ingest_pb2.Duplicates]:
        return keeping.duplicates(self._facts, self._store, self._blobs, request, call)

    def forget_patient(self, request: ingest_pb2.ForgetPatientRequest, call: Call) -> Iterator[ingest_pb2.ForgetAnswer]:
        return keeping.forgetting(self._settings, self._facts, self._store, self._blobs, request, call)

    def reconcile(self, request: ingest_pb2.ReconcileRequest, call: Call) -> Iterator[ingest_pb2.ReconcileAnswer]:
        plan = self._plan(request.plan, call.operator)
        return keeping.reconciling(
            self._settings, self._facts, self._store, self._blobs, plan, request.apply,
            lambda: self.create_ingest_job(request.plan, call).job_id, call,
        )  # fmt: skip

    def _plan(self, request: ingest_pb2.CreateIngestJobRequest, operator: bool) -> Plan:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", request.dataset):
            raise invalid("dataset is a name of a-z, 0-9, '-' and '_', at most 63 characters")
        if dicomweb.is_address(request.source) or request.layout == DICOMWEB:
            return self._remote(request, operator)
        if request.where or request.recheck:
            raise invalid("where and recheck are for DICOMweb servers; the source is a folder")
        if (layout := request.layout or "auto") not in LAYOUTS:
            layouts.named(layout)
        slices.window_of(request.window)
        if request.window and layout != slices.LAYOUT:
            raise invalid("a window is for CT slices: layout ct")
        if len(request.request_id) > 64:
            raise invalid("request_id has at most 64 characters")
        for name in request.models:
            self._registry.offer(self._seen(name, layout, request.window))
        roots = self._settings.ingest_roots
        source = allowed(request.source, "source", roots, operator)
        if not source.is_dir() and not source.is_file():
            raise invalid("source is neither a folder nor a file on this server; check the path")
        columns = allowed_file(request.map, "map", roots, operator)
        if columns:
            if layout == slices.LAYOUT:
                raise invalid("a column map is for films; describe CT series by a table of labels")
            read_map(Path(columns))
        tables = allowed_folder(request.tables, "tables", roots, operator)
        labels, reports = self._told(request, operator)
        models = tuple(dict.fromkeys(request.models))
        return Plan(
            str(source),
            request.dataset,
            layout,
            labels,
            reports,
            tables,
            columns,
            models,
            request.keep_ids,
            request.window,
            request.cache_pixels,
        )

    def _remote(self, request: ingest_pb2.CreateIngestJobRequest, operator: bool) -> Plan:
        """Films of a DICOMweb server that the operator has named; the operator may also give an address."""
        if not dicomweb.is_address(request.source):
            raise invalid("the source of layout dicomweb is dicomweb:NAME")
        if not operator and not request.source.startswith(dicomweb.PREFIX):
            raise HilumError(
                ErrorCode.PERMISSION_DENIED,
                "only this server's operator may give an address; others name a server: dicomweb:NAME",
            )
        if request.layout not in ("", "auto", DICOMWEB) or request.tables or request.map or request.window:
            raise invalid("a DICOMweb server has no layout, tables, map or window; labels and reports may be given")
        if len(request.request_id) > 64:
            raise invalid("request_id has at most 64 characters")
        dicomweb.find(self._settings.dicomweb, request.source)
        Where.of(request.where)
        for name in request.models:
            self._registry.offer(self._seen(name, DICOMWEB, ""))
        labels, reports = self._told(request, operator)
        return Plan(
            request.source, request.dataset, DICOMWEB, labels, reports, models=tuple(dict.fromkeys(request.models)),
            keep_ids=request.keep_ids, cache_pixels=request.cache_pixels, where=request.where, recheck=request.recheck,
        )  # fmt: skip

    def _told(self, request: ingest_pb2.CreateIngestJobRequest, operator: bool) -> tuple[str, str]:
        """The tables of labels and of reports, blank where there is none."""
        roots = self._settings.ingest_roots
        return (
            allowed_file(request.labels, "labels", roots, operator),
            allowed_file(request.reports, "reports", roots, operator),
        )

    def _seen(self, model: str, layout: str, window: str) -> str:
        """The name under which a model takes part: films and slices never go into one collection."""
        if layout == slices.LAYOUT:
            return slices.named(model, window)
        if slices.split(model) and model not in self._registry.names():
            raise invalid("a model whose name ends in -ct sees CT slices only; ingest them with layout ct")
        return model
