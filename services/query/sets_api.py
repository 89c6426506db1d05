"""hilum.v1.SetsService: films by name."""

from __future__ import annotations

from pathlib import Path

from hilum.v1 import sets_pb2
from services.core import clusters, filters
from services.core.access import ALL
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, images, sets
from services.core.facts.sets import CLUSTER, COHORT, FilmSet
from services.core.filters import to_sql
from services.core.filters.sql import Condition
from services.core.ids import parse_image_id
from services.core.limits import MAX_TEXT_CHARS
from services.query.upkeep import Upkeep
from services.transport import paging
from services.transport.edge import Call, Route

_PAGE = 100
_MOST_IDS = 1_000_000
_MOST_SETS = 10_000  # of one run


class SetsApi:
    """Make, list and delete sets. Filters find a set's films at once; their points are brought up to date behind it."""

    service = sets_pb2.DESCRIPTOR.services_by_name["SetsService"]
    routes = (
        Route("POST", "/v1/sets", "CreateSet"),
        Route("GET", "/v1/sets", "ListSets"),
        Route("POST", "/v1/sets:delete", "DeleteSet"),
    )

    def __init__(self, facts: Facts, upkeep: Upkeep, runs: Path) -> None:
        """runs: the folder of analyses."""
        self._facts, self._upkeep, self._runs = facts, upkeep, runs

    def create_set(self, request: sets_pb2.CreateSetRequest, call: Call) -> sets_pb2.CreateSetResponse:
        if len(request.title) > MAX_TEXT_CHARS:
            raise HilumError(ErrorCode.PAYLOAD_TOO_LARGE, f"a title has at most {MAX_TEXT_CHARS} characters")
        unknown, made = 0, [request.set_id]
        match request.WhichOneof("of"):
            case "filter":
                expr = filters.all_of(filters.parse(request.filter), call.access.condition())
                filters.check(expr, self._facts)
                about = {"filter": filters.describe(expr)}
                self._cohort(request, about, to_sql(expr))
            case "films":
                ids = self._seen(request.films.image_ids, call)
                unknown = len(set(request.films.image_ids)) - len(ids)
                self._cohort(request, {}, ids)
            case "clusters":
                made = self._clusters(request, call)
            case _:
                raise invalid("say which films: a filter, films or the clusters of a run")
        self._upkeep.soon()
        seen = _condition(call)
        return sets_pb2.CreateSetResponse(
            sets=[_message(sets.get(self._facts, name, seen)) for name in made], unknown=unknown
        )

    def list_sets(self, request: sets_pb2.ListSetsRequest, call: Call) -> sets_pb2.ListSetsResponse:
        if request.kind not in ("", COHORT, CLUSTER):
            raise invalid(f"kind is {COHORT} or {CLUSTER}")
        size = paging.size(request.page_size, _PAGE)
        after = paging.position(request.page_token)
        found = sets.listed(self._facts, request.kind, after, size + 1, _condition(call), request.begins)
        token = paging.token(found[size - 1].set_id) if len(found) > size else ""
        return sets_pb2.ListSetsResponse(sets=map(_message, found[:size]), next_page_token=token)

    def delete_set(self, request: sets_pb2.DeleteSetRequest, call: Call) -> sets_pb2.DeleteSetResponse:
        """Of films that the caller may not see nothing is said, and no set that has one is deleted."""
        found = sets.listed(self._facts, size=_MOST_SETS, seen=_condition(call), begins=request.set_id)
        mine = [one for one in found if one.set_id == request.set_id or one.set_id.startswith(f"{request.set_id}/")]
        if not mine or not request.set_id:
            raise HilumError(ErrorCode.NOT_FOUND, "no such set; `hilum sets list` shows those there are")
        if call.access != ALL:
            whole = {one.set_id: one.films for one in sets.listed(self._facts, size=_MOST_SETS, begins=request.set_id)}
            if any(whole[one.set_id] > one.films for one in mine):
                raise HilumError(ErrorCode.PERMISSION_DENIED, "this set was made by somebody who may see more")
        sets.move(self._facts, [one.set_id for one in mine], sets.WRITING, sets.DELETING)
        sets.move(self._facts, [one.set_id for one in mine], sets.READY, sets.DELETING)
        self._upkeep.soon()
        return sets_pb2.DeleteSetResponse(sets=len(mine))

    def _cohort(
        self, request: sets_pb2.CreateSetRequest, about: dict[str, object], films: list[str] | Condition
    ) -> None:
        sets.create(self._facts, sets.name(request.set_id), COHORT, request.title, about, films)

    def _clusters(self, request: sets_pb2.CreateSetRequest, call: Call) -> list[str]:
        if request.set_id:
            raise invalid("clusters have names of their own: run/model/resolution/number; leave set_id out")
        asked = request.clusters
        made = []
        with self._facts.write():
            for cluster in clusters.read(self._runs, asked.run_id, asked.model, asked.resolution):
                if len(made) == _MOST_SETS:
                    raise invalid(f"the run has more than {_MOST_SETS} clusters; name a model and a resolution")
                if films := self._seen(cluster.films, call):
                    about = {"run_id": cluster.run_id, "model": cluster.model, "resolution": cluster.resolution}
                    sets.create(self._facts, cluster.name, CLUSTER, request.title, about, films)
                    made.append(cluster.name)
        return made

    def _seen(self, ids: object, call: Call) -> list[str]:
        """Those of `ids` that are films which the caller may see."""
        wanted = {parse_image_id(image_id) for image_id in ids}  # type: ignore[attr-defined]
        if len(wanted) > _MOST_IDS:
            raise HilumError(ErrorCode.PAYLOAD_TOO_LARGE, f"a set is made of at most {_MOST_IDS} ids; use a filter")
        return images.those(self._facts, wanted, _condition(call))


def _condition(call: Call) -> Condition | None:
    return None if call.access == ALL else to_sql(call.access.condition())


def _message(one: FilmSet) -> sets_pb2.FilmSet:
    return sets_pb2.FilmSet(
        set_id=one.set_id, kind=one.kind, title=one.title, films=one.films, created_at=one.created_at, state=one.state,
        filter=str(one.about.get("filter", "")), run_id=str(one.about.get("run_id", "")),
    )  # fmt: skip
