"""Of how many films that pass its filter a search still compares all, instead of walking the graph.

A walk goes from film to film that passes. Where few do, or those that do lie far from the question, it must be long and
misses some all the same; comparing all is exact, and up to most of a collection takes no longer. The figures are in
docs/decisions/0002-embedded-engine.md. An engine takes one number, in KB of vectors; what is right grows with the
collection, so it is set anew with every graph, in steps, for a graph made with another number has to be made again.
"""

from __future__ import annotations

import math

SHARE = 0.75  # a filter that passes more, as one that leaves out a patient, walks
FEWEST, MOST = 20_000, 2**18


def points(stored: int) -> int:
    """Of a collection of so many points."""
    wished = min(max(SHARE * stored, FEWEST), MOST)
    return int(2 ** (math.floor(2 * math.log2(wished)) / 2))


def kilobytes(stored: int, size: int, width: int) -> int:
    """The same in the engine's unit. size, width: numbers of a vector, and bytes of each."""
    return math.ceil(points(stored) * size * width / 1024)
