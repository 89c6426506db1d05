"""What keeps an archive in order, as the contract states it: messages in, a stream of progress and findings out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hilum.v1 import common_pb2, ingest_pb2, jobs_pb2
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, models
from services.core.ids import load_secret
from services.core.store import VectorStore
from services.core.types import JobProgress
from services.ingest.duplicates import BITS, DISTANCE, LIKENESS, Found, Group, Wanted, find
from services.ingest.forget import forget
from services.ingest.pipeline import Plan
from services.ingest.reconcile import Difference, reconcile
from services.transport.edge import Call

_GROUPS, _MOST_GROUPS = 1_000, 100_000


def duplicates(
    facts: Facts, store: VectorStore, blobs: Blobs, request: ingest_pb2.FindDuplicatesRequest, call: Call
) -> Iterator[ingest_pb2.Duplicates]:
    """FindDuplicates. What is wrong with the request is said at once, not in the stream."""
    limit = request.limit or _GROUPS
    if not 1 <= limit <= _MOST_GROUPS:
        raise invalid(f"limit is between 1 and {_MOST_GROUPS}")
    wanted = Wanted(
        request.dataset, request.model,
        request.bits if request.HasField("bits") else BITS,
        request.likeness if request.HasField("likeness") else LIKENESS,
        request.distance if request.HasField("distance") else DISTANCE,
    )  # fmt: skip
    used = [models.named(facts, request.model)] if request.model else []

    def tell() -> Iterator[ingest_pb2.Duplicates]:
        told = 0
        for item in find(facts, store, blobs, wanted):
            if call.cancelled():
                return
            if isinstance(item, JobProgress):
                yield ingest_pb2.Duplicates(progress=progress_message(item))
            elif isinstance(item, Found):
                uses = [
                    common_pb2.ModelUse(name=s.name, fingerprint=s.fingerprint, collection=s.collection) for s in used
                ]
                yield ingest_pb2.Duplicates(
                    found=ingest_pb2.DuplicatesFound(
                        films=item.films, groups=item.by_kind, alarms=item.alarms, unconfirmed=item.unconfirmed,
                        models=uses,
                    )
                )  # fmt: skip
            elif told < limit:
                told += 1
                yield ingest_pb2.Duplicates(group=_group(item))

    return tell()


def forgetting(
    settings: Settings, facts: Facts, store: VectorStore, blobs: Blobs, request: ingest_pb2.ForgetPatientRequest,
    call: Call,
) -> Iterator[ingest_pb2.ForgetAnswer]:  # fmt: skip
    """ForgetPatient. It goes on to its end also when nobody listens any more."""
    if not call.operator:
        raise HilumError(ErrorCode.PERMISSION_DENIED, "only this installation's operator may forget patients")
    if not request.dataset or not request.patients or not all(request.patients):
        raise invalid("name the dataset and the patient")
    secret = load_secret(settings.data_dir)

    def tell() -> Iterator[ingest_pb2.ForgetAnswer]:
        for item in forget(settings, facts, store, blobs, secret, request.dataset, request.patients):
            if isinstance(item, JobProgress):
                yield ingest_pb2.ForgetAnswer(progress=progress_message(item))
            else:
                traces = [
                    ingest_pb2.Trace(place=place, removed=trace.removed, left=trace.left, note=trace.note)
                    for place, trace in item.traces.items()
                ]
                told = ingest_pb2.Forgotten(complete=item.complete, films=item.films, traces=traces)
                yield ingest_pb2.ForgetAnswer(forgotten=told)

    return tell()


def reconciling(
    settings: Settings, facts: Facts, store: VectorStore, blobs: Blobs, plan: Plan, apply: bool,
    requeue: Callable[[], str], call: Call,
) -> Iterator[ingest_pb2.ReconcileAnswer]:  # fmt: skip
    """Reconcile."""
    if apply and not call.operator:
        raise HilumError(ErrorCode.PERMISSION_DENIED, "only this installation's operator may remove films")
    secret = load_secret(settings.data_dir)

    def tell() -> Iterator[ingest_pb2.ReconcileAnswer]:
        for item in reconcile(settings, facts, store, blobs, secret, plan, apply, requeue):
            if isinstance(item, JobProgress):
                yield ingest_pb2.ReconcileAnswer(progress=progress_message(item))
            elif isinstance(item, Difference):
                told = ingest_pb2.Difference(
                    kind=item.kind, ref=item.ref, image_id=item.image_id, model=item.model
                )  # fmt: skip
                yield ingest_pb2.ReconcileAnswer(difference=told)
            else:
                done = ingest_pb2.Reconciled(counts=item.counts, removed=item.removed, job_id=item.job_id)
                yield ingest_pb2.ReconcileAnswer(reconciled=done)

    return tell()


def progress_message(progress: JobProgress) -> jobs_pb2.JobProgress:
    message = jobs_pb2.JobProgress(
        stage=progress.stage, done=progress.done, total=progress.total, counts=progress.counts
    )
    if progress.eta_seconds is not None:
        message.eta_seconds = progress.eta_seconds
    return message


def _group(group: Group) -> ingest_pb2.DuplicateGroup:
    return ingest_pb2.DuplicateGroup(
        kind=group.kind, distance=group.distance, patients=group.patients,
        films=[
            ingest_pb2.DuplicateFilm(
                image_id=film.record.image_id, dataset=film.record.dataset, patient_id=film.record.patient_id or "",
                study_id=film.record.study_id or "", rows=film.record.rows, columns=film.record.columns,
                kind=film.kind, distance=film.distance,
            )
            for film in group.films
        ],
    )  # fmt: skip
