"""open_clip's layouts and recipes, on tiny networks: BiomedCLIP as the hub serves it, native CLIP, SigLIP, CoCa."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from torch.nn.functional import gelu, layer_norm
from torchvision import transforms
from transformers import BertConfig, BertModel, BertTokenizer, PreTrainedTokenizerFast

from services.core.errors import HilumError
from services.core.types import Film
from services.encoders.base import Encoder
from services.encoders.families import load
from services.encoders.families.open_clip import build_tokenizer
from services.encoders.network import Checkpoint
from tests.kit.conformance import EXACT, agree_on_films, agree_on_texts, cosine, films, rgb

OPENAI_MEAN, OPENAI_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
LETTERS = [chr(c) for c in range(ord("a"), ord("z") + 1)]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *("##" + c for c in LETTERS), "pleural",
              "effusion", "no"]  # fmt: skip
NATIVE = {
    "embed_dim": 24, "quick_gelu": True,
    "vision_cfg": {"image_size": 48, "layers": 3, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49_408, "width": 32, "heads": 2, "layers": 2},
}  # fmt: skip
SIGLIP = {
    "embed_dim": 96, "init_logit_bias": -10, "custom_text": True,
    "vision_cfg": {"image_size": 160, "timm_model_name": "test_vit3", "timm_pool": "map", "timm_proj": "none"},
    "text_cfg": {"context_length": 24, "vocab_size": 40, "hf_tokenizer_name": "timm/siglip", "width": 96, "heads": 2,
                 "layers": 2, "no_causal_mask": True, "proj_bias": True, "pool_type": "last",
                 "norm_kwargs": {"eps": 1e-6}, "tokenizer_kwargs": {"clean": "canonicalize"}},
}  # fmt: skip
COCA = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 48, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16,
                   "attentional_pool": True, "attn_pooler_heads": 2, "attn_pooler_queries": 8, "output_tokens": True},
    "text_cfg": {"context_length": 76, "vocab_size": 49_408, "width": 32, "heads": 2, "layers": 2, "embed_cls": True,
                 "output_tokens": True},
    "multimodal_cfg": {"context_length": 76, "vocab_size": 49_408, "width": 32, "heads": 2, "layers": 1},
    "custom_text": True,
}  # fmt: skip


def describe(at: Path, model: Mapping[str, Any], **pixels: object) -> None:
    """Write open_clip_config.json."""
    at.mkdir(parents=True, exist_ok=True)
    (at / "open_clip_config.json").write_text(json.dumps({"model_cfg": model, "preprocess_cfg": pixels}))


def randomised(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The model's tensors, drawn wide enough that different films get different vectors."""
    torch.manual_seed(1)
    for name, tensor in model.named_parameters():
        scales = tensor.ndim == 1 and name.endswith("weight")  # of a normalisation
        torch.nn.init.normal_(tensor.data, 1.0 if scales else 0.0, 0.2)
    return {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}


def tokenizer_files(at: Path) -> None:
    """A fast tokenizer of whole words, saved as hub folders carry it."""
    known = ["<pad>", "</s>", "<unk>", *LETTERS, "no", "pleural", "effusion", "edema"]
    words = Tokenizer(models.WordLevel({word: n for n, word in enumerate(known)}, "<unk>"))
    words.normalizer, words.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(at)


@pytest.fixture(scope="module")
def biomedclip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hub's files, unedited, and the BERT's configuration from its own repository."""
    at = tmp_path_factory.mktemp("biomedclip")
    (at / "vocab.txt").write_text("\n".join(VOCABULARY))
    special = {"cls_token": "[CLS]", "mask_token": "[MASK]", "pad_token": "[PAD]", "sep_token": "[SEP]",
               "unk_token": "[UNK]"}  # fmt: skip
    (at / "special_tokens_map.json").write_text(json.dumps(special))
    (at / "tokenizer_config.json").write_text(json.dumps({
        **special, "do_lower_case": True, "do_basic_tokenize": True, "tokenize_chinese_chars": True,
        "tokenizer_class": "BertTokenizer"}))  # fmt: skip
    BertConfig(vocab_size=len(VOCABULARY), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
               intermediate_size=64).save_pretrained(at / "bert")  # fmt: skip
    bert = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"
    model = {
        "embed_dim": 16,
        "vision_cfg": {"timm_model_name": "test_vit", "timm_model_pretrained": False, "timm_pool": "",
                       "timm_proj": "linear", "image_size": 160},
        "text_cfg": {"hf_model_name": bert, "hf_tokenizer_name": bert, "hf_proj_type": "mlp",
                     "hf_pooler_type": "cls_last_hidden_state_pooler", "context_length": 256},
    }  # fmt: skip
    describe(at, model, mean=OPENAI_MEAN, std=OPENAI_STD)
    text = {**model["text_cfg"], "hf_model_name": str(at / "bert"), "hf_model_pretrained": False}
    tensors = randomised(open_clip.create_model(f"local-dir:{at}", load_weights=False, text_cfg=text))
    tensors["text.transformer.embeddings.position_ids"] = torch.arange(512)[None]
    torch.save(tensors, at / "open_clip_pytorch_model.bin")
    return at


def opened(at: Path, **options: object) -> Encoder:
    return load("open-clip", Checkpoint(at, "tiny", "test", options))


def part(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


@torch.no_grad()
def test_biomedclip_is_timm_and_bert_with_two_heads(biomedclip: Path) -> None:
    """Written without open_clip: shortest edge, centre crop, ViT's class token, BERT's first token, two projections."""
    tensors = torch.load(biomedclip / "open_clip_pytorch_model.bin", weights_only=True)
    trunk = timm.create_model("test_vit", num_classes=0).eval()
    trunk.load_state_dict(part(tensors, "visual.trunk."))
    bert = BertModel(BertConfig.from_pretrained(biomedclip / "bert"), add_pooling_layer=False).eval()
    named = part(tensors, "text.transformer.")
    bert.load_state_dict({name: tensor for name, tensor in named.items() if name != "embeddings.position_ids"})
    tokenizer = BertTokenizer(str(biomedclip / "vocab.txt"), do_lower_case=True)
    pixels = transforms.Compose([
        transforms.Resize(160, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(160), transforms.ToTensor(),
        transforms.Normalize(OPENAI_MEAN, OPENAI_STD),
    ])  # fmt: skip

    def image(film: Film) -> np.ndarray:
        return (trunk(pixels(rgb(film))[None])[0] @ tensors["visual.head.proj.weight"].T).numpy()

    def text(words: str) -> np.ndarray:
        ids = tokenizer(words, padding="max_length", max_length=256, truncation=True, return_tensors="pt")
        first = bert(input_ids=ids["input_ids"], attention_mask=ids["attention_mask"]).last_hidden_state[0, 0]
        return (gelu(first @ tensors["text.proj.0.weight"].T) @ tensors["text.proj.2.weight"].T).numpy()

    encoder = opened(biomedclip)
    agree_on_films(encoder, image)
    agree_on_texts(encoder, text)
    assert encoder.spec.dim == 16 and encoder.spec.text_space


def test_without_its_berts_configuration_it_says_what_is_missing(biomedclip: Path, tmp_path: Path) -> None:
    for file in biomedclip.iterdir():
        if file.is_file():
            (tmp_path / file.name).symlink_to(file)
    with pytest.raises(HilumError, match=r"bert/config\.json"):
        opened(tmp_path)


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of one's own: no tokenizer files, QuickGELU, films padded to a square with grey."""
    at = tmp_path_factory.mktemp("native")
    describe(at, NATIVE, mean=OPENAI_MEAN, std=OPENAI_STD, resize_mode="longest", fill_color=90)
    save_file(randomised(open_clip.create_model(f"local-dir:{at}")), at / "open_clip_model.safetensors")
    return at


def blocks(
    x: torch.Tensor, w: Mapping[str, torch.Tensor], prefix: str, count: int, heads: int, causal: bool = False,
    values_alone_in_the_last: bool = False,
) -> torch.Tensor:  # fmt: skip
    """CLIP's transformer as the paper has it: x ``(L, D)``."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return layer_norm(x, x.shape[-1:], w[name + "weight"], w[name + "bias"])

    for n in range(count):
        at = f"{prefix}resblocks.{n}."
        q, k, v = (norm(x, at + "ln_1.") @ w[at + "attn.in_proj_weight"].T + w[at + "attn.in_proj_bias"]).chunk(3, -1)
        if values_alone_in_the_last and n == count - 1:
            mixed = v
        else:
            q, k, v = (t.unflatten(1, (heads, -1)).transpose(0, 1) for t in (q, k, v))
            weights = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
            if causal:
                weights = weights + torch.full(weights.shape[1:], -torch.inf).triu(1)
            mixed = (weights.softmax(-1) @ v).transpose(0, 1).flatten(1)
        x = x + mixed @ w[at + "attn.out_proj.weight"].T + w[at + "attn.out_proj.bias"]
        hidden = norm(x, at + "ln_2.") @ w[at + "mlp.c_fc.weight"].T + w[at + "mlp.c_fc.bias"]
        hidden = hidden * torch.sigmoid(1.702 * hidden)
        x = x + hidden @ w[at + "mlp.c_proj.weight"].T + w[at + "mlp.c_proj.bias"]
    return x


@torch.no_grad()
def clip_tokens(film: Film, w: Mapping[str, torch.Tensor], values_alone: bool = False) -> torch.Tensor:
    """Every token of CLIP's image tower, projected: ``(10, 24)``; the film is padded with grey 90 to 48 x 48."""
    picture = Image.fromarray(film.display).convert("RGB")
    ratio = max(picture.size) / 48
    small = picture.resize((round(picture.width / ratio), round(picture.height / ratio)), Image.Resampling.BICUBIC)
    square = Image.new("RGB", (48, 48), (90, 90, 90))
    square.paste(small, ((48 - small.width) // 2, (48 - small.height) // 2))
    pixels = (np.asarray(square, np.float32) / 255 - OPENAI_MEAN) / OPENAI_STD
    cells = torch.tensor(pixels, dtype=torch.float32).unflatten(0, (3, 16)).unflatten(2, (3, 16)).permute(0, 2, 4, 1, 3)
    tokens = cells.reshape(9, -1) @ w["visual.conv1.weight"].reshape(32, -1).T
    x = torch.cat([w["visual.class_embedding"][None], tokens]) + w["visual.positional_embedding"]
    x = layer_norm(x, (32,), w["visual.ln_pre.weight"], w["visual.ln_pre.bias"])
    x = blocks(x, w, "visual.transformer.", 3, 2, values_alone_in_the_last=values_alone)
    return layer_norm(x, (32,), w["visual.ln_post.weight"], w["visual.ln_post.bias"]) @ w["visual.proj"]


@torch.no_grad()
def test_native_clip_is_the_papers_network(native: Path) -> None:
    """Written without open_clip's network: padding, class token, QuickGELU, causal text, the end-of-text token."""
    w = load_file(native / "open_clip_model.safetensors")
    bpe = open_clip.SimpleTokenizer(context_length=77)

    def text(words: str) -> np.ndarray:
        ids = bpe([words])[0]
        x = w["token_embedding.weight"][ids] + w["positional_embedding"]
        x = blocks(x, w, "transformer.", 2, 2, causal=True)
        x = layer_norm(x, (32,), w["ln_final.weight"], w["ln_final.bias"])
        return (x[int(ids.argmax())] @ w["text_projection"]).numpy()

    encoder = opened(native)
    agree_on_films(encoder, lambda film: clip_tokens(film, w)[0].numpy())
    agree_on_texts(encoder, text)


def test_native_patches_are_values_projected_and_read_text(native: Path) -> None:
    w, encoder = load_file(native / "open_clip_model.safetensors"), opened(native)
    found = encoder.encode_patches([encoder.preprocess(film) for film in films()])  # type: ignore[attr-defined]
    wanted = np.stack([clip_tokens(film, w, values_alone=True)[1:].reshape(3, 3, -1).numpy() for film in films()])
    assert found.reads_text and found.grid.shape == wanted.shape
    assert cosine(found.grid, wanted).min() >= EXACT
    frame = encoder.frame(200, 100)  # type: ignore[attr-defined]
    assert (frame.top, frame.left, frame.height, frame.width) == (0, -50, 200, 200)


def library(at: Path) -> tuple[Callable[[Film], np.ndarray], Callable[[str], np.ndarray]]:
    """open_clip's own way with a local folder."""
    model, pixels = open_clip.create_model_from_pretrained(f"local-dir:{at}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{at}")
    model.eval()
    with torch.no_grad():
        return (lambda film: model.encode_image(pixels(rgb(film))[None]).detach()[0].numpy(),
                lambda text: model.encode_text(tokenizer([text])).detach()[0].numpy())  # fmt: skip


@pytest.mark.parametrize(
    ("model", "pixels"),
    [
        (SIGLIP, {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"}),
        (COCA, {"mean": OPENAI_MEAN, "std": OPENAI_STD, "interpolation": "bilinear"}),
        ({**NATIVE, "vision_cfg": {"image_size": 64, "timm_model_name": "test_convnext", "timm_pool": "",
                                   "timm_proj": "mlp"}}, {"interpolation": "random"}),
        ({**NATIVE, "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16}}, {}),
    ],
    ids=["siglip", "coca", "convnext", "resnet"],
)  # fmt: skip
def test_every_architecture_of_open_clip(tmp_path: Path, model: dict[str, Any], pixels: dict[str, object]) -> None:
    describe(tmp_path, model, **pixels)
    if "hf_tokenizer_name" in model["text_cfg"]:
        tokenizer_files(tmp_path)
    save_file(randomised(open_clip.create_model(f"local-dir:{tmp_path}")), tmp_path / "open_clip_model.safetensors")
    encoder, (image, text) = opened(tmp_path), library(tmp_path)
    agree_on_films(encoder, image)
    agree_on_texts(encoder, text)


def test_the_places_of_a_map_make_up_the_film(tmp_path: Path) -> None:
    """A head that is linear after its average: the mean of the places, each read alone, is the film's vector."""
    vision = {"image_size": 64, "timm_model_name": "resnet10t", "timm_pool": "avg", "timm_proj": "linear"}
    describe(tmp_path, {**NATIVE, "vision_cfg": vision})
    tensors = randomised(open_clip.create_model(f"local-dir:{tmp_path}"))
    save_file(tensors, tmp_path / "open_clip_model.safetensors")
    model, pixels = open_clip.create_model_from_pretrained(f"local-dir:{tmp_path}")
    model.eval()
    encoder = opened(tmp_path)
    for film in films():
        with torch.no_grad():
            features = model.visual.trunk.forward_features(pixels(rgb(film))[None])[0]
        wanted = torch.einsum("chw,dc->hwd", features, tensors["visual.head.proj.weight"]).numpy()
        found = encoder.encode_patches([encoder.preprocess(film)])  # type: ignore[attr-defined]
        assert found.reads_text and cosine(found.grid[0], wanted).min() >= EXACT
        assert cosine(wanted.mean((0, 1)), encoder.encode_images([encoder.preprocess(film)])[0]) >= EXACT


def test_siglips_patches_are_its_pool_over_one_place(tmp_path: Path) -> None:
    """With one place to look at, an attention pool passes its value on."""
    describe(tmp_path, SIGLIP, resize_mode="squash")
    tokenizer_files(tmp_path)
    save_file(randomised(open_clip.create_model(f"local-dir:{tmp_path}")), tmp_path / "open_clip_model.safetensors")
    model, pixels = open_clip.create_model_from_pretrained(f"local-dir:{tmp_path}")
    trunk = model.eval().visual.trunk
    encoder, film = opened(tmp_path), films()[0]
    with torch.no_grad():
        tokens = trunk.forward_features(pixels(rgb(film))[None])[0, trunk.num_prefix_tokens :]
        pool = trunk.attn_pool
        value = pool.kv(tokens).chunk(2, -1)[1]
        read = pool.proj(value)
        wanted = trunk.fc_norm(read + pool.mlp(pool.norm(read))).reshape(10, 10, -1).numpy()
    found = encoder.encode_patches([encoder.preprocess(film)])  # type: ignore[attr-defined]
    assert found.reads_text and cosine(found.grid[0], wanted).min() >= EXACT


def test_the_first_of_the_weights_that_open_clip_would_take(native: Path, tmp_path: Path) -> None:
    """A folder with several files; a name of one's own by the option ``weights``; several devices' ``module.``."""
    right = load_file(native / "open_clip_model.safetensors")
    wrong = {name: tensor * 0.5 for name, tensor in right.items()}
    (tmp_path / "open_clip_config.json").write_bytes((native / "open_clip_config.json").read_bytes())
    torch.save(wrong, tmp_path / "open_clip_pytorch_model.bin")
    save_file(right, tmp_path / "open_clip_pytorch_model.safetensors")
    torch.save({"epoch": 3, "name": "mine", "state_dict": {"module." + n: t for n, t in right.items()}},
               tmp_path / "epoch_3.pt")  # fmt: skip
    batch = [opened(native).preprocess(films()[0])]
    wanted = opened(native).encode_images(batch)
    np.testing.assert_array_equal(opened(tmp_path).encode_images(batch), wanted)
    np.testing.assert_array_equal(opened(tmp_path, weights="epoch_3.pt").encode_images(batch), wanted)
    save_file(wrong, tmp_path / "open_clip_model.safetensors")
    assert not np.array_equal(opened(tmp_path).encode_images(batch), wanted)


def test_no_log_names_the_folder(native: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """open_clip warns of weights that it does not find or has to choose from, with the path."""
    right = load_file(native / "open_clip_model.safetensors")
    (tmp_path / "open_clip_config.json").write_bytes((native / "open_clip_config.json").read_bytes())
    torch.save(right, tmp_path / "epoch_3.pt")
    with caplog.at_level("DEBUG"):
        opened(tmp_path, weights="epoch_3.pt")
    assert not [r for r in caplog.records if r.levelname == "WARNING" or str(tmp_path) in r.getMessage()]


def test_a_tensor_too_few_is_refused(native: Path, tmp_path: Path) -> None:
    tensors = load_file(native / "open_clip_model.safetensors")
    del tensors["visual.proj"]
    (tmp_path / "open_clip_config.json").write_bytes((native / "open_clip_config.json").read_bytes())
    save_file(tensors, tmp_path / "open_clip_model.safetensors")
    with pytest.raises(HilumError, match=r"1 missing \(first: visual.proj\)"):
        opened(tmp_path)


def test_a_folders_code_is_never_run(tmp_path: Path) -> None:
    """A configuration may hand arguments to the tokenizer's loader; one of them would let the folder run code."""
    at, mark = tmp_path / "model", tmp_path / "ran"
    kwargs = {"trust_remote_code": True}
    describe(at, {**SIGLIP, "text_cfg": {**SIGLIP["text_cfg"], "tokenizer_kwargs": kwargs}})
    (at / "tokenizer_config.json").write_text(json.dumps({"auto_map": {"AutoTokenizer": ["evil.Evil", None]}}))
    (at / "evil.py").write_text(f"open({str(mark)!r}, 'w').close()")
    (at / "open_clip_model.safetensors").write_bytes(b"")
    for use in (opened, build_tokenizer):
        with pytest.raises(HilumError, match="tokenizer_kwargs"):
            use(at)
    assert not mark.exists()
