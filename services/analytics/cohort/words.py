"""Criteria and caps in words, as a flow diagram and a methods section say them."""

from __future__ import annotations

from services.analytics.cohort.spec import ALL, IMAGE, REMAINING, Cap, Criterion, Likeness, Match, Sample, Time

_MANY = {"image": "films", "study": "studies", "patient": "patients"}


def criterion(one: Criterion) -> str:
    """Its test, with level and reach."""
    told = _test(one)
    if one.level != IMAGE:
        told = f"{'every film' if one.films == ALL else 'any film'} of the {one.level}: {told}"
    return f"{told} (of the films left)" if one.among == REMAINING else told


def _test(one: Criterion) -> str:
    if one.time:
        return time(one.time)
    if one.similar:
        return likeness(one.similar)
    if one.cluster:
        numbers = ", ".join(map(str, one.cluster.numbers))
        return f"in cluster {numbers} of {one.cluster.model} at resolution {one.cluster.resolution:g}"
    return f"one of {len(one.ids.image_ids):,} films named" if one.ids else one.filter


def time(one: Time) -> str:
    studies = f"study with {one.anchor}" if one.anchor else "study"
    if one.at_least_studies and not one.days:
        many = f"studies with {one.anchor}" if one.anchor else "studies"
        return f"the patient has at least {one.at_least_studies} {many}"
    if not one.days:
        return f"the patient's {one.which} {studies}"
    if one.from_day is not None and one.to_day is not None:
        when = f"day {one.from_day} to {one.to_day}"
    else:
        when = f"day {one.from_day} or later" if one.to_day is None else f"day {one.to_day} or earlier"
    told = f"{when}, day 0 being the patient's {one.which} {studies}"
    return f"{told}, with at least {one.at_least_studies} studies then" if one.at_least_studies else told


def likeness(one: Likeness) -> str:
    if one.text:
        what = f"“{one.text}”"
    else:
        what = "a saved search" if one.search_id else f"{len(one.image_ids)} given films"
    cuts = []
    if one.top:
        cuts.append(f"the {one.top:,} nearest to {what}")
    if one.at_least:
        finding = f" sharing {one.finding}" if one.finding else " sharing a finding"
        cuts.append(f"probability of{finding} with {what} at least {one.at_least:g}")
    return f"{' and '.join(cuts)}{f' in {one.model}' if one.model else ''}"


def cap(one: Cap) -> str:
    what = "studies" if one.studies else "films"
    how = "drawn at random" if one.which == "random" else f"the {one.which}"
    return f"at most {one.most} {what} of a {one.per}, {how}"


def sample(one: Sample, unit: str) -> str:
    by = f" by {', '.join(one.by)}" if one.by else ""
    size = sum(quota.size for quota in one.quotas) or one.size
    many = f"{size:,} {_MANY[unit]}" if size else f"as many {_MANY[unit]} as the target allows"
    return f"{many}, {one.how}{by}"


def match(one: Match) -> str:
    on = [f"the same {', '.join(one.exact)}"] if one.exact else []
    on += [f"nearest in {', '.join(one.nearest)}"] if one.nearest else []
    bound = f" (caliper {one.caliper:g} SD of the logit)" if one.caliper > 0 else ""
    on += [f"nearest in propensity by {', '.join(one.propensity)}{bound}"] if one.propensity else []
    on += [f"{name} at most {far:g} apart" for name, far in one.within.items()]
    return f"cases ({one.cases}) with controls {one.ratio}: {'; '.join(on)}"
