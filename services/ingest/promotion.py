"""Which of several fingerprints answers for a model's name: one changes over to another when somebody says so.

Facts decide, in one transaction with the record of it; the engine's alias follows. A process that dies in between
leaves an alias behind, which `mend` sets right at the next start: nobody here asks by alias.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, models, promotions
from services.core.facts.promotions import Promotion
from services.core.models import ModelSpec
from services.core.store import VectorStore
from services.ingest.crash import Reached, nowhere

AUTO, ASK = "auto", "ask"


def waiting(facts: Facts, store: VectorStore, specs: Sequence[ModelSpec], how: str = ASK) -> dict[str, object]:
    """Name → how many films its new fingerprint holds, and how many the answering one does, for those that wait.

    how ``auto``: one that holds as many takes the name over at once, unseen. One that nothing can be compared with, as
    the answering one holds no film, does so in any case.
    """
    held, answering, found = images.count_by_model(facts), models.active(facts), {}
    for spec in specs:
        current = answering.get(spec.name, spec)
        if current.fingerprint == spec.fingerprint:
            continue
        films, needed = held.get(spec.fingerprint, 0), held.get(current.fingerprint, 0)
        if not needed or (how == AUTO and films >= needed):
            switch(facts, store, spec, Promotion.AUTOMATIC)
        else:
            found[spec.name] = {"films": films, "of": needed}
    return found


def candidate(facts: Facts, name: str, fingerprint: str = "") -> tuple[ModelSpec, ModelSpec]:
    """(who answers for `name`, who is to). fingerprint: or its beginning; the only other one by default.

    Raises UNKNOWN_MODEL, NOT_FOUND, INVALID_ARGUMENT.
    """
    now = models.named(facts, name)
    others = [spec for spec in models.fingerprints(facts, name) if spec.fingerprint != now.fingerprint]
    fitting = [spec for spec in others if spec.fingerprint.startswith(fingerprint)]
    if not fitting:
        raise HilumError(
            ErrorCode.NOT_FOUND,
            f"{name} has no other fingerprint that could answer; ingest films with the changed model first",
        )
    if len(fitting) > 1:
        there = ", ".join(spec.fingerprint[:12] for spec in fitting)
        raise HilumError(ErrorCode.INVALID_ARGUMENT, f"{name} has several; say which by fingerprint: {there}")
    return now, fitting[0]


def switch(
    facts: Facts, store: VectorStore, spec: ModelSpec, how: str, comparison: Mapping[str, object] | None = None,
    reached: Reached = nowhere,
) -> Promotion:  # fmt: skip
    """Let `spec` answer for its name. Films are found by the one or by the other at any moment, never by none."""
    with facts.write():
        before = models.named(facts, spec.name)
        models.register(facts, spec)
        record = promotions.add(facts, spec, before, how, comparison or {})
    reached("promoted")
    store.switch_alias(spec)
    return record


def rollback(facts: Facts, store: VectorStore, name: str, reached: Reached = nowhere) -> Promotion:
    """Undo the promotion that made the answering fingerprint answer. Raises UNKNOWN_MODEL, FAILED_PRECONDITION."""
    now = models.named(facts, name)
    last = promotions.last(facts, now.fingerprint)
    before = {spec.fingerprint: spec for spec in models.fingerprints(facts, name)}
    if last is None or last.previous not in before:
        raise HilumError(ErrorCode.FAILED_PRECONDITION, f"{name} was never promoted to what answers now")
    spec = before[last.previous]
    if spec.collection not in store.collections():
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION, f"the vectors of {name} from before are gone; ingest with that model again"
        )
    return switch(facts, store, spec, Promotion.ROLLBACK, reached=reached)


def mend(facts: Facts, store: VectorStore) -> list[str]:
    """Point aliases where facts say; the names that needed it. For the start: a switch may have been cut short."""
    there, aliases = set(store.collections()), store.aliases()
    wrong = [
        spec for spec in models.active(facts).values()
        if spec.collection in there and aliases.get(spec.alias) != spec.collection
    ]  # fmt: skip
    for spec in wrong:
        store.switch_alias(spec)
    return [spec.name for spec in wrong]
