"""Who is matched with whom, among the cases and the possible controls of one exact stratum.

Controls at the same coordinates stand in one line, in the order of the draw, and lines are found by a k-d tree: where
nothing tells controls apart, the seed chooses. A control patient is one partner, whichever of the films.

Nothing is as large as cases × controls. An optimal assignment is made among the few nearest patients of each case; the
dual prices of its linear program then say for which cases somebody farther off could make it better, and only these
look farther, until none is left: what comes out is optimal among all.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial import cKDTree

MOST_EDGES = 1_000_000  # of an optimal assignment: a few seconds
_FIRST = 32  # lines that a greedy case looks at to begin with
_NEAR, _MORE = 8, 4  # patients that a case of an optimal assignment looks at to begin with, and so many times as many
_ROUNDING = 1e-9

Rows = NDArray[np.int64]
Far = NDArray[np.float64]
Pairs = tuple[Rows, Rows, Far]  # position of the case, position of the control, their distance


class Lines:
    """Controls: place (M, D + B) in coordinates, patients (M,) and order (M,) in the draw. limit: the farthest that
    may be matched, infinite for any.  boxes: B, the last columns, no part of the distance: 1 apart in any is too far.
    """

    def __init__(
        self, place: Far, patients: NDArray[np.int32], order: NDArray[np.uint64], limit: float, boxes: int = 0
    ) -> None:
        queue = np.lexsort((order, *place.T))
        apart = np.concatenate([[True], (place[queue][1:] != place[queue][:-1]).any(axis=1)])
        line = np.cumsum(apart) - 1
        # Of a patient's films at one place the first stands for all.
        who = _as_drawn(patients, order)
        _, first = np.unique(line * (int(who.max()) + 1) + who[queue], return_index=True)
        first.sort()
        self.film = queue[first]
        self.patient = who[self.film]
        self.start = np.searchsorted(line[first], np.arange(apart.sum() + 1))
        self.points = place[queue[apart]]
        self._first_of = order[self.film[self.start[:-1]]]
        self._limit = limit * (1 + 1e-9) + 1e-12  # a tree leaves out what is just as far
        self._distant = place.shape[1] - boxes  # D
        self._boxed = bool(boxes) or not self._distant
        if not self._boxed:
            self._tree = cKDTree(self.points)
        elif boxes:
            self._sorted = np.argsort(self.points[:, self._distant], kind="stable")
            self._keys = self.points[self._sorted, self._distant]

    def near(self, at: Far, k: int) -> tuple[Far, Rows]:
        """(n, k) distances and lines nearest to (n, D + B) places, infinite and −1 where there are no more."""
        k = min(k, len(self.points))
        if self._boxed:
            return self._in_box(at, k)
        far, line = self._tree.query(at, k=np.arange(1, k + 1), distance_upper_bound=self._limit)
        line = np.where(np.isfinite(far), line, -1)
        order = np.lexsort((self._first_of[line], far), axis=1)
        return np.take_along_axis(far, order, axis=1), np.take_along_axis(line, order, axis=1)

    def _in_box(self, at: Far, k: int) -> tuple[Far, Rows]:
        far, line = np.full((len(at), k), np.inf), np.full((len(at), k), -1)
        edge, d = 1 + 1e-9, self._distant
        for case, place in enumerate(at):
            some = np.arange(len(self.points))
            if len(place) > d:
                some = self._sorted[slice(*np.searchsorted(self._keys, (place[d] - edge, place[d] + edge)))]
                some = some[(np.abs(self.points[some, d:] - place[d:]) <= edge).all(axis=1)]
            apart = np.linalg.norm(self.points[some, :d] - place[:d], axis=1)
            inside = apart < self._limit
            if inside.sum() > k:  # the k-th distance first, and who is as far: sorting all would take most of the time
                inside &= apart <= np.partition(apart, k - 1)[k - 1]
            some, apart = some[inside], apart[inside]
            best = np.lexsort((self._first_of[some], apart))[:k]
            far[case, : len(best)], line[case, : len(best)] = apart[best], some[best]
        return far, line

    def candidates(self, at: Far, patients: int) -> list[tuple[Rows, Far]]:
        """Of each case its nearest patients, so many where there are: positions in `film`, and distances."""
        found: list[tuple[Rows, Far]] = [(np.empty(0, np.int64), np.empty(0))] * len(at)
        left, k = np.arange(len(at)), patients
        while len(left):
            far, line = self.near(at[left], k)
            short = []
            for place, (distances, lines) in enumerate(zip(far, line, strict=True)):
                mine = found[left[place]] = self._patients(distances, lines, patients)
                if len(mine[0]) < patients and k < len(self.points) and lines[-1] >= 0:
                    short.append(left[place])
            left, k = np.array(short, np.int64), k * 4
        return found

    def _patients(self, far: Far, line: Rows, most: int) -> tuple[Rows, Far]:
        """The first patients along these lines, each where they come first."""
        far, line = far[line >= 0], line[line >= 0]
        size = np.minimum(self.start[line + 1] - self.start[line], most)
        enough = int(np.searchsorted(np.cumsum(size), 4 * most)) + 1  # some patients stand in several lines
        for lines in (enough, len(line)):
            some = size[:lines]
            at = np.repeat(self.start[line[:lines]] - np.cumsum(some) + some, some) + np.arange(some.sum())
            _, first = np.unique(self.patient[at], return_index=True)
            if len(first) >= most:
                break
        first = np.sort(first)[:most]
        return at[first], np.repeat(far[:lines], some)[first]


def nearest(lines: Lines, at: Far, wants: Rows) -> Pairs:
    """Every case the nearest patients, as many as it wants (n,), whoever else has them."""
    found = [
        (rows[:want], far[:want])
        for (rows, far), want in zip(lines.candidates(at, int(wants.max())), wants, strict=True)
    ]
    case, rows, far = _flat(found)
    return case, lines.film[rows], far


def optimal(lines: Lines, at: Far, wants: Rows, uses: int, most: int = MOST_EDGES) -> Pairs | None:
    """No patient serves more than `uses` cases: of all such assignments, as many cases as can be have a control, then
    as many controls are matched as can be, then the sum of distances is the least. None where it would take more than
    `most` edges."""
    k = np.full(len(at), max(_NEAR, int(wants.max())))
    found, short = [(np.empty(0, np.int64), np.empty(0))] * len(at), np.ones(len(at), bool)
    while True:
        for size in np.unique(k[short]):
            cases = np.flatnonzero(short & (k == size))
            for one, mine in zip(cases, lines.candidates(at[cases], int(size)), strict=True):
                found[one] = mine
        case, rows, far = _flat(found)
        held = np.bincount(case, minlength=len(at))
        if (held * wants).sum() * uses > most:
            return None
        edges, price = _assigned(case, lines.patient[rows], far, wants, uses)
        last = np.array([apart[-1] if len(apart) else 0.0 for _, apart in found])
        short = (held == k) & (price > last + _ROUNDING)
        if not short.any():
            return case[edges], lines.film[rows[edges]], far[edges]
        k[short] *= _MORE


def _assigned(case: Rows, patient: Rows, far: Far, wants: Rows, uses: int) -> tuple[Rows, Far]:
    """Which of the edges are chosen, and (cases,) the price of each case: nobody farther than that makes it better."""
    wanted = int(wants.sum())
    people, person = np.unique(patient, return_inverse=True)
    # A row for each control that a case wants; a column for each time that a patient may serve, then one for nobody.
    begins = np.cumsum(wants) - wants
    copy = np.arange(wanted) - np.repeat(begins, wants)
    times = wants[case] * uses
    edge = np.repeat(np.arange(len(case)), times)
    which = np.arange(len(edge)) - np.repeat(np.cumsum(times) - times, times)
    seats = len(people) * uses
    row = np.concatenate([begins[case[edge]] + which // uses, np.arange(wanted)])
    column = np.concatenate([person[edge] * uses + which % uses, seats + np.arange(wanted)])
    cost = np.concatenate([far[edge], (far.max(initial=0.0) + 1) * (wanted + 1) * (wants.max() - copy)])
    graph = csr_array((cost + 1.0, (row, column)), shape=(wanted, seats + wanted))  # a weight of nought is no edge
    _, seat = min_weight_full_bipartite_matching(graph)
    chosen = np.flatnonzero(seat[row] == column)
    own = np.zeros(wanted)
    own[row[chosen]] = cost[chosen]
    # Prices of seats, at most 0: the shortest paths over what each row would pay more for another seat than its own.
    order = np.argsort(column, kind="stable")
    row_, more = row[order], (cost - own[row])[order]
    begin = np.flatnonzero(np.diff(column[order], prepend=-1))
    at, price = column[order][begin], np.zeros(seats + wanted)
    while True:
        less = np.minimum(price[at], np.minimum.reduceat(more + price[seat][row_], begin))
        if (price[at] - less).max(initial=0.0) <= _ROUNDING:
            break
        price[at] = less
    return edge[chosen[chosen < len(edge)]], np.maximum.reduceat(own - price[seat], begins)


def greedy(lines: Lines, at: Far, wants: Rows, uses: int) -> Pairs:
    """The nearest pair of all that are free, then the next; a second control only when every case has had its turn."""
    far, line = (list(found) for found in lines.near(at, _FIRST))
    ahead, used = lines.start[:-1].copy(), np.zeros(int(lines.patient.max()) + 1, np.int64)
    spot = np.zeros(len(at), np.int64)  # how far down its lines each case is: those before are empty
    found: list[tuple[int, int, float]] = []

    def free(number: int) -> bool:
        while ahead[number] < lines.start[number + 1] and used[lines.patient[ahead[number]]] >= uses:
            ahead[number] += 1
        return bool(ahead[number] < lines.start[number + 1])

    def next_of(case: int) -> float | None:
        while True:
            if spot[case] == len(line[case]):
                if len(line[case]) == len(lines.points):
                    return None
                more, lined = lines.near(at[case : case + 1], 4 * len(line[case]))
                far[case], line[case], spot[case] = more[0], lined[0], 0
            if (number := line[case][spot[case]]) < 0:
                return None
            if free(number):
                return float(far[case][spot[case]])
            spot[case] += 1

    for turn in range(int(wants.max())):
        having = np.flatnonzero(wants > turn).tolist()
        heap = [(distance, case) for case in having if (distance := next_of(case)) is not None]
        heapq.heapify(heap)
        while heap:
            distance, case = heapq.heappop(heap)
            now = next_of(case)
            if now is not None and now > distance:
                heapq.heappush(heap, (now, case))
            elif now is not None:
                film = ahead[line[case][spot[case]]]
                used[lines.patient[film]] += 1
                found.append((case, int(lines.film[film]), now))
    cases, films, apart = zip(*found, strict=True) if found else ((), (), ())
    return np.array(cases, np.int64), np.array(films, np.int64), np.array(apart, np.float64)


def _as_drawn(patients: NDArray[np.int32], order: NDArray[np.uint64]) -> Rows:
    """(M,) patients numbered as they come in the draw: of partners that are just as good a solver takes low numbers."""
    _, who = np.unique(patients, return_inverse=True)
    first = np.full(int(who.max()) + 1, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(first, who, order)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return rank[who]


def _flat(found: list[tuple[Rows, Far]]) -> Pairs:
    case = np.repeat(np.arange(len(found)), [len(rows) for rows, _ in found])
    return case, np.concatenate([rows for rows, _ in found]), np.concatenate([far for _, far in found])
