"""The Llama in numpy: against a plain calculation in double precision, and against itself in other company."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from generators.pocket.batch import chunk_keys
from generators.pocket.llama import CHUNK, WIDTHS, Llama, Piece
from generators.pocket.tensors import Shape, read_shape, read_weights
from schemas.errors import ConfigError
from tests.pocket.company import read, tokens
from tests.pocket.folders import write_folder, write_safetensors

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=[{}, {"hidden": 96, "heads": 3, "gated": 256, "layers": 2},
                                        {"layers": 2, "key_heads": 2}], ids=["large", "small", "shared keys"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("model"), **request.param)


@pytest.fixture(scope="module")
def llama(folder: Path) -> Llama:
    return Llama(read_shape(folder), read_weights(folder / "model.safetensors"))


def plain(shape: Shape, weights: dict[str, np.ndarray], prompt: list[int]) -> np.ndarray:
    """The logits after each token, as the Llama paper and Hugging Face write them, in double precision."""
    w = {name: tensor.astype(float) for name, tensor in weights.items()}
    x, size, count = w["model.embed_tokens.weight"][prompt], shape.head_size, len(prompt)
    angles = np.outer(np.arange(count), shape.rope_base ** (-np.arange(0, size, 2) / size))
    cos, sin = (np.concatenate([part, part], 1)[:, None] for part in (np.cos(angles), np.sin(angles)))

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        return x / np.sqrt((x**2).mean(1, keepdims=True) + shape.epsilon) * w[name]

    def rotated(x: np.ndarray) -> np.ndarray:
        return x * cos + np.concatenate([-x[..., size // 2:], x[..., :size // 2]], -1) * sin

    for number in range(shape.layers):
        name = f"model.layers.{number}."
        h = norm(x, f"{name}input_layernorm.weight")
        q, k, v = ((h @ w[f"{name}self_attn.{part}_proj.weight"].T).reshape(count, -1, size) for part in "qkv")
        k, v = (np.repeat(part, shape.heads // shape.key_heads, 1) for part in (rotated(k), v))
        scores = np.einsum("ihd,jhd->hij", rotated(q), k) / np.sqrt(size)
        scores[:, np.triu(np.ones((count, count), bool), 1)] = -np.inf
        chances = np.exp(scores - scores.max(-1, keepdims=True))
        chances /= chances.sum(-1, keepdims=True)
        mixed = np.einsum("hij,jhd->ihd", chances, v).reshape(count, -1)
        x = x + mixed @ w[f"{name}self_attn.o_proj.weight"].T
        h = norm(x, f"{name}post_attention_layernorm.weight")
        gate, up = (h @ w[f"{name}mlp.{part}_proj.weight"].T for part in ("gate", "up"))
        x = x + (gate / (1 + np.exp(-gate)) * up) @ w[f"{name}mlp.down_proj.weight"].T
    return norm(x, "model.norm.weight") @ w["model.embed_tokens.weight"].T


def test_logits_are_those_of_a_plain_calculation_in_double_precision(folder: Path, llama: Llama) -> None:
    prompt = tokens(77)
    wanted = plain(read_shape(folder), dict(read_weights(folder / "model.safetensors")), prompt)
    for length in (1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 64, 77):
        assert np.abs(read(llama, prompt[:length])[1] - wanted[length - 1]).max() < 2e-4


def test_a_token_after_a_cache_has_the_logits_of_reading_all_anew(llama: Llama) -> None:
    prompt = tokens(70)
    cache, _ = read(llama, prompt[:45])
    for token, end in zip(prompt[45:], range(46, 71), strict=True):
        [logits] = llama.forward([Piece(cache, [token], True)])
        assert np.abs(logits - read(llama, prompt[:end])[1]).max() < 1e-4


def test_logits_are_the_same_bit_for_bit_in_any_company_and_from_the_prefix_cache(folder: Path) -> None:
    command = [sys.executable, "-m", "tests.pocket.company", str(folder)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # read when numpy is loaded: hence another process
    told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    found = json.loads(told)
    if not found.pop("steady"):
        pytest.skip("this machine's BLAS has no columns that come out alike: results are near, not equal")
    assert found == {"company": True, "chunks": True, "room": True}


def test_a_pass_of_more_tokens_than_any_width_holds_is_not_planned(llama: Llama) -> None:
    assert CHUNK <= llama.most <= WIDTHS[-1]


def test_keys_of_chunks_tell_apart_what_came_before() -> None:
    one, other = chunk_keys([*range(32), *range(32), 7]), chunk_keys([*range(32), *range(1, 33)])
    assert len(one) == len(other) == 2
    assert one[0] == other[0]
    assert len({*one, *other}) == 3


def test_weights_are_read_as_written(tmp_path: Path) -> None:
    tensors = {"a": np.array([[1.5, -2.0], [0.0, 3.0]]), "b": np.array([0.25])}
    write_safetensors(tmp_path / "model.safetensors", tensors)
    found = read_weights(tmp_path / "model.safetensors")
    assert {name: tensor.tolist() for name, tensor in found.items()} == {"a": [[1.5, -2], [0, 3]], "b": [0.25]}


@pytest.mark.parametrize(("name", "value"), [
    ("model_type", "qwen3"), ("hidden_act", "gelu"), ("attention_bias", True),
    ("rope_parameters", {"rope_type": "yarn"}),
])
def test_a_model_of_another_kind_is_refused_by_name(name: str, value: object, tmp_path: Path) -> None:
    write_folder(tmp_path, layers=1)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, name: value}))
    with pytest.raises(ConfigError, match="serve this model with vLLM"):
        read_shape(tmp_path)
