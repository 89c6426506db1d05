"""In which order a reader sees sets and films: each reader in their own, the same whenever they come back.

It follows from the study's seed and the reader's id alone, so nothing of it is stored. Sets that are withdrawn shift
no other.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.query.readerstudy.draw import number


def sets(seed: int, reader_id: str, count: int, twice: Sequence[int]) -> list[int]:
    """The numbers of `count` sets in the order that a reader sees them. The last of them repeat the sets `twice`, which
    come in the first half; the repeats come in the second, among the others."""

    def mixed(numbers: Sequence[int]) -> list[int]:
        return sorted(numbers, key=lambda one: number(seed, reader_id, "set", one))

    own = count - len(twice)
    once = mixed([n for n in range(own) if n not in set(twice)])
    half = max(0, count // 2 - len(twice))
    return mixed([*twice, *once[:half]]) + mixed([*range(own, count), *once[half:]])


def films(seed: int, reader_id: str, of_set: int, count: int) -> list[int]:
    """places[i]: which of the set's own films stands at place i + 1."""
    return sorted(range(count), key=lambda one: number(seed, reader_id, "film", of_set, one))
