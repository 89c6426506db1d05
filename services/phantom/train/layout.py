"""Write the empty checkpoint folders that training fills: configurations, tokenizer, no weights."""

import json
from pathlib import Path

from services.phantom.train.wordpiece import vocabulary

CLIP_SIZE = 160
CLIP_TOWER = "mobilenetv4_conv_small_050"
CONTEXT = 96
MEAN, STD = 0.45, 0.28  # of phantom films shown in 0..1
_SPECIAL = {
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
    "pad_token": "[PAD]",
    "sep_token": "[SEP]",
    "unk_token": "[UNK]",
}


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


def clip_layout(folder: Path) -> None:
    """An open_clip local directory in the manner of BiomedCLIP: a timm tower and a small BERT."""
    (folder / "bert").mkdir(parents=True, exist_ok=True)
    vocab = vocabulary()
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n")
    _write(folder / "special_tokens_map.json", _SPECIAL)
    _write(
        folder / "tokenizer_config.json",
        {
            **_SPECIAL,
            "do_lower_case": True,
            "do_basic_tokenize": True,
            "tokenize_chinese_chars": True,
            "model_max_length": CONTEXT,
            "tokenizer_class": "BertTokenizer",
        },
    )
    _write(
        folder / "bert" / "config.json",
        {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "vocab_size": len(vocab),
            "hidden_size": 128,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "intermediate_size": 256,
            "hidden_act": "gelu",
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            "max_position_embeddings": CONTEXT,
            "type_vocab_size": 1,
            "pad_token_id": 0,
        },
    )
    _write(
        folder / "open_clip_config.json",
        {
            "model_cfg": {
                "embed_dim": 256,
                "vision_cfg": {
                    "timm_model_name": CLIP_TOWER,
                    "timm_model_pretrained": False,
                    "timm_pool": "avg",
                    "timm_proj": "",
                    "image_size": CLIP_SIZE,
                },
                "text_cfg": {
                    "hf_model_name": "bert",
                    "hf_tokenizer_name": "bert",
                    "hf_proj_type": "mlp",
                    "hf_pooler_type": "cls_last_hidden_state_pooler",
                    "context_length": CONTEXT,
                },
            },
            "preprocess_cfg": {
                "mean": [MEAN] * 3,
                "std": [STD] * 3,
                "interpolation": "bicubic",
                "resize_mode": "shortest",
            },
        },
    )


DINO_SIZE, DINO_DIM, DINO_PATCH = 160, 160, 20


def dino_layout(folder: Path) -> None:
    """A Hugging Face DINOv2 directory in the manner of RAD-DINO."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(
        folder / "config.json",
        {
            "architectures": ["Dinov2Model"],
            "model_type": "dinov2",
            "hidden_size": DINO_DIM,
            "num_hidden_layers": 6,
            "num_attention_heads": 5,
            "mlp_ratio": 3,
            "image_size": DINO_SIZE,
            "patch_size": DINO_PATCH,
            "num_channels": 3,
            "hidden_act": "gelu",
            "layerscale_value": 1.0,
            "drop_path_rate": 0.0,
            "qkv_bias": True,
            "layer_norm_eps": 1e-6,
            "use_swiglu_ffn": False,
            "torch_dtype": "float16",
        },
    )
    _write(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "BitImageProcessor",
            "do_resize": True,
            "size": {"shortest_edge": DINO_SIZE},
            "resample": 3,
            "do_center_crop": True,
            "crop_size": {"height": DINO_SIZE, "width": DINO_SIZE},
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": [MEAN] * 3,
            "image_std": [STD] * 3,
            "do_convert_rgb": True,
        },
    )
