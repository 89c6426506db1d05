"""Train the image-text encoder: a text must be near every film it is true of, and far from every other.

The loss is SigLIP's pairwise sigmoid with labels from claims rather than from who wrote what, so the many normal
films that share a sentence are all its matches, and "left" against "right", "no" against "a", "small" against "large"
are negatives in every batch. Auxiliary heads that predict the truth speed up the image tower and are dropped.
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from services.encoders.families.open_clip import build_model, build_tokenizer
from services.phantom.claims import TRUE, UNKNOWN, Truths, all_hold
from services.phantom.reports import training_text
from services.phantom.sentences import Text, mirrored
from services.phantom.train import layout, loop
from services.phantom.train.augment import augment
from services.phantom.train.data import load
from services.phantom.train.wordpiece import EXTRA
from services.phantom.truth import SLOTS, PhantomFilm

BATCH, EXTRA_TEXTS = 64, 40
PEAK_LR, TEXT_PEAK_LR = 2.5e-3, 6e-4  # a BERT collapses at the rate that suits a convolutional tower
WARM_EPOCHS = 1  # the image tower first learns to see, from the truth alone: texts cost more than films
AUGMENT = 0.6
SHORT = 16  # tokens: most texts are this short, so the few long ones are padded among themselves


class Trained(nn.Module):
    """The dual encoder and what training adds to it."""

    def __init__(self, clip: nn.Module, features: int):
        super().__init__()
        self.clip = clip
        self.truth_head = nn.Linear(features, len(SLOTS) + 4)
        self.scale = nn.Parameter(torch.tensor(2.3))
        self.bias = nn.Parameter(torch.tensor(0.0))

    def images(self, films: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """``(B, S, S)`` in 0..1 to unit vectors ``(B, D)`` and truth logits."""
        pixels = ((films - layout.MEAN) / layout.STD)[:, None].expand(-1, 3, -1, -1)
        trunk = self.clip.visual.trunk
        maps = trunk.forward_features(pixels.contiguous(memory_format=torch.channels_last))
        features = trunk.forward_head(maps, pre_logits=True)
        return functional.normalize(trunk.get_classifier()(features), dim=1), self.truth_head(features)

    def texts(self, tokens: torch.Tensor) -> torch.Tensor:
        """``(T, L)`` token ids to unit vectors ``(T, D)``."""
        lengths = (tokens != 0).sum(1)
        out = None
        for rows in (torch.where(lengths <= SHORT)[0], torch.where(lengths > SHORT)[0]):
            if not len(rows):
                continue
            part = functional.normalize(self.clip.text(tokens[rows, : int(lengths[rows].max())]), dim=1)
            out = part.new_zeros(len(tokens), part.shape[1]) if out is None else out
            out = out.index_put((rows,), part)
        return out


def pair_loss(logits: torch.Tensor, held: torch.Tensor) -> torch.Tensor:
    """Sigmoid loss over ``(B, T)`` pairs; per text, its matches weigh as much as its mismatches, whatever their number.

    ``held`` is TRUE, FALSE or UNKNOWN; an unknown pair teaches nothing.
    """
    positive, negative = (held == TRUE).float(), (held == 0).float()
    matches = (functional.softplus(-logits) * positive).sum(0) / positive.sum(0).clamp(min=1)
    mismatches = (functional.softplus(logits) * negative).sum(0) / negative.sum(0).clamp(min=1)
    rows = (functional.softplus(-logits) * positive + functional.softplus(logits) * negative).mean()
    return matches.mean() + mismatches.mean() + rows


def batch_texts(shown: list[PhantomFilm], films: list[PhantomFilm], rng: np.random.Generator) -> list[Text]:
    """A text for each film shown, and ``EXTRA_TEXTS`` more: first their mirror twins, then texts of other films.

    A twin differs in nothing but the side, so nothing but the side can tell the two apart.
    """
    own = [training_text(film, rng) for film in shown]
    twins = [twin for twin in map(mirrored, own) if twin is not None][: EXTRA_TEXTS - 8]
    others = rng.integers(len(films), size=EXTRA_TEXTS - len(twins))
    return [*own, *twins, *(training_text(films[k], rng) for k in others)]


def noisy(text: Text, rng: np.random.Generator) -> str:
    """The words, sometimes with a stray one: what says nothing must move nothing."""
    words = text.words
    if rng.random() < 0.12:
        stray = (
            str(rng.choice(EXTRA))
            if rng.random() < 0.5
            else "".join(rng.choice(list("abcdefghijklmnoprstuvwy"), int(rng.integers(3, 8))))
        )
        words = f"{stray} {words}" if rng.random() < 0.6 else f"{words} {stray}"
    return words.upper() if rng.random() < 0.02 else words


def truth_targets(truths: Truths) -> torch.Tensor:
    """``(N, len(SLOTS) + 4)``: severities, then PA, AP, LATERAL, female."""
    flags = np.stack([truths.view == "PA", truths.view == "AP", truths.view == "LATERAL", truths.sex == "F"], 1)
    return torch.from_numpy(np.concatenate([truths.severity, flags.astype(np.float32)], 1))


def train(data: Path, work: Path, out: Path, epochs: int, seed: int = 0) -> None:
    """Train, or go on training, and leave an open_clip directory in ``out``. ``work`` holds what resuming needs."""
    torch.manual_seed(seed)
    work.mkdir(parents=True, exist_ok=True)
    layout.clip_layout(out)
    pixels, films = load(data)
    truths = Truths.of(films)
    targets = truth_targets(truths)
    model = Trained(build_model(out), build_model(out).visual.trunk.head_hidden_size)
    model.clip.visual.to(memory_format=torch.channels_last)
    model.clip.logit_scale.requires_grad_(False)  # ours is ``scale``
    average, tokenize = loop.Average(model), build_tokenizer(out)
    optimiser = torch.optim.AdamW(_parameter_groups(model))
    per_epoch = len(films) // BATCH
    steps, first = epochs * per_epoch, 0
    if state := loop.load_state(work / "clip.pt"):
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
                late = WARM_EPOCHS * per_epoch if group["text"] else 0
                group["lr"] = loop.learning_rate(step - late, steps - late, group["peak"]) if step >= late else 0.0
            images, guessed = model.images(
                augment(torch.from_numpy(pixels[rows.numpy()]), layout.CLIP_SIZE, torch_rng, AUGMENT)
            )
            # Truth is a soft label: a severity is the chance that a reader would call it.
            loss = functional.binary_cross_entropy_with_logits(guessed, targets[rows], reduction="none").sum(1).mean()
            if epoch >= WARM_EPOCHS:
                texts = batch_texts([films[k] for k in rows.tolist()], films, rng)
                batch = truths[rows.numpy()]
                held = torch.from_numpy(
                    np.stack(
                        [all_hold(t.claims, batch) if t.claims else np.full(BATCH, UNKNOWN, np.int8) for t in texts], 1
                    )
                )
                words = model.texts(tokenize([noisy(t, rng) for t in texts]))
                loss = 0.5 * loss + 4 * pair_loss(model.scale.exp() * images @ words.T + model.bias, held)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 2.0)
            optimiser.step()
            average.update(model)
            report(step + 1, loss.item())
        loop.save_state(
            work / "clip.pt",
            model=model.state_dict(),
            average=average.module.state_dict(),
            optimiser=optimiser.state_dict(),
            seen=average.seen,
            epoch=epoch + 1,
        )
        export(average.module, out)


def _parameter_groups(model: Trained) -> list[dict]:
    """Matrices decay, vectors and scalars do not; the text tower has a rate of its own."""
    groups = []
    for text in (False, True):
        for matrices in (False, True):
            chosen = [
                p
                for name, p in model.named_parameters()
                if p.requires_grad and name.startswith("clip.text.") == text and (p.ndim > 1) == matrices
            ]
            groups.append(
                {
                    "params": chosen,
                    "weight_decay": 0.05 if matrices else 0.0,
                    "text": text,
                    "peak": TEXT_PEAK_LR if text else PEAK_LR,
                }
            )
    return groups


def export(trained: Trained, out: Path) -> None:
    """Write the encoder alone, in half precision."""
    clip = trained.clip
    clip.logit_scale.data.copy_(trained.scale.data)
    tensors = {
        name: t.half().contiguous() if t.is_floating_point() and t.ndim > 1 else t.contiguous()
        for name, t in clip.state_dict().items()
    }
    save_file(tensors, out / "open_clip_model.safetensors", metadata={"format": "pt"})


def describe(out: Path) -> dict:
    """The checkpoint's configuration."""
    return json.loads((out / "open_clip_config.json").read_text())
