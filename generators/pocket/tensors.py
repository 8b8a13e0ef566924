"""Reads a model folder as Hugging Face writes it: its shape from config.json, its weights from safetensors.

Nothing but numpy is needed: a safetensors file is the length of a JSON header, the header, and the numbers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.errors import ConfigError

Floats = NDArray[np.float32]

_DTYPES = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a Llama, and what else its arithmetic needs."""

    layers: int
    heads: int
    key_heads: int
    head_size: int
    hidden: int
    vocabulary: int
    context: int
    """The longest prompt and reply together, in tokens."""
    rope_base: float
    epsilon: float
    ends: frozenset[int]
    """The tokens that end a reply."""


def read_shape(folder: Path) -> Shape:
    """The shape of the model in a folder; ConfigError where it is no Llama that generators/pocket/llama.py computes."""
    config = _json(folder / "config.json")
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    needed = {
        "model_type": (config.get("model_type"), "llama"), "hidden_act": (config.get("hidden_act", "silu"), "silu"),
        "attention_bias": (config.get("attention_bias", False), False),
        "mlp_bias": (config.get("mlp_bias", False), False),
        "rope_type": (rope.get("rope_type", "default"), "default"),
    }
    for name, (found, wanted) in needed.items():
        if found != wanted:
            raise ConfigError(f"{folder}: {name} is {found!r}; the pocket server computes {wanted!r} alone: serve this "
                              "model with vLLM or llama.cpp")
    heads = config["num_attention_heads"]
    ends: Any = config.get("eos_token_id")
    return Shape(
        layers=config["num_hidden_layers"], heads=heads, key_heads=config.get("num_key_value_heads") or heads,
        head_size=config.get("head_dim") or config["hidden_size"] // heads, hidden=config["hidden_size"],
        vocabulary=config["vocab_size"], context=config["max_position_embeddings"],
        rope_base=float(config.get("rope_theta") or rope.get("rope_theta", 10_000.0)),
        epsilon=float(config["rms_norm_eps"]), ends=frozenset(ends if isinstance(ends, list) else [ends]),
    )


def read_weights(path: Path) -> Mapping[str, Floats]:
    """The tensors of a safetensors file by name, as float32."""
    raw = path.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    header: dict[str, Any] = json.loads(raw[8:start])
    return {name: _tensor(path, raw[start:], about) for name, about in header.items() if name != "__metadata__"}


def _tensor(path: Path, data: bytes, about: Mapping[str, Any]) -> Floats:
    if about["dtype"] not in _DTYPES:
        raise ConfigError(f"{path}: numbers of type {about['dtype']} are not read; save the model as bfloat16")
    begin, end = about["data_offsets"]
    numbers = np.frombuffer(data[begin:end], _DTYPES[about["dtype"]])
    if about["dtype"] == "BF16":
        numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers.astype(np.float32).reshape(about["shape"])


def _json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: this is no model folder as Hugging Face writes it: {error}") from None
    return found
