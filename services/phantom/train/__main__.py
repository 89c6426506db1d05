"""Command line of the training.

    python -m services.phantom.train films DATA --n 9600 --seed 11
    python -m services.phantom.train clip --data DATA --work WORK --out CHECKPOINT --epochs 15
    python -m services.phantom.train dino --data DATA --work WORK --out CHECKPOINT --epochs 12
    python -m services.phantom.train evaluate CHECKPOINT --data TEST_DATA

Training goes on where ``WORK`` left off; the same arguments on the same machine give the same weights.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import torch

import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401

TRAIN_SEED, TEST_SEED = 11, 900_001  # two seeds share no patient


def main(argv: list[str] | None = None) -> None:
    """Run one subcommand."""
    args = _parser().parse_args(argv)
    torch.set_num_threads(args.threads)
    args.run(args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.phantom.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default 1: the same sums each time)")
    commands = parser.add_subparsers(required=True)
    films = commands.add_parser("films", help="render films for training or testing")
    films.add_argument("data", type=Path)
    films.add_argument("--n", type=int, default=9600)
    films.add_argument("--seed", type=int, default=TRAIN_SEED)
    films.add_argument("--workers", type=int, default=2)
    films.set_defaults(run=_films)
    for name, epochs in (("clip", 15), ("dino", 12)):
        train = commands.add_parser(name, help=f"train the {name} encoder")
        train.add_argument("--data", type=Path, required=True)
        train.add_argument("--work", type=Path, required=True, help="folder for what resuming needs")
        train.add_argument("--out", type=Path, required=True, help="checkpoint folder to write")
        train.add_argument("--epochs", type=int, default=epochs)
        train.add_argument("--seed", type=int, default=0)
        train.set_defaults(run=_train, encoder=name)
    test = commands.add_parser("evaluate", help="score a checkpoint on films of unseen patients")
    test.add_argument("checkpoint", type=Path)
    test.add_argument("--data", type=Path, required=True)
    test.add_argument("--json", action="store_true")
    test.set_defaults(run=_evaluate)
    return parser


def _films(args: argparse.Namespace) -> None:
    from services.phantom.train.data import generate

    start = time.monotonic()

    def progress(done: int, total: int) -> None:
        left = (time.monotonic() - start) / done * (total - done)
        print(f"\r{done}/{total} films, {left:.0f} s left ", end="", file=sys.stderr, flush=True)

    generate(args.data, args.n, args.seed, args.workers, progress)
    print(file=sys.stderr)


def _train(args: argparse.Namespace) -> None:
    if args.encoder == "clip":
        from services.phantom.train.clip import train
    else:
        from services.phantom.train.dino import train
    train(args.data, args.work, args.out, args.epochs, args.seed)


def _evaluate(args: argparse.Namespace) -> None:
    from services.encoders.families import load
    from services.encoders.families.open_clip import CONFIG
    from services.encoders.network import Checkpoint
    from services.phantom.train.evaluate import evaluate, table

    family = "open-clip" if (args.checkpoint / CONFIG).exists() else "dinov2"
    encoder = load(family, Checkpoint(args.checkpoint, args.checkpoint.name.lower(), "evaluated"))
    scores = evaluate(encoder, args.data)
    print(json.dumps(asdict(scores), indent=2) if args.json else table(scores))


if __name__ == "__main__":
    main()
