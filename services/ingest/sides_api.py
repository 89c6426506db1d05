"""hilum.v1.SidesService."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hilum.v1 import sides_pb2
from services.core import attempts
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, sides
from services.core.facts.sides import SideTable
from services.core.ids import load_secret
from services.core.types import JobProgress
from services.ingest.keeping import progress_message
from services.ingest.paths import allowed_file
from services.ingest.sides import SidePlan, store
from services.transport.edge import Call, Route


class SidesApi:
    """Side tables in, listed and out again."""

    service = sides_pb2.DESCRIPTOR.services_by_name["SidesService"]
    routes = (
        Route("POST", "/v1/sides", "StoreSideTable"),
        Route("GET", "/v1/sides", "ListSideTables"),
        Route("DELETE", "/v1/sides/{dataset}/{name}", "DeleteSideTable"),
    )

    def __init__(self, settings: Settings, facts: Facts) -> None:
        self._settings, self._facts = settings, facts

    def store_side_table(
        self, request: sides_pb2.StoreSideTableRequest, call: Call
    ) -> Iterator[sides_pb2.StoreSideTableAnswer]:
        """What is wrong with the request is said at once, not in the stream."""
        if not request.source:
            raise invalid("source must be a path on the server: a CSV or a Parquet file")
        source = allowed_file(request.source, "source", self._settings.ingest_roots, call.operator)
        plan = SidePlan(
            Path(source), request.dataset, request.name, tuple(request.columns), request.level,
            tuple(part.strip() for part in request.key.split(",") if part.strip()), tuple(request.text),
        )  # fmt: skip
        if not call.access.sees(request.dataset):
            raise HilumError(ErrorCode.PERMISSION_DENIED, "this server does not show this dataset")

        def tell() -> Iterator[sides_pb2.StoreSideTableAnswer]:
            for item in store(self._facts, load_secret(self._settings.data_dir), plan):
                if isinstance(item, JobProgress):
                    yield sides_pb2.StoreSideTableAnswer(progress=progress_message(item))
                else:
                    attempts.drop(self._settings.data_dir)  # of analyses that saw it as it was
                    yield sides_pb2.StoreSideTableAnswer(
                        stored=sides_pb2.SideTableStored(
                            table=_message(item.table), strangers=item.strangers, refused=item.refused
                        )
                    )

        return tell()

    def list_side_tables(
        self, request: sides_pb2.ListSideTablesRequest, call: Call
    ) -> sides_pb2.ListSideTablesResponse:  # fmt: skip
        seen = [table for table in sides.listed(self._facts) if call.access.sees(table.dataset)]
        return sides_pb2.ListSideTablesResponse(tables=map(_message, seen))

    def delete_side_table(
        self, request: sides_pb2.DeleteSideTableRequest, call: Call
    ) -> sides_pb2.DeleteSideTableResponse:
        there = {(table.dataset, table.name) for table in sides.listed(self._facts) if call.access.sees(table.dataset)}
        if (request.dataset, request.name) not in there:
            raise HilumError(ErrorCode.NOT_FOUND, "no such side table; `hilum side list` shows those there are")
        rows = sides.clear(self._facts, request.dataset, request.name)
        attempts.drop(self._settings.data_dir)
        return sides_pb2.DeleteSideTableResponse(rows=rows)


def _message(table: SideTable) -> sides_pb2.SideTable:
    return sides_pb2.SideTable(
        dataset=table.dataset, name=table.name, level=table.level, rows=table.rows,
        columns=[sides_pb2.SideColumn(name=c.name, title=c.title, kind=c.kind) for c in table.columns],
    )  # fmt: skip
