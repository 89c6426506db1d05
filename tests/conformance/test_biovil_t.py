"""BioViL-T's and BioViL's published files and recipes, on random weights and a tiny CXR-BERT."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import batch_norm, conv2d, gelu, layer_norm, linear
from torchvision import transforms
from torchvision.models import ResNet, resnet50
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

from services.core.errors import HilumError
from services.core.types import Film
from services.encoders.families import load
from services.encoders.network import Checkpoint, TorchEncoder
from tests.kit.conformance import agree_on_films, agree_on_texts, films

DIM, WIDTH, HALF = 24, 32, 16
LETTERS = [chr(c) for c in range(ord("a"), ord("z") + 1)]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", ".", "!", *LETTERS, *("##" + c for c in LETTERS),
              "pleural", "effusion", "no"]  # fmt: skip
Tensors = dict[str, torch.Tensor]
KINDS = {"biovil_t": ("biovil_t_image_model_proj_size_128.pt", 448, 2 * HALF),
         "biovil": ("biovil_image_resnet50_proj_size_128.pt", 480, 2048)}  # fmt: skip


@pytest.fixture(scope="module")
def resnet() -> ResNet:
    torch.manual_seed(0)
    network = resnet50()
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(std=0.05)
            part.bias.data.normal_(std=0.1)
    return network.eval()


def image_tensors(resnet: ResNet, kind: str) -> Tensors:
    """The state dict of hi-ml-multimodal's ImageModel, its unused parts included."""
    torch.manual_seed(1)
    width = KINDS[kind][2]
    out = {f"encoder.encoder.{n}": t for n, t in resnet.state_dict().items()}
    out |= {"projector.model.0.weight": torch.randn(DIM, width, 1, 1) * width**-0.5,
            "projector.model.1.weight": torch.randn(DIM), "projector.model.1.bias": torch.randn(DIM),
            "projector.model.1.running_mean": torch.randn(DIM), "projector.model.1.running_var": torch.rand(DIM) + 0.5,
            "projector.model.1.num_batches_tracked": torch.tensor(3),
            "projector.model.3.weight": torch.randn(DIM, DIM, 1, 1),
            "projector.model.3.bias": torch.randn(DIM)}  # fmt: skip
    if kind == "biovil_t":
        out |= {"encoder.backbone_to_vit.weight": torch.randn(HALF, 2048, 1, 1) * 0.1,
                "encoder.missing_previous_emb": torch.randn(1, HALF, 1, 1),
                "encoder.vit_pooler.type_embed": torch.randn(2, 1, HALF),
                "encoder.vit_pooler.blocks.0.attn.proj_q.weight": torch.randn(HALF, HALF)}  # fmt: skip
    return out


@pytest.fixture(scope="module")
def words() -> tuple[BertForMaskedLM, Tensors]:
    torch.manual_seed(2)
    bert = BertForMaskedLM(BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=40, initializer_range=0.3,
    )).eval()  # fmt: skip
    head = {"dense_to_hidden.weight": torch.randn(DIM, WIDTH), "dense_to_hidden.bias": torch.randn(DIM),
            "LayerNorm.weight": torch.randn(DIM), "LayerNorm.bias": torch.randn(DIM),
            "dense_to_output.weight": torch.randn(DIM, DIM), "dense_to_output.bias": torch.randn(DIM)}  # fmt: skip
    return bert, {f"cls_projection_head.{n}": t for n, t in head.items()}


def write(at: Path, kind: str, resnet: ResNet, words: tuple[BertForMaskedLM, Tensors]) -> Tensors:
    """What the hub serves, in small; its code is named and not there."""
    at.mkdir(parents=True, exist_ok=True)
    bert, head = words
    image = image_tensors(resnet, kind)
    torch.save(image, at / KINDS[kind][0])
    old = {"bert.embeddings.position_ids": torch.arange(40)[None]}
    torch.save(bert.state_dict() | head | old, at / "pytorch_model.bin")
    code = {"AutoModel": "modeling_cxrbert.CXRBertModel", "AutoConfig": "configuration_cxrbert.CXRBertConfig"}
    (at / "config.json").write_text(json.dumps({
        "architectures": ["CXRBertModel"], "auto_map": code, "attention_probs_dropout_prob": 0.25,
        "hidden_dropout_prob": 0.25, "hidden_size": WIDTH, "intermediate_size": 64, "max_position_embeddings": 40,
        "model_type": "cxr-bert", "num_attention_heads": 2, "num_hidden_layers": 2, "projection_size": DIM,
        "vocab_size": len(VOCABULARY),
    }))  # fmt: skip
    (at / "vocab.txt").write_text("\n".join(VOCABULARY))
    (at / "tokenizer_config.json").write_text(json.dumps({
        "do_lower_case": True, "tokenizer_class": "CXRBertTokenizer", "model_max_length": 40,
        "auto_map": {"AutoTokenizer": ["configuration_cxrbert.CXRBertTokenizer", None]},
    }))  # fmt: skip
    return image


def opened(at: Path, **options: str) -> TorchEncoder:
    encoder = load("biovil-t", Checkpoint(at, "biovil-t", "test", options))
    assert isinstance(encoder, TorchEncoder)
    return encoder


def remapped(values: np.ndarray) -> Image.Image:
    """hi-ml-multimodal's remap_to_uint8, then "L"."""
    array = values.astype(float)
    array -= array.min()
    array /= array.max()
    array *= 255
    return Image.fromarray(array.astype(np.uint8)).convert("L")


def pixels_of(values: np.ndarray, kind: str) -> torch.Tensor:
    prepare = [transforms.Resize(512), transforms.CenterCrop(KINDS[kind][1]), transforms.ToTensor()]
    return transforms.Compose(prepare)(remapped(values))


def places(of: Tensors, resnet: ResNet, kind: str, film: Film, values: np.ndarray) -> torch.Tensor:
    """``(D, h, w)``: ImageModel.forward for one film without an earlier one."""
    x = pixels_of(values, kind).repeat(3, 1, 1)[None]
    with torch.no_grad():
        x = resnet.maxpool(resnet.relu(resnet.bn1(resnet.conv1(x))))
        x = resnet.layer4(resnet.layer3(resnet.layer2(resnet.layer1(x))))
        if kind == "biovil_t":
            x = conv2d(x, of["encoder.backbone_to_vit.weight"])
            x = torch.cat([x, of["encoder.missing_previous_emb"].repeat(1, 1, *x.shape[2:])], dim=1)
        p = {n.removeprefix("projector.model."): t for n, t in of.items()}
        x = conv2d(x, p["0.weight"])
        x = batch_norm(x, p["1.running_mean"], p["1.running_var"], p["1.weight"], p["1.bias"])
        return conv2d(torch.relu(x), p["3.weight"], p["3.bias"])[0]


@pytest.mark.parametrize(("kind", "levels"), [
    ("biovil_t", "display"), pytest.param("biovil_t", "full", marks=pytest.mark.slow),
    pytest.param("biovil", "display", marks=pytest.mark.slow),
])  # fmt: skip
def test_film_vectors_are_the_mean_of_projected_places(
    resnet: ResNet, words: tuple[BertForMaskedLM, Tensors], tmp_path: Path, kind: str, levels: str
) -> None:
    """``projected_global_embedding``: projected first (there is a ReLU in it), then averaged; no mean, no deviation."""
    tensors = write(tmp_path, kind, resnet, words)

    def reference(film: Film) -> np.ndarray:
        values = film.display if levels == "display" else film.full
        return places(tensors, resnet, kind, film, values).mean((1, 2)).numpy()

    agree_on_films(opened(tmp_path, levels=levels), reference)


def test_text_vectors_are_the_class_token_projected(
    resnet: ResNet, words: tuple[BertForMaskedLM, Tensors], tmp_path: Path
) -> None:
    """get_projected_text_embeddings behind TextInput, which takes marks from the end of a prompt."""
    write(tmp_path, "biovil_t", resnet, words)
    bert, head = words
    tokenizer = BertTokenizer.from_pretrained(tmp_path)

    def reference(text: str) -> np.ndarray:
        tokens = tokenizer([text.rstrip("!?.")], truncation=True, max_length=40, return_tensors="pt")
        with torch.no_grad():
            x = bert(**tokens, output_hidden_states=True).hidden_states[-1][0, 0]
        h = {n.removeprefix("cls_projection_head."): t for n, t in head.items()}
        x = gelu(linear(x, h["dense_to_hidden.weight"], h["dense_to_hidden.bias"]))
        x = layer_norm(x, (DIM,), h["LayerNorm.weight"], h["LayerNorm.bias"], eps=1e-12)
        return linear(x, h["dense_to_output.weight"], h["dense_to_output.bias"]).numpy()

    encoder = opened(tmp_path)
    agree_on_texts(encoder, reference)
    found = encoder.encode_texts(["Pleural effusion", "pleural effusion.", "pleural effusion?!"])
    np.testing.assert_allclose(found[1:], found[:1].repeat(2, 0), atol=1e-6)


def test_local_vectors_are_the_projected_places(
    resnet: ResNet, words: tuple[BertForMaskedLM, Tensors], tmp_path: Path
) -> None:
    tensors = write(tmp_path, "biovil_t", resnet, words)
    encoder, film = opened(tmp_path), films()[0]
    found = encoder.encode_patches([encoder.preprocess(film)])
    assert found.reads_text and found.grid.shape == (1, 14, 14, DIM)
    wanted = places(tensors, resnet, "biovil_t", film, film.display).permute(1, 2, 0)
    np.testing.assert_allclose(found.grid[0], torch.nn.functional.normalize(wanted, dim=-1).numpy(), atol=1e-4)
    frame = encoder.frame(512, 640)
    assert (frame.top, frame.left, frame.height, frame.width) == (32, 96, 448, 448)


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_are_theirs_to_the_last(
    resnet: ResNet, words: tuple[BertForMaskedLM, Tensors], tmp_path: Path, kind: str
) -> None:
    """Stretched to what the film holds, rounded down, in either range; a film of one grey is black, not an error."""
    write(tmp_path, kind, resnet, words)
    for levels in ("display", "full"):
        encoder = opened(tmp_path, levels=levels)
        for film in films():
            values = film.display if levels == "display" else film.full
            found = encoder.network.recipe.normalised(encoder.preprocess(film))[:1]
            np.testing.assert_array_equal(found, pixels_of(values, kind).numpy())
        assert not encoder.preprocess(Film(np.full((9, 9), 90, np.uint8), np.full((9, 9), 90, np.uint16))).any()


def test_what_does_not_fit_is_refused(resnet: ResNet, words: tuple[BertForMaskedLM, Tensors], tmp_path: Path) -> None:
    name = KINDS["biovil_t"][0]
    tensors = write(tmp_path, "biovil_t", resnet, words)
    torch.save({n: t for n, t in tensors.items() if n != "projector.model.1.running_var"}, tmp_path / name)
    with pytest.raises(HilumError, match="1 missing"):
        opened(tmp_path)
    torch.save({n: t for n, t in tensors.items() if not n.startswith("projector")}, tmp_path / name)
    with pytest.raises(HilumError, match="image tower's file"):
        opened(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(HilumError, match=r"no biovil_t_image"):
        opened(tmp_path)
    write(tmp_path, "biovil_t", resnet, words)
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(HilumError, match=r"no vocab\.txt"):
        opened(tmp_path)
    write(tmp_path, "biovil_t", resnet, words)
    (tmp_path / "pytorch_model.bin").unlink()
    with pytest.raises(HilumError, match=r"model\.safetensors"):
        opened(tmp_path)
