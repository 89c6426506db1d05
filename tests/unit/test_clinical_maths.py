"""Survival, odds, promises, the autoencoder and clusters, each against its definition or another's implementation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from lifelines import CoxPHFitter
from lifelines.utils import concordance_index
from numpy.typing import NDArray
from scipy import optimize, stats
from sklearn.datasets import make_blobs

from services.analytics.clinical import associate, cox, groups, outcome, survival, vae
from services.analytics.clinical.join import Column
from services.analytics.clinical.outcome import Outcome
from services.analytics.clinical.spaces import FUSED, TABLES, VECTORS, Data, points, reduce
from services.analytics.clinical.tables import Coding
from services.core.errors import HilumError

Numbers = NDArray[np.float64]
Bools = NDArray[np.bool_]


def patients(n: int = 90, seed: int = 0, ties: bool = True) -> tuple[Numbers, Numbers, Bools]:
    """Covariates, times and events; of two, only the first does anything."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((n, 3))
    time = random.exponential(np.exp(-0.9 * x[:, 0])) * 10
    end = random.uniform(2, 20, n)
    event = time <= end
    time = np.minimum(time, end)
    return x, np.ceil(time) if ties else time, event


def test_the_curve_is_scipys_and_the_plain_product() -> None:
    _, time, event = patients()
    found = survival.curve(time, event, [0, 3, 100])
    other = stats.ecdf(stats.CensoredData.right_censored(time, ~event)).sf
    band = other.confidence_interval(method="log-log")
    alive = 1.0
    for t in np.unique(time[event]):
        alive *= 1 - (event & (time == t)).sum() / (time >= t).sum()
        place = np.searchsorted(found.times, t, side="right") - 1
        assert np.isclose(found.alive[place], alive, rtol=0, atol=1e-12)
        there = np.flatnonzero(other.quantiles == t)[0]
        assert np.isclose(found.alive[place], other.probabilities[there], rtol=0, atol=1e-12)
        for mine, theirs in ((found.low, band.low), (found.high, band.high)):
            if np.isfinite(theirs.probabilities[there]):
                assert np.isclose(mine[place], theirs.probabilities[there], rtol=0, atol=1e-6)
    assert found.at_risk == [90, int((time >= 3).sum()), 0]
    assert found.median == next(t for t, a in zip(found.times, found.alive, strict=True) if a <= 0.5)
    nobody = survival.curve(time, np.zeros(90, bool), [0])
    assert (nobody.alive == 1).all()
    assert np.isnan(nobody.median)


@pytest.mark.parametrize("clusters", [2, 4])
def test_the_log_rank_test_is_the_plain_sum(clusters: int) -> None:
    x, time, event = patients()
    group = np.digitize(x[:, 0] + x[:, 1], np.linspace(-1, 1, clusters - 1)).astype(np.int32)
    short, spread = np.zeros(clusters), np.zeros((clusters, clusters))
    for t in np.unique(time[event]):
        at_risk = np.array([((time >= t) & (group == g)).sum() for g in range(clusters)], float)
        died = np.array([((time == t) & event & (group == g)).sum() for g in range(clusters)], float)
        n, d = at_risk.sum(), died.sum()
        short += died - d * at_risk / n
        if n > 1:
            share = at_risk / n
            spread += d * (n - d) / (n - 1) * (np.diag(share) - np.outer(share, share))
    square = short[1:] @ np.linalg.solve(spread[1:, 1:], short[1:])
    found, p = survival.log_rank(time, event, group)
    assert np.isclose(found, square, rtol=0, atol=1e-6)
    assert np.isclose(p, stats.chi2.sf(square, clusters - 1), rtol=0, atol=1e-6)
    if clusters == 2:
        sides = [stats.CensoredData.right_censored(time[group == g], ~event[group == g]) for g in (0, 1)]
        assert np.isclose(found, stats.logrank(*sides).statistic ** 2, rtol=0, atol=1e-6)


def efron(beta: Numbers, x: Numbers, time: Numbers, event: Bools) -> float:
    """−log partial likelihood, one event time after another (Efron 1977)."""
    found = 0.0
    for t in np.unique(time[event]):
        dead, risk = event & (time == t), np.exp(x[time >= t] @ beta).sum()
        tied = np.exp(x[dead] @ beta).sum()
        found += (x[dead] @ beta).sum()
        found -= sum(np.log(risk - k / dead.sum() * tied) for k in range(dead.sum()))
    return -float(found)


def breslow(beta: Numbers, x: Numbers, time: Numbers, event: Bools) -> float:
    """The same, ties by Breslow."""
    return -sum(
        float(x[i] @ beta - np.log(np.exp(x[time >= time[i]] @ beta).sum())) for i in np.flatnonzero(event)
    )  # fmt: skip


def least(of: Callable[[Numbers], float], size: int) -> Numbers:
    found: Numbers = optimize.minimize(of, np.zeros(size), method="BFGS", options={"gtol": 1e-9}).x
    return found


def test_hazard_ratios_are_those_of_the_likelihood_written_down() -> None:
    x, time, event = patients()
    best = least(lambda beta: efron(beta, x, time, event), 3)
    found = survival.cox(time, event, x)
    assert np.allclose(np.log([one.ratio for one in found]), best, rtol=0, atol=1e-6)
    step = 1e-4
    curve = np.array([
        [sum(s * u * efron(best + step * (s * np.eye(3)[a] + u * np.eye(3)[b]), x, time, event)
             for s in (1, -1) for u in (1, -1)) / (4 * step**2) for b in range(3)]
        for a in range(3)
    ])  # fmt: skip
    error = np.sqrt(np.diag(np.linalg.inv(curve)))
    assert np.allclose(np.log([one.high for one in found]), best + 1.959964 * error, atol=1e-4)
    assert found[0].p < 1e-6
    assert found[1].p > 0.05
    assert not survival.cox(time, np.zeros(90, bool), x)[0].known
    parted = (event[:, None] & (time[:, None] < 100)).astype(float)
    assert not survival.cox(time, event, parted)[0].known  # all events on one side: nothing to estimate


@pytest.mark.parametrize("penalty", [0.0, 3.0])
def test_the_penalised_model_is_the_penalised_likelihoods(penalty: float) -> None:
    x, time, event = patients()
    best = least(lambda beta: breslow(beta, x, time, event) + penalty / 2 * float(beta @ beta), 3)
    found = cox.fit(x, time, event, penalty)
    assert np.allclose(found, best, rtol=0, atol=1e-6)
    assert np.isclose(cox.likelihood(x, time, event, best), -breslow(best, x, time, event), rtol=0, atol=1e-9)


def test_without_penalty_and_ties_it_is_lifelines() -> None:
    x, time, event = patients(ties=False)
    table = pd.DataFrame(x).assign(time=time, event=event)
    theirs = CoxPHFitter().fit(table, "time", "event", fit_options={"precision": 1e-12}).params_
    assert np.allclose(cox.fit(x, time, event, 0.0), theirs, rtol=0, atol=1e-6)


def test_proportional_hazards_are_checked_by_their_residuals() -> None:
    x, time, event = patients(200, ties=False)
    beta = least(lambda beta: breslow(beta, x, time, event), 3)
    residual, spread = [], np.zeros((3, 3))
    for t in np.sort(time[event]):
        at_risk = x[time >= t]
        weight = np.exp(at_risk @ beta) / np.exp(at_risk @ beta).sum()
        mean = weight @ at_risk
        spread += (at_risk - mean).T @ (weight[:, None] * (at_risk - mean))
        residual.append(x[time == t][0] - mean)
    spread = np.linalg.inv(spread)
    scaled = len(residual) * np.array(residual) @ spread
    rank = np.arange(len(residual))
    rank = rank - rank.mean()
    square = (rank @ scaled) ** 2 / (len(residual) * np.diag(spread) * (rank**2).sum())
    found = survival.cox(time, event, x)
    assert np.allclose([one.proportional for one in found], stats.chi2.sf(square, 1), rtol=0, atol=1e-6)
    # A ratio that turns round: of those with x half die at once, the others last.
    has = np.arange(200) % 2 == 0
    when = np.where(has, np.where(np.arange(200) % 4 == 0, 0.1, 10.0), 3.0) + np.random.default_rng(0).random(200)
    late = survival.cox(when, np.ones(200, bool), has[:, None].astype(float))[0]
    assert late.proportional is not None
    assert late.proportional < 1e-3


def test_concordance_is_the_plain_count_of_pairs() -> None:
    x, time, event = patients(60)
    risk = np.round(x[:, 0], 1)
    times = np.random.default_rng(1).integers(0, 3, (2, 60))
    strata = np.arange(60) % 3
    for weight, parts in ((np.ones(60), np.zeros(60)), (times[0], strata), (times[1], np.zeros(60))):
        right = pairs = 0.0
        for i in range(60):
            for j in range(60):
                sooner = event[i] and (time[i] < time[j] or (time[i] == time[j] and not event[j]))
                if i != j and sooner and parts[i] == parts[j]:
                    pairs += weight[i] * weight[j]
                    right += weight[i] * weight[j] * ((risk[i] > risk[j]) + 0.5 * (risk[i] == risk[j]))
        found = cox.concordance(time, event, risk, weight[None].astype(float), parts.astype(np.int64))
        assert np.isclose(found[0], right / pairs, rtol=0, atol=1e-9)
    assert np.isclose(cox.concordance(time, event, risk)[0], concordance_index(time, -risk, event), rtol=0, atol=1e-9)


def test_odds_are_the_tables() -> None:
    random = np.random.default_rng(0)
    x = (random.random(200) < 0.4).astype(float)
    event = random.random(200) < 0.2 + 0.3 * x
    found = associate.odds(event, x)
    a, b, c, d = (((x == u) & (event == v)).sum() for u, v in ((1, True), (1, False), (0, True), (0, False)))
    assert np.isclose(found.ratio, a * d / (b * c), rtol=0, atol=1e-6)
    error = np.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    assert np.isclose(found.low, found.ratio * np.exp(-1.959964 * error), rtol=0, atol=1e-6)
    assert not associate.odds(event, event.astype(float)).known
    assert associate.adjusted([0.01, float("nan"), 0.04]) == pytest.approx([0.02, np.nan, 0.04], nan_ok=True)


def test_the_autoencoders_loss_and_slopes_are_torchs() -> None:
    random = np.random.default_rng(0)
    weights = vae.start(7, 3, 5, random)
    weights["noise"][:] = -0.3
    x, chance = random.standard_normal((11, 7)), random.standard_normal((11, 3))
    seen = random.random((11, 7)) < 0.8
    value, slopes = vae.loss(weights, x, seen, chance, 0.7)
    w = {name: torch.tensor(one, requires_grad=True) for name, one in weights.items()}
    tx, there = torch.tensor(x), torch.tensor(seen)
    inside = torch.tanh(tx @ w["enter"] + w["enter_b"])
    latent = torch.distributions.Normal(
        inside @ w["mean"] + w["mean_b"], torch.exp((inside @ w["spread"] + w["spread_b"]) / 2)
    )
    z = latent.mean + latent.stddev * torch.tensor(chance)
    drawn = torch.tanh(z @ w["leave"] + w["leave_b"]) @ w["draw"] + w["draw_b"]
    told = torch.distributions.Normal(drawn, torch.exp(w["noise"] / 2)).log_prob(tx) + 0.5 * np.log(2 * np.pi)
    normal = torch.distributions.Normal(0.0, 1.0)
    apart = torch.distributions.kl_divergence(latent, normal).sum()
    loss = (-(told * there).sum() + 0.7 * apart) / 11
    loss.backward()
    assert np.isclose(value, loss.item(), rtol=0, atol=1e-9)
    for name, slope in slopes.items():
        assert np.allclose(slope, w[name].grad.numpy(), rtol=0, atol=1e-9), name


def test_the_autoencoder_finds_the_line_that_patients_lie_on() -> None:
    random = np.random.default_rng(0)
    hidden = random.standard_normal(300)
    x = np.outer(hidden, random.standard_normal(8)) + 0.2 * random.standard_normal((300, 8))
    seen = random.random(x.shape) < 0.9
    z = vae.place(vae.learn(np.where(seen, x, 0.0), seen, 2, 0), np.where(seen, x, 0.0))
    assert max(abs(stats.spearmanr(z[:, column], hidden).statistic) for column in range(2)) > 0.9


def blobs(apart: float, n: int = 240, seed: int = 0) -> tuple[Numbers, NDArray[np.int64]]:
    x, y = make_blobs(n, 4, centers=3, cluster_std=1.0, center_box=(-apart, apart), random_state=seed)
    return x, y


@pytest.mark.parametrize("method", ["kmeans", "gmm", "leiden"])
def test_planted_groups_are_found_and_stable(method: str) -> None:
    x, y = blobs(10)
    found = groups.find("fused", method, lambda seed: x, 5, 10, 10, 0, lambda done, total: None)
    assert found.stable
    assert len(found.sizes) == 3
    assert groups.rand(found.members, y.astype(np.int32)) > 0.95
    assert found.seeds > 0.9


def test_one_cloud_is_told_from_several() -> None:
    cloud = np.random.default_rng(0).standard_normal((200, 5)) * [3, 2, 1, 1, 0.5]
    assert groups.one_cloud(cloud, 0) > 0.05
    assert groups.one_cloud(blobs(10)[0], 0) == 0.01
    found = groups.find("fused", "kmeans", lambda seed: cloud, 6, 15, 10, 0, lambda done, total: None)
    assert len(found.sizes) == 2 or not found.stable


def test_what_is_unknown_never_becomes_a_zero() -> None:
    lab = np.array([0.0, 10, 20, 30, 40, 50] * 4)
    lab[[1, 5, 9, 13, 17, 21]] = np.nan
    ward = np.array(["icu", None, "ward", "icu"] * 6, dtype=object)
    columns = [Column("lab", "patient", lab), Column("ward", "patient", ward), Column("same", "film", np.ones(24))]
    coding = Coding.learn(columns)
    assert coding.names == ["lab", "lab unknown", "ward = ward", "ward unknown"]
    made, seen = coding(columns), coding.seen(columns)
    known = lab[np.isfinite(lab)]
    assert np.allclose(made[:, 0], (np.where(np.isfinite(lab), lab, np.median(known)) - known.mean()) / known.std())
    assert (made[1, 0] != made[0, 0]) and (seen[:, 0] == np.isfinite(lab)).all()
    assert (made[np.isnan(lab), 1] > 0).all() and (made[np.isfinite(lab), 1] < 0).all()
    assert (made[1, 2], seen[1, 2]) == (0.0, False)
    share = (ward == "ward").sum() / 18
    assert np.isclose(made[2, 2], (1 - share) / share**0.5)
    # A fold learns from its own patients alone.
    part = Coding.learn(columns, np.arange(12))
    changed = [Column("lab", "patient", np.where(np.arange(24) > 11, 1e6, lab)), *columns[1:]]
    assert part.parts == Coding.learn(changed, np.arange(12)).parts


def test_blocks_weigh_the_same_however_many_columns_they_have() -> None:
    random = np.random.default_rng(0)
    unit = random.standard_normal((80, 40)).astype(np.float32)
    data = Data(
        {"m": unit},
        [Column("lab", "patient", random.standard_normal(80)), Column("age", "film", 1000 * random.random(80))],
    )
    found = reduce(data, 8, 0)
    for space, columns in ((VECTORS, 8), (TABLES, 2), (FUSED, 10)):
        lies = points(found, space, 0)
        assert lies.shape == (80, columns)
        if space != FUSED:
            assert np.isclose(np.linalg.svd(lies, compute_uv=False)[0] ** 2 / 80, 1.0)
    assert found.named(TABLES) == ["lab", "age"]


def test_the_outcome_is_what_is_known() -> None:
    died = Column("side.c.died", "patient", np.array([1.0, 0, np.nan, 1, 0] * 10))
    days = Column("side.c.days", "patient", np.array([3.0, 4, 5, 0, np.nan] * 10))
    found = outcome.read(died, None, "")
    assert (len(found), found.events, found.left_out) == (40, 20, {"outcome unknown": 10})
    found = outcome.read(died, days, "1")
    assert (len(found), found.events) == (20, 10)
    assert found.left_out == {"outcome unknown": 10, "time unknown": 10, "time not above 0": 10}
    assert isinstance(found, Outcome)
    end = Column("side.c.end", "patient", np.array(["home", "dead", "hospice", None, "home"] * 10, dtype=object))
    assert outcome.read(end, None, "dead").events == 10
    for event in ("", "abroad"):
        with pytest.raises(HilumError, match="event"):
            outcome.read(end, None, event)
    with pytest.raises(HilumError, match="9 of 9 patients"):
        outcome.read(Column("side.c.died", "patient", np.array([1.0] * 9 + [np.nan])), None, "1")
