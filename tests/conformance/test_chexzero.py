"""CheXzero's published file and recipe, on a tiny CLIP in OpenAI's names, against CLIP written out plainly."""

from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip.tokenizer import SimpleTokenizer
from PIL import Image
from torch.nn.functional import conv2d, layer_norm, linear
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from services.core.errors import HilumError
from services.core.types import Film
from services.encoders.families import load
from services.encoders.network import Checkpoint, TorchEncoder
from tests.kit.conformance import agree_on_films, agree_on_texts, films, rgb

WIDTH, DIM, PATCH, WORDS, CONTEXT, LAYERS = 128, 24, 32, 49_408, 77, 2
Tensors = dict[str, torch.Tensor]


def block(name: str, width: int) -> Tensors:
    shapes = {"ln_1.weight": (width,), "ln_1.bias": (width,), "ln_2.weight": (width,), "ln_2.bias": (width,),
              "attn.in_proj_weight": (3 * width, width), "attn.in_proj_bias": (3 * width,),
              "attn.out_proj.weight": (width, width), "attn.out_proj.bias": (width,),
              "mlp.c_fc.weight": (4 * width, width), "mlp.c_fc.bias": (4 * width,),
              "mlp.c_proj.weight": (width, 4 * width), "mlp.c_proj.bias": (width,)}  # fmt: skip
    return {f"{name}.{key}": torch.randn(shape) * 0.15 for key, shape in shapes.items()}


@pytest.fixture(scope="module")
def tensors() -> Tensors:
    """The state dict of OpenAI's CLIP class, in small: one head in the text tower, two in the image tower."""
    torch.manual_seed(0)
    out: Tensors = {
        "positional_embedding": torch.randn(CONTEXT, 64) * 0.3,
        "text_projection": torch.randn(64, DIM),
        "logit_scale": torch.tensor(4.6052),
        "token_embedding.weight": torch.randn(WORDS, 64) * 0.3,
        "ln_final.weight": torch.randn(64),
        "ln_final.bias": torch.randn(64) * 0.1,
        "visual.class_embedding": torch.randn(WIDTH),
        "visual.positional_embedding": torch.randn(7 * 7 + 1, WIDTH),
        "visual.proj": torch.randn(WIDTH, DIM),
        "visual.conv1.weight": torch.randn(WIDTH, 3, PATCH, PATCH) * 0.05,
    }
    for name in ("ln_pre", "ln_post"):
        out |= {f"visual.{name}.weight": torch.randn(WIDTH), f"visual.{name}.bias": torch.randn(WIDTH) * 0.1}
    for index in range(LAYERS):
        out |= block(f"visual.transformer.resblocks.{index}", WIDTH) | block(f"transformer.resblocks.{index}", 64)
    return out


@pytest.fixture
def folder(tensors: Tensors, tmp_path: Path) -> Path:
    torch.save(tensors, tmp_path / "best_64_5e-05_original_22000_0.864.pt")
    return tmp_path


def opened(at: Path) -> TorchEncoder:
    encoder = load("chexzero", Checkpoint(at, "chexzero", "test"))
    assert isinstance(encoder, TorchEncoder)
    return encoder


def transformer(of: Tensors, name: str, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """OpenAI's residual attention blocks over one sequence ``(L, D)``; heads of 64; x * sigmoid(1.702 x)."""
    for index in range(LAYERS):
        p = {k.removeprefix(f"{name}.{index}."): v for k, v in of.items() if k.startswith(f"{name}.{index}.")}
        y = layer_norm(x, x.shape[1:], p["ln_1.weight"], p["ln_1.bias"])
        heads = linear(y, p["attn.in_proj_weight"], p["attn.in_proj_bias"]).unflatten(1, (3, -1, 64))
        q, k, v = heads.permute(1, 2, 0, 3)
        mixed = ((q @ k.transpose(1, 2)) / 8 + mask).softmax(-1) @ v
        x = x + linear(mixed.transpose(0, 1).flatten(1), p["attn.out_proj.weight"], p["attn.out_proj.bias"])
        y = layer_norm(x, x.shape[1:], p["ln_2.weight"], p["ln_2.bias"])
        y = linear(y, p["mlp.c_fc.weight"], p["mlp.c_fc.bias"])
        x = x + linear(y * torch.sigmoid(1.702 * y), p["mlp.c_proj.weight"], p["mlp.c_proj.bias"])
    return x


def pixels_of(film: Film) -> torch.Tensor:
    """data_process.preprocess, then the transforms of zero_shot.make(pretrained=True), in their order."""
    picture = rgb(film)
    ratio = float(320) / max(picture.size)
    size = tuple(int(side * ratio) for side in picture.size)
    square = Image.new("L", (320, 320))
    square.paste(picture.resize(size, Image.Resampling.LANCZOS), ((320 - size[0]) // 2, (320 - size[1]) // 2))
    array = torch.from_numpy(np.repeat(np.asarray(square, np.float32)[None], 3, axis=0))
    return transforms.Compose([
        transforms.Normalize((101.48761,) * 3, (83.43944,) * 3),
        transforms.Resize(224, InterpolationMode.BICUBIC, antialias=False),  # torchvision 0.11.3 has no other way
    ])(array)  # fmt: skip


def test_film_vectors_are_the_authors(tensors: Tensors, folder: Path) -> None:
    def reference(film: Film) -> np.ndarray:
        x = conv2d(pixels_of(film)[None], tensors["visual.conv1.weight"], stride=PATCH)[0].flatten(1).T
        x = torch.cat([tensors["visual.class_embedding"][None], x]) + tensors["visual.positional_embedding"]
        x = layer_norm(x, (WIDTH,), tensors["visual.ln_pre.weight"], tensors["visual.ln_pre.bias"])
        x = transformer(tensors, "visual.transformer.resblocks", x, torch.zeros(1))
        x = layer_norm(x[0], (WIDTH,), tensors["visual.ln_post.weight"], tensors["visual.ln_post.bias"])
        return (x @ tensors["visual.proj"]).numpy()

    agree_on_films(opened(folder), reference)


def test_text_vectors_are_the_authors(tensors: Tensors, folder: Path) -> None:
    def reference(text: str) -> np.ndarray:
        tokens = SimpleTokenizer(context_length=CONTEXT)([text])[0]
        x = tensors["token_embedding.weight"][tokens] + tensors["positional_embedding"]
        mask = torch.full((CONTEXT, CONTEXT), float("-inf")).triu(1)
        x = transformer(tensors, "transformer.resblocks", x, mask)
        x = layer_norm(x, (64,), tensors["ln_final.weight"], tensors["ln_final.bias"])
        return (x[tokens.argmax()] @ tensors["text_projection"]).numpy()

    agree_on_texts(opened(folder), reference)


def test_words_are_split_as_openai_splits_them(folder: Path) -> None:
    """Numbers that OpenAI's and Hugging Face's documentation show for this sentence; long texts keep their end."""
    text = opened(folder).network.text
    assert text is not None
    tokens = text.tokenise(["A photo of  a cat", "effusion " * 200])["texts"]
    assert tokens.shape == (2, 77)
    assert tokens[0, :7].tolist() == [49406, 320, 1125, 539, 320, 2368, 49407] and not tokens[0, 7:].any()
    assert tokens[1, -1] == 49407


def test_the_film_is_padded_not_cropped(folder: Path) -> None:
    encoder = opened(folder)
    frame = encoder.frame(640, 320)
    assert (frame.top, frame.left, frame.height, frame.width) == (0, -160, 640, 640)
    prepared = encoder.preprocess(films()[1])
    assert prepared.shape == (224, 224) and prepared.dtype == np.float32
    assert abs(prepared[0]).max() < 1e-3, "above a wide film lies black"


def test_local_vectors_read_words(folder: Path) -> None:
    encoder = opened(folder)
    found = encoder.encode_patches([encoder.preprocess(film) for film in films()[:2]])
    assert found.grid.shape == (2, 7, 7, DIM) and found.reads_text
    assert encoder.network.logit_scale == pytest.approx(100, rel=1e-3)


def test_half_precision_and_openais_extra_numbers_are_read(tensors: Tensors, tmp_path: Path, folder: Path) -> None:
    other = tmp_path / "half"
    other.mkdir()
    extra = {"input_resolution": torch.tensor(224), "context_length": torch.tensor(77), "vocab_size": torch.tensor(1)}
    torch.save({n: t.half() for n, t in tensors.items()} | extra, other / "a.pt")
    batch = [opened(folder).preprocess(film) for film in films()]
    similar = (opened(folder).encode_images(batch) * opened(other).encode_images(batch)).sum(-1)
    assert similar.min() > 0.999


def test_a_torchscript_program_is_refused(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), tmp_path / "ViT-B-32.pt")
    with pytest.raises(HilumError, match="TorchScript"):
        opened(tmp_path)


def test_other_networks_and_gaps_are_refused(tensors: Tensors, tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "a.pt")
    with pytest.raises(HilumError, match="no CheXzero"):
        opened(tmp_path)
    torch.save({n: t for n, t in tensors.items() if n != "visual.ln_post.bias"}, tmp_path / "a.pt")
    with pytest.raises(HilumError, match=r"1 missing \(first: visual.ln_post.bias\)"):
        opened(tmp_path)
