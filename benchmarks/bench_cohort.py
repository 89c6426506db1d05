"""Attrition of ten criteria and two caps over a large archive's facts: CPU and wall seconds by stage.

    python benchmarks/bench_cohort.py                                     # smoke: 20,000 films
    python benchmarks/bench_cohort.py --films 2000000 --keep FOLDER

The archive is that of bench_eda: five films a patient, two a study, fourteen findings of two sources. The ten criteria
are filters on fields and findings at the levels of films, studies and patients, two by the patient's calendar, a list
of ids and a side table. First with everything read from the database, then as a preview does that has read it before.

Read the CPU seconds: wall times carry what else the machine does.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]


def spec(ids: list[str]) -> dict[str, Any]:
    """Ten criteria and two caps."""
    return {
        "criteria": [
            {"name": "adults", "filter": "age >= 18"},
            {"name": "frontal", "filter": "view = PA OR view = AP"},
            {"name": "in years", "filter": "study_date >= 2012-01-01 AND study_date < 2023-01-01"},
            {"name": "edema stated", "filter": "labels.edema:*"},
            {"name": "no devices", "exclude": True, "level": "study", "filter": "labels.support_devices = present"},
            {"name": "a fracture ever", "exclude": True, "level": "patient", "filter": "labels.fracture = present"},
            {"name": "around the first edema", "time": {
                "anchor": "labels.edema = present", "from_day": -3650, "to_day": 3650}},
            {"name": "two studies", "time": {"at_least_studies": 2}},
            {"name": "pasted", "exclude": True, "ids": {"image_ids": ids}},
            {"name": "measured", "exclude": True, "filter": "side.sdoh.measure_1 > 80"},
        ],
        "caps": [{"per": "patient", "most": 2}, {"per": "study", "most": 1, "which": "random"}],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=20_000)
    parser.add_argument("--keep", type=Path, help="a folder for the archive, to be used again")
    options = parser.parse_args()
    from bench_eda import spent, write

    with tempfile.TemporaryDirectory() as temporary:
        home = options.keep or Path(temporary)
        if not (home / "facts.db").exists():
            with spent("writing the archive (once)"):
                write(home, options.films, options.films // 20, 4)
        measure(home)


def measure(home: Path) -> None:
    """Reading, judging, and judging again."""
    from bench_eda import spent

    from services.analytics import frame
    from services.analytics.cohort import verdicts, version
    from services.analytics.cohort.asked import CohortAsked
    from services.analytics.cohort.conditions import Conditions
    from services.analytics.cohort.flow import Judge
    from services.analytics.cohort.population import Population
    from services.analytics.progress import Progress
    from services.core.facts import open_facts

    facts = open_facts(f"sqlite:///{home / 'facts.db'}")
    asked = CohortAsked.parse({"cohort": spec(["00000000-0000-5000-a000-000000000000"])})

    print("| | wall s | CPU s | load |\n|---|---|---|---|")
    with spent("is it the archive that was read (each preview asks)"):
        version.state(facts)
    with spent("columns read, studies and patients numbered"):
        population = Population(frame.load(facts, "", [], asked.columns, Progress()))
        population.count(population.every())
    with spent("ten criteria and two caps, first time"):
        first = Judge(population, Conditions(population, facts), None, home, Progress())  # type: ignore[arg-type]
        flow = first.flow(asked.spec)
    with spent("the same, as a preview that has read the archive"):
        first.conditions.again()
        flow = first.flow(asked.spec)
    with spent("verdicts written"):
        verdicts.write(home, flow)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    for step in flow.steps:
        left = step.left
        print(f"{left.images:>10,} films {left.studies:>9,} studies {left.patients:>8,} patients  {step.name}")
    print(f"peak {peak} MiB")


if __name__ == "__main__":
    main()
