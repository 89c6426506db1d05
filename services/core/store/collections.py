"""Collections: one per encoder fingerprint, with payload indexes, and an alias per model name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from qdrant_client import QdrantClient, models

from services.core.errors import HilumError
from services.core.models import IMAGE_VECTOR, ModelSpec
from services.core.store.connection import Connection
from services.core.store.payload import INDEXES, LISTS
from services.core.store.retry import WRITE_PATIENCE


class Collections(Connection):
    """Make, name and drop collections."""

    def ensure(self, spec: ModelSpec) -> None:
        """Make the model's collection with its indexes; no more than a look when all is there.

        A model name nobody answers to yet gets its alias here; a new fingerprint of a known name answers only once
        `switch_alias` says so, when its films are re-embedded.
        """
        if not self._exists(spec):
            several = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
            config = {
                IMAGE_VECTOR: models.VectorParams(
                    size=spec.dim,
                    distance=models.Distance.COSINE,
                    multivector_config=several if spec.tokens > 1 else None,
                )
            }
            try:
                create = partial(QdrantClient.create_collection, collection_name=spec.collection, vectors_config=config)
                self._ask(spec.collection, create, WRITE_PATIENCE)
            except HilumError:
                if not self._exists(spec):  # somebody else was faster: that is fine
                    raise
        self.index_fields(spec)  # before the first point: an index made later is made from scratch
        if spec.alias not in self.aliases():
            self.switch_alias(spec)

    def index_fields(self, spec: ModelSpec) -> None:
        """Index all that every point may carry; what is indexed already costs no more than a look."""
        lists = dict.fromkeys(LISTS, models.PayloadSchemaType.KEYWORD)
        self._index(spec, {**INDEXES, **lists, "form": models.PayloadSchemaType.INTEGER})

    def index_label(self, spec: ModelSpec, name: str) -> None:
        """Index one finding, so that filters on it are fast."""
        self.index_labels(spec, [name])

    def index_labels(self, spec: ModelSpec, names: Sequence[str]) -> None:
        """Index findings; those that are indexed already cost no more than a look."""
        self._index(spec, {f"labels.{name}": models.PayloadSchemaType.KEYWORD for name in names})

    def aliases(self) -> dict[str, str]:
        """Alias → the collection it points at."""
        found = self._each(_aliases)
        return {alias: collection for theirs in found for alias, collection in theirs.items()}

    def switch_alias(self, spec: ModelSpec) -> None:
        """Let this fingerprint answer for its model's name: one step within an engine, no moment without an answer.
        From one engine to another it takes two, with the new one first."""
        drop = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=spec.alias))
        make = models.CreateAliasOperation(
            create_alias=models.CreateAlias(collection_name=spec.collection, alias_name=spec.alias)
        )

        def switch(engine: QdrantClient) -> None:
            operations: list[models.AliasOperations] = [drop, make] if spec.alias in _aliases(engine) else [make]
            engine.update_collection_aliases(operations)

        def leave(engine: QdrantClient) -> None:
            if _aliases(engine).get(spec.alias, spec.collection) != spec.collection:
                engine.update_collection_aliases([drop])

        self._ask(spec.collection, switch, WRITE_PATIENCE)
        self._each(leave, WRITE_PATIENCE)

    def collections(self) -> list[str]:
        """Names of all collections."""
        return self._collections()

    def drop(self, collection: str) -> None:
        """Delete a collection with all its vectors."""
        self._ask(collection, lambda engine: engine.delete_collection(collection), WRITE_PATIENCE)

    def _exists(self, spec: ModelSpec) -> bool:
        return self._ask(spec.collection, lambda engine: engine.collection_exists(spec.collection), WRITE_PATIENCE)

    def _index(self, spec: ModelSpec, fields: Mapping[str, models.PayloadSchemaType]) -> None:
        collection = spec.collection
        known = self._ask(collection, lambda engine: engine.get_collection(collection).payload_schema, WRITE_PATIENCE)
        missing = [(field, kind) for field, kind in fields.items() if field not in known]
        for field, kind in missing:
            last = field == missing[-1][0]  # to wait for the last is to wait for all
            index = partial(
                QdrantClient.create_payload_index, collection_name=collection, field_name=field, field_schema=kind,
                wait=last,
            )  # fmt: skip
            self._ask(collection, index, WRITE_PATIENCE)


def _aliases(engine: QdrantClient) -> dict[str, str]:
    return {one.alias_name: one.collection_name for one in engine.get_aliases().aliases}
