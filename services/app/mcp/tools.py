"""The tools: every one reads, and answers with its provenance.

tools = Tools(client)
tools.search(text="large left pleural effusion", limit=5)
"""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any
from uuid import UUID

from mcp.server.mcpserver import Image
from pydantic import Field

from hilum import Asked, HilumError, Stored, Words, showing
from hilum.things import Thing
from services.app.mcp import answers, runs
from services.app.mcp.reading import ReadingClient

_MOST = 50
_SETS = 200
Answer = dict[str, Any]

Text = Annotated[str, Field(description="Words, such as 'large left pleural effusion, no pneumothorax'.")]
FilmId = Annotated[str, Field(description="Id of a stored film, as answers give it.")]
Like = Annotated[list[str], Field(description="Films by id, or words, that answers are to be like.")]
Unlike = Annotated[list[str], Field(description="Films by id, or words, that they are to be unlike; needs like.")]
Where = Annotated[
    str, Field(description='AIP-160 filter: view = "PA" AND age >= 40 AND labels.edema = present. OR binds tighter.')
]
Models = Annotated[list[str], Field(description="Model names as `models` tells them; several are fused.")]
Exclude = Annotated[str, Field(description="Whose films do not count: patient, study or none.")]
Mode = Annotated[str, Field(description="nearest, typical, atypical, lookalike or disagree.")]
Finding = Annotated[str, Field(description="What a mode is about, such as pleural_effusion.")]


class Tools:
    """Each public method is a tool; its docstring is what an assistant reads."""

    def __init__(self, client: ReadingClient, pictures: bool = True) -> None:
        self._client, self._pictures = client, pictures

    def search(
        self,
        text: Text = "",
        film: FilmId = "",
        like: Like = [],  # noqa: B006 - the schema shows it; nobody writes to it
        unlike: Unlike = [],  # noqa: B006
        where: Where = "",
        models: Models = [],  # noqa: B006
        limit: Annotated[int, Field(ge=1, le=_MOST)] = 10,
        mode: Mode = "nearest",
        finding: Finding = "",
        exclude: Exclude = "patient",
        group_by: Annotated[str, Field(description="patient or study: hits stand together.")] = "",
        per_patient: Annotated[int, Field(ge=0, description="At most so many films of one patient; 0: all.")] = 0,
        diversity: Annotated[float, Field(ge=0, le=1, description="0 the nearest, 1 the most different.")] = 0.0,
        priors: Annotated[bool, Field(description="Also the patient's own films in time order.")] = False,
    ) -> Answer:
        """Find chest X-rays by words (text), similar to a stored one (film), or like and unlike examples: give one.
        Examples beside a text or a film move what it finds.

        Scores are cosines, or fused scores of several models; probability is given where scores were calibrated. When
        nothing_comparable is there, no film is near enough to be called similar. Modes: typical and atypical films of a
        finding need no text or film; lookalike films are near and have another diagnosis; disagree needs two models.
        """
        what = _asked(text, film, like, unlike)
        found = self._client.search(
            **what, where=where, models=models, limit=limit, mode=mode, finding=finding, exclude=exclude,
            group_by=group_by, per_patient=per_patient, diversity=diversity, priors=priors,
        )  # fmt: skip
        return answers.search(found)

    def why_not(
        self,
        film: FilmId,
        text: Text = "",
        similar_to: Annotated[str, Field(description="Id of the stored film that was searched by.")] = "",
        where: Where = "",
        models: Models = [],  # noqa: B006
        limit: Annotated[int, Field(ge=1, le=_MOST)] = 10,
        exclude: Exclude = "patient",
    ) -> Answer:
        """Say why a film is not among the answers of a search: filtered, excluded, ranked below the limit, or else."""
        reasons = self._client.why_not(
            film, **_asked(text, similar_to, [], []), where=where, models=models, limit=limit, exclude=exclude
        )
        return answers.said({"reasons": [str(reason) for reason in reasons]}, filter=where, limit=limit)

    def facets(
        self,
        where: Where = "",
        fields: Annotated[list[str], Field(description="Such as view, sex, dataset, labels or labels.edema.")] = [],  # noqa: B006
    ) -> Answer:
        """Count films by field and value, exactly, among those that match a filter. Good to learn what is there."""
        return answers.said({"facets": self._client.facets(where, fields)}, filter=where, counts="exact")

    def image(self, film: FilmId) -> list[Any]:
        """A film's record, and its picture (small, not for reading)."""
        record = answers.film(self._client.image(film))
        if not self._pictures:
            return [answers.said({"film": record, "picture": "not shown: this server was started without pictures"})]
        picture = self._client.thumbnail(film)
        return [answers.said({"film": record}), Image(data=picture, format=showing.kind(picture).partition("/")[2])]

    def models(self) -> Answer:
        """The encoders at hand: names, whether they know words, how many films each has."""
        return answers.said({"models": [answers.plain(model) for model in self._client.models()]})

    def list_runs(self) -> Answer:
        """Analyses that were made, newest first: maps with clusters, retrieval quality, calibration, hubs."""
        keys = ("run_id", "kind", "state", "created_at")
        found = [answers.plain(run) for run in self._client.runs()]
        return answers.said({"runs": [{key: run.get(key) for key in keys} for run in found]})

    def run(self, run_id: Annotated[str, Field(description="As `list_runs` tells it.")]) -> Answer:
        """What came of an analysis: of a map its clusters with their findings, of others their tables."""
        run = self._client.run(run_id)
        made = answers.plain(run).get("manifest", {})
        return answers.said(runs.summary(self._client, run), asked=made.get("asked"), versions=made.get("versions"))

    def cohorts(self, kind: Annotated[str, Field(description="cohort, cluster, or empty for both.")] = "") -> Answer:
        """Sets of films that have a name; filters use it: cohort = "name", cluster = "run/model/resolution/number"."""
        found = list(islice(self._client.sets(kind), _SETS + 1))
        more = {"more": f"only the first {_SETS} are told"} if len(found) > _SETS else {}
        return answers.said({"sets": [answers.plain(one) for one in found[:_SETS]], **more})


def _asked(text: str, film: str, like: list[str], unlike: list[str]) -> Asked:
    """What was given. Strings are ids or words, never files: an assistant reads none of this machine's."""
    if text and film:
        raise HilumError("INVALID_ARGUMENT", "give one of text or a film; films can be among like, beside the text")
    asked: Asked = {}
    if text:
        asked["text"] = text
    if film:
        asked["id"] = film
    if like or unlike:
        asked["like"], asked["unlike"] = [*map(_thing, like)], [*map(_thing, unlike)]
    return asked


def _thing(text: str) -> Thing:
    try:
        return Stored(str(UUID(text)))
    except ValueError:
        return Words(text)
