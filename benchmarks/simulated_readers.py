"""Reader studies whose readers are simulated: they know the findings of phantoms, and are more or less careless.

Each reader likes a film by the findings that it shares with the reference film, less those that only one of both has,
and errs by a normal error of their own; the last chooses blindly. They answer through the same door as people.

    python benchmarks/simulated_readers.py        # with `hilum up` on an archive of phantoms
"""

from __future__ import annotations

import argparse
import csv
import io

import numpy as np

from hilum import Client, Film
from hilum.v1 import reader_study_pb2

READERS = {"careful": 0.3, "usual": 0.8, "hasty": 1.6}
STRATA = [f"labels.{name} = present" for name in ("cardiomegaly", "pleural_effusion", "pneumothorax", "no_finding")]


def findings(film: Film) -> set[str]:
    return {name for name in film.present if name != "no_finding"}


def answered(
    client: Client, study: reader_study_pb2.ReaderStudy, readers: dict[str, float], seed: int
) -> reader_study_pb2.ReaderStudyResults:
    """Everybody reads everything. Which film stands at a place is read from the owner's export, after a first answer to
    each set, which the true one replaces: readers themselves are not told."""
    random, films = np.random.default_rng(seed), {film.image_id: findings(film) for film in client.images()}
    tokens = {name: client.invite(study.study_id, name).token for name in readers}
    graded = study.design.kind == "grades"
    for token in tokens.values():
        for one in client.reading(token).sets:
            first = {"grades": [0] * one.films} if graded else {"chosen": range(1, study.design.nearest + 1)}
            client.answer_reading(token, one.number, **first)
    shown: dict[tuple[str, int], list[tuple[int, str, str]]] = {}
    for row in csv.DictReader(io.StringIO(client.export_study(study.study_id).decode())):
        key = row["reader"], int(row["seen_as"])
        shown.setdefault(key, []).append((int(row["shown_at"]), row["query_id"], row["image_id"]))
    for (name, number), places in sorted(shown.items()):
        places.sort()
        alike = np.array([len(films[q] & films[f]) - 0.5 * len(films[q] ^ films[f]) for _, q, f in places])
        liked = alike + random.normal(0, readers[name], len(places))
        seconds = float(random.lognormal(3, 0.4))
        if graded:
            grades = np.clip(np.rint(liked + 2), 0, 3).astype(int).tolist()
            client.answer_reading(tokens[name], number, grades=grades, seconds=seconds)
        else:
            best = np.argsort(-liked, kind="stable")[: study.design.nearest] + 1
            client.answer_reading(tokens[name], number, chosen=sorted(best.tolist()), seconds=seconds)
    return client.study_results(study.study_id)


def told(figure: reader_study_pb2.ReaderFigure) -> str:
    return f"{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}]" if figure.HasField("low") else "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", default="hilum-cxr-clip,hilum-cxr-dino")
    parser.add_argument("--sets", type=int, default=24)
    parser.add_argument("--where", default='view = "PA" OR view = "AP"')
    asked = parser.parse_args()
    print("| model | against | consensus with model | kappa | a reader with the model | between readers | Fleiss |")
    print("|---|---|---|---|---|---|---|")
    with Client() as client:
        for against in ("furthest", "random"):
            for model in asked.models.split(","):
                study = client.create_study(
                    f"simulated: {model}, {against}", model=model, against=against, sets=asked.sets, strata=STRATA,
                    where=asked.where, repeats=6, seed=1,
                )  # fmt: skip
                found = answered(client, study, READERS, 1)
                cells = (found.consensus, found.consensus_kappa, found.readers, found.between, found.fleiss)
                print(f"| {model} | {against} | {' | '.join(map(told, cells))} |", flush=True)
        for model in asked.models.split(","):
            study = client.create_study(
                f"simulated grades: {model}", kind="grades", model=model, against="random", sets=asked.sets,
                strata=STRATA, where=asked.where, seed=1,
            )  # fmt: skip
            found = answered(client, study, READERS, 1)
            at = next(one for one in found.depths if one.k == 5)
            print(f"{model}: nDCG@5 {told(at.ndcg)}, by chance {at.chance:.2f}; Fleiss {told(found.fleiss)}")


if __name__ == "__main__":
    main()
