"""Train the image-only encoder: films near each other share findings, and one patient's films are nearer still.

Three lessons: heads on the CLS token predict the film's truth (as soft labels); the cosines within a batch follow the
cosines of the truths; and another view of the same film, or another study of the same patient, is its nearest. The
heads are dropped. This is distillation from the phantom's truth in DINOv2's architecture, not DINO's own objective.
"""

import copy
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from services.encoders.families.dinov2 import build_model
from services.phantom.claims import Truths
from services.phantom.train import layout, loop
from services.phantom.train.augment import augment
from services.phantom.train.clip import truth_targets
from services.phantom.train.data import load
from services.phantom.truth import DEVICES, SLOTS, PhantomFilm

BATCH = 48  # films, each with a companion
PEAK_LR = 1.2e-3
AUGMENT = 0.5
IDENTITY_WEIGHT, IDENTITY_HEAT = 0.25, 0.12


class Trained(nn.Module):
    """The encoder and its heads."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder
        self.truth_head = nn.Linear(layout.DINO_DIM, len(SLOTS) + 4)
        self.patch_head = nn.Linear(layout.DINO_DIM, len(SLOTS) + 4)

    def forward(self, films: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """``(B, S, S)`` in 0..1 to unit CLS vectors ``(B, D)`` and two guesses of the truth."""
        pixels = ((films - layout.MEAN) / layout.STD)[:, None].expand(-1, 3, -1, -1)
        tokens = self.encoder(pixels).last_hidden_state
        cls, patches = tokens[:, 0], tokens[:, 1:]
        return functional.normalize(cls, dim=1), self.truth_head(cls), self.patch_head(patches).amax(1)


def companions(films: list[PhantomFilm]) -> list[list[int]]:
    """For each film, the rows of the same patient's films on the same kind of view, itself included."""
    groups: dict[tuple[int, bool], list[int]] = {}
    for row, film in enumerate(films):
        groups.setdefault((film.patient, film.view == "LATERAL"), []).append(row)
    return [groups[film.patient, film.view == "LATERAL"] for film in films]


def kinship(targets: torch.Tensor) -> torch.Tensor:
    """``(B, B)`` cosines of what two films show; absent findings count a little, so that normals are kin."""
    weight = torch.ones(targets.shape[1])
    weight[[SLOTS.index(d) for d in DEVICES]] = 0.6
    weight[-4:] = torch.tensor([0.5, 0.5, 0.9, 0.2])
    shown = targets.clone()
    shown[:, : len(SLOTS)] = shown[:, : len(SLOTS)].sqrt()
    shown = torch.cat([shown * weight, torch.full((len(shown), 1), 0.35)], 1)
    shown = functional.normalize(shown, dim=1)
    return shown @ shown.T


def train(data: Path, work: Path, out: Path, epochs: int, seed: int = 0) -> None:
    """Train, or go on training, and leave a DINOv2 directory in ``out``. ``work`` holds what resuming needs."""
    torch.manual_seed(seed)
    work.mkdir(parents=True, exist_ok=True)
    layout.dino_layout(out)
    pixels, films = load(data)
    targets, kin = truth_targets(Truths.of(films)), companions(films)
    patients = torch.tensor([f.patient for f in films])
    model = Trained(build_model(out))
    average = loop.Average(model)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    other = [p for p in model.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.05}, {"params": other, "weight_decay": 0}], betas=(0.9, 0.98)
    )
    per_epoch = len(films) // BATCH
    steps, first = epochs * per_epoch, 0
    if state := loop.load_state(work / "dino.pt"):
        model.load_state_dict(state["model"])
        average.module.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        average.seen = state["seen"]
        first = state["epoch"]
    report = loop.Progress(steps, first * per_epoch)
    for epoch in range(first, epochs):
        rng, torch_rng = np.random.default_rng([seed, epoch]), torch.Generator().manual_seed(seed * 1009 + epoch)
        model.train()
        for i, rows in enumerate(loop.batches(len(films), BATCH, epoch, seed)):
            step = epoch * per_epoch + i
            for group in optimiser.param_groups:
                group["lr"] = loop.learning_rate(step, steps, PEAK_LR, warm=300)
            # Half of the batch gets a companion; the rest is there to be told apart.
            extra = torch.tensor([int(rng.choice(kin[r])) for r in rows[: BATCH // 3].tolist()])
            shown = torch.cat([rows, extra])
            vectors, cls_guess, patch_guess = model(
                augment(torch.from_numpy(pixels[shown.numpy()]), layout.DINO_SIZE, torch_rng, AUGMENT)
            )
            truth = targets[shown]
            loss = _loss(vectors, cls_guess, patch_guess, truth, patients[shown])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            average.update(model)
            report(step + 1, loss.item())
        loop.save_state(
            work / "dino.pt",
            model=model.state_dict(),
            average=average.module.state_dict(),
            optimiser=optimiser.state_dict(),
            seen=average.seen,
            epoch=epoch + 1,
        )
        export(average.module, out)


def _loss(
    vectors: torch.Tensor,
    cls_guess: torch.Tensor,
    patch_guess: torch.Tensor,
    truth: torch.Tensor,
    patients: torch.Tensor,
) -> torch.Tensor:
    """The three lessons in one number."""
    guesses = torch.stack(
        [
            functional.binary_cross_entropy_with_logits(g, truth, reduction="none").sum(1).mean()
            for g in (cls_guess, patch_guess)
        ]
    )
    cosines = vectors @ vectors.T
    off = ~torch.eye(len(vectors), dtype=torch.bool)
    structure = functional.mse_loss(cosines[off], kinship(truth)[off])
    logits = cosines / IDENTITY_HEAT
    logits = logits.masked_fill(~off, -1e4)
    same = (patients[:, None] == patients[None]) & off
    rows = same.any(1)
    log_chance = logits - logits.logsumexp(1, keepdim=True)
    identity = -(torch.where(same, log_chance, 0.0).sum(1) / same.sum(1).clamp(min=1))[rows].mean()
    return guesses[0] + 0.5 * guesses[1] + 6 * structure + IDENTITY_WEIGHT * identity


def export(trained: Trained, out: Path) -> None:
    """Write the encoder alone, in half precision, with the tensor names that DINOv2 checkpoints are published with."""
    copy.deepcopy(trained.encoder).half().save_pretrained(out)
    layout.dino_layout(out)
