"""One round of UMAP's layout (McInnes et al. 2018, algorithm 5): every film is drawn to its neighbours and pushed away
from a few others, compiled by numba.

Two thirds of a round were calls of `pow`, so the curve is worked out here, to 2e-4, in a few products. That and pushes
without a branch made 200 rounds of 100,000 films 5 CPU s instead of 25, to the same quality (docs/decisions/0005).
"""

from __future__ import annotations

import numba
import numpy as np

# The curve 1 / (1 + a·d^2b) that fits min_dist 0.1, spread 1: umap-learn's defaults (tested against its own fit).
A, B = 1.5769434602697652, 0.8950608779665827
NEGATIVES = 5  # films pushed away for each pair drawn together
# Pulls after which a film is pushed. UMAP pushes after each, which takes half as long again; after all of them, pushes
# weigh more, and maps are wider: of real films trustworthiness .940, not .932, but continuity .922, not .932.
TOGETHER = 2
# Numbers of the inner loop, all float32: mixed with float64 it takes half as long again.
_A, _B, _NONE, _ONE, _TWO, _NEAR, _FAR, _FAR_MINUS = (
    np.float32(value) for value in (A, B, 1e-30, 1.0, 2.0, 0.001, 4.0, -4.0)
)
# log2(m), 1 ≤ m < 2, and 2^f, 0 ≤ f < 1: NumPy's Chebyshev fits at 2001 points, which are off by 2e-4 at most.
_L0, _L1, _L2, _L3, _L4, _E0, _E1, _E2, _E3 = (
    np.float32(value)
    for value in (-2.496846, 4.028548, -2.081214, 0.6288736, -0.07915816, 0.9998125, 0.6968362, 0.2241284, 0.07902041)
)
_BIAS = np.float32(127.0)  # of a float32's exponent


@numba.njit(cache=True, fastmath=True)
def _clip(value):  # type: ignore[no-untyped-def]
    return min(max(value, _FAR_MINUS), _FAR)


@numba.njit(cache=True, fastmath=True)
def _curve(square):  # type: ignore[no-untyped-def]
    """A · square^B, float32, to 2e-4: from exponent and mantissa, because nothing else here takes as long as `pow`."""
    bits = np.float32(square).view(np.int32)
    m = np.int32((bits & np.int32(0x7FFFFF)) | np.int32(0x3F800000)).view(np.float32)
    log = np.float32(np.int32(bits >> 23) - np.int32(127)) + (_L0 + m * (_L1 + m * (_L2 + m * (_L3 + m * _L4))))
    power = _B * log + _BIAS
    whole = np.int32(power)
    f = power - np.float32(whole)
    return _A * np.int32(whole << 23).view(np.float32) * (_E0 + f * (_E1 + f * (_E2 + f * _E3)))


@numba.njit(cache=True, fastmath=True)
def _pushes(at_x, at_y, before, first, begin, end):  # type: ignore[no-untyped-def]
    """How far the pushes `begin` to `end` move a film that is at (at_x, at_y): worked out together, eight or sixteen by
    an instruction, because nothing in them branches."""
    films = np.uint64(before.shape[0])
    by_x, by_y = np.float32(0), np.float32(0)
    for push in range(begin, end):
        k = _other(first, push, films)
        x, y = at_x - before[k, 0], at_y - before[k, 1]
        square = x * x + y * y
        strength = _TWO * _B / ((_NEAR + square) * (_curve(square) + _ONE))
        by_x += _clip(strength * x)  # none from itself: there x is 0
        by_y += _clip(strength * y)
    return by_x, by_y


@numba.njit(cache=True, fastmath=True, parallel=True)
def round_(place, before, starts, tail, often, now, rate, seed):  # type: ignore[no-untyped-def]
    """Draw each film towards the neighbours that are due, and push it from a few others, in place.

    A film moves by where the others were in the round before: so films may be moved at the same time, by any number of
    threads, to the same map. An edge is in the graph both ways, and UMAP moves both of its films each time: a film is
    drawn twice as far here, once for each.

    place, before (N, 2) float32; starts (N + 1,) int64, tail (E,) int32: the graph's rows; often (E,) float32: the
    share of rounds that draw an edge; now int; rate float32; seed uint64.
    """
    this, next_one = np.float32(now), np.float32(now + 1)
    for j in numba.prange(place.shape[0]):
        state = (np.uint64(j) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)  # SplitMix64's constants
        state ^= seed + np.uint64(now) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(31))) * np.uint64(0x94D049BB133111EB)
        first = np.uint32(state >> np.uint64(32))
        at_x, at_y = before[j, 0], before[j, 1]
        drawn, pushed = 0, 0
        for edge in range(starts[j], starts[j + 1]):
            if np.int32(often[edge] * this) == np.int32(often[edge] * next_one):
                continue
            k = tail[edge]
            x, y = at_x - before[k, 0], at_y - before[k, 1]
            square = max(x * x + y * y, _NONE)
            curve = _curve(square)
            pull = -_TWO * _B * curve / (square * (curve + _ONE))
            at_x += _TWO * _clip(pull * x) * rate
            at_y += _TWO * _clip(pull * y) * rate
            drawn += NEGATIVES
            if drawn - pushed == TOGETHER * NEGATIVES:
                by_x, by_y = _pushes(at_x, at_y, before, first, pushed, drawn)
                at_x, at_y, pushed = at_x + by_x * rate, at_y + by_y * rate, drawn
        by_x, by_y = _pushes(at_x, at_y, before, first, pushed, drawn)
        place[j, 0], place[j, 1] = at_x + by_x * rate, at_y + by_y * rate


@numba.njit(cache=True)
def _other(first, number, films):  # type: ignore[no-untyped-def]
    """A film at random, the `number`-th of those that begin at `first`: a mixer of 32 bits (C. Wellons' lowbias32)."""
    mixed = np.uint32(first + np.uint32(np.uint32(number) * np.uint32(0x9E3779B9)))
    mixed = np.uint32(np.uint32(mixed ^ np.uint32(mixed >> np.uint32(16))) * np.uint32(0x7FEB352D))
    mixed = np.uint32(np.uint32(mixed ^ np.uint32(mixed >> np.uint32(15))) * np.uint32(0x846CA68B))
    mixed = np.uint32(mixed ^ np.uint32(mixed >> np.uint32(16)))
    return np.int64((np.uint64(mixed) * films) >> np.uint64(32))
