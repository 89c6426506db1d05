"""Films by name (cohorts, clusters) and what side tables say of them, for both clients."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

from hilum.connection import AsyncConnection, Connection
from hilum.errors import HilumError
from hilum.requests import PathLike, absolute
from hilum.v1 import sets_pb2, sides_pb2

_PAGE = 1000


class Sets(Connection):
    """Name films, and filter by the name: ``cohort = "name"``."""

    def create_set(
        self, name: str, *, where: str | None = None, films: Sequence[str] | None = None, title: str = ""
    ) -> sets_pb2.FilmSet:
        """Freeze the films that a filter selects now, or those of these ids, as the cohort `name`."""
        return self._call(self._to.sets.CreateSet, _create(name, where, films, title)).sets[0]

    def publish_clusters(
        self, run_id: str, *, model: str = "", resolution: float = 0.0, title: str = ""
    ) -> list[sets_pb2.FilmSet]:
        """Make a set of each cluster of an analysis: ``cluster = "run/model/resolution/number"``."""
        return list(self._call(self._to.sets.CreateSet, _clusters(run_id, model, resolution, title)).sets)

    def sets(self, kind: str = "", begins: str = "") -> Iterator[sets_pb2.FilmSet]:
        """Every set, by name. kind: cohort or cluster.  begins: how its name begins."""
        request = sets_pb2.ListSetsRequest(kind=kind, begins=begins, page_size=_PAGE)
        while True:
            page = self._call(self._to.sets.ListSets, request)
            yield from page.sets
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def delete_set(self, name: str) -> int:
        """Delete a set, or all clusters of a run; its films stay. How many sets that were."""
        return int(self._call(self._to.sets.DeleteSet, sets_pb2.DeleteSetRequest(set_id=name)).sets)

    def store_side(
        self,
        source: PathLike,
        dataset: str,
        name: str,
        columns: Sequence[str],
        *,
        level: str = "",
        key: str = "",
        text: Sequence[str] = (),
    ) -> sides_pb2.SideTableStored:
        """Store columns of a CSV or Parquet on the server's machine as the side table `name` of a dataset, to filter
        by: ``side.name.column >= 3``.

        columns: names or patterns; what is not named is not read.  level, key: whose ids are in which column, where its
        name does not tell; several columns are joined by '-'.  text: columns that are text though they look like
        numbers. Raises HilumError.
        """
        request = _store(source, dataset, name, columns, level, key, text)
        for answer in self._stream(self._to.sides.StoreSideTable, request):
            if answer.WhichOneof("told") == "stored":
                return answer.stored
        raise _broken_off()

    def sides(self) -> list[sides_pb2.SideTable]:
        """Every side table with its columns."""
        return list(self._call(self._to.sides.ListSideTables, sides_pb2.ListSideTablesRequest()).tables)

    def delete_side(self, dataset: str, name: str) -> int:
        """Delete a side table; how many rows it had."""
        request = sides_pb2.DeleteSideTableRequest(dataset=dataset, name=name)
        return int(self._call(self._to.sides.DeleteSideTable, request).rows)


class AsyncSets(AsyncConnection):
    """The same as coroutines."""

    async def create_set(
        self, name: str, *, where: str | None = None, films: Sequence[str] | None = None, title: str = ""
    ) -> sets_pb2.FilmSet:
        """As `Client.create_set`."""
        return (await self._call(self._to.sets.CreateSet, _create(name, where, films, title))).sets[0]

    async def publish_clusters(
        self, run_id: str, *, model: str = "", resolution: float = 0.0, title: str = ""
    ) -> list[sets_pb2.FilmSet]:
        """As `Client.publish_clusters`."""
        return list((await self._call(self._to.sets.CreateSet, _clusters(run_id, model, resolution, title))).sets)

    async def sets(self, kind: str = "", begins: str = "") -> AsyncIterator[sets_pb2.FilmSet]:
        """As `Client.sets`."""
        request = sets_pb2.ListSetsRequest(kind=kind, begins=begins, page_size=_PAGE)
        while True:
            page = await self._call(self._to.sets.ListSets, request)
            for one in page.sets:
                yield one
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def delete_set(self, name: str) -> int:
        """As `Client.delete_set`."""
        return int((await self._call(self._to.sets.DeleteSet, sets_pb2.DeleteSetRequest(set_id=name))).sets)

    async def store_side(
        self,
        source: PathLike,
        dataset: str,
        name: str,
        columns: Sequence[str],
        *,
        level: str = "",
        key: str = "",
        text: Sequence[str] = (),
    ) -> sides_pb2.SideTableStored:
        """As `Client.store_side`."""
        request = _store(source, dataset, name, columns, level, key, text)
        async for answer in self._stream(self._to.sides.StoreSideTable, request):
            if answer.WhichOneof("told") == "stored":
                return answer.stored
        raise _broken_off()

    async def sides(self) -> list[sides_pb2.SideTable]:
        """As `Client.sides`."""
        return list((await self._call(self._to.sides.ListSideTables, sides_pb2.ListSideTablesRequest())).tables)

    async def delete_side(self, dataset: str, name: str) -> int:
        """As `Client.delete_side`."""
        request = sides_pb2.DeleteSideTableRequest(dataset=dataset, name=name)
        return int((await self._call(self._to.sides.DeleteSideTable, request)).rows)


def _create(name: str, where: str | None, films: Sequence[str] | None, title: str) -> sets_pb2.CreateSetRequest:
    if (where is None) == (films is None):
        raise HilumError("INVALID_ARGUMENT", "give either a filter (where; '' is every film) or the ids of films")
    if films is None:
        return sets_pb2.CreateSetRequest(set_id=name, title=title, filter=where)
    return sets_pb2.CreateSetRequest(set_id=name, title=title, films=sets_pb2.FilmIds(image_ids=films))


def _clusters(run_id: str, model: str, resolution: float, title: str) -> sets_pb2.CreateSetRequest:
    of_run = sets_pb2.RunClusters(run_id=run_id, model=model, resolution=resolution)
    return sets_pb2.CreateSetRequest(title=title, clusters=of_run)


def _store(
    source: PathLike, dataset: str, name: str, columns: Sequence[str], level: str, key: str, text: Sequence[str]
) -> sides_pb2.StoreSideTableRequest:
    return sides_pb2.StoreSideTableRequest(
        source=absolute(source), dataset=dataset, name=name, columns=columns, level=level, key=key, text=text
    )


def _broken_off() -> HilumError:
    return HilumError("UNAVAILABLE", "the service ended while it stored the table; give the same call again")
