"""Model folders of random weights, in the shape of the pocket family, for tests of the server alone."""

import json
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIAL = ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|text|>")
TEMPLATE = (
    "{% for turn in messages %}{{ '<|' + turn['role'] + '|>' + turn['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
TEXTS = (
    "Ada has 34 apples and gets 27 more. How many apples does Ada have now? \\boxed{61}",
    'def add(a, b):\n    return a + b\n{"rationale": "Gold: 61. A: 61 ok. B: 60 bad.", "verdict": "A"}',
    '<conversation>\n<turn role="user">\nx\n</turn>\n</conversation>\n<answer name="A">\n5\n</answer> tie both_bad',
    '{"inputs": [[1, "a", [2, -3.5], true, null, {"k": false}], []]}',
)


def write_folder(folder: Path, *, seed: int = 0, hidden: int = 128, layers: int = 4, gated: int = 344, heads: int = 4,
                 key_heads: int | None = None, context: int = 512, spread: float = 0.08) -> Path:
    """A Llama of random weights with a tokenizer of its own, as Hugging Face writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = _write_tokenizer(folder)
    rng = np.random.default_rng(seed)
    shapes = {"model.embed_tokens.weight": (tokens, hidden), "model.norm.weight": (hidden,)}
    for number in range(layers):
        name = f"model.layers.{number}."
        shapes |= {f"{name}{norm}_layernorm.weight": (hidden,) for norm in ("input", "post_attention")}
        shapes |= {f"{name}self_attn.{part}_proj.weight": (hidden, hidden) for part in "qo"}
        shared = (key_heads or heads) * hidden // heads
        shapes |= {f"{name}self_attn.{part}_proj.weight": (shared, hidden) for part in "kv"}
        shapes |= {f"{name}mlp.{part}_proj.weight": (gated, hidden) for part in ("gate", "up")}
        shapes |= {f"{name}mlp.down_proj.weight": (hidden, gated)}
    tensors = {name: rng.standard_normal(shape).astype(np.float32) * spread + (len(shape) == 1)
               for name, shape in shapes.items()}
    tensors["model.embed_tokens.weight"] *= 4
    write_safetensors(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": key_heads or heads,
        "head_dim": hidden // heads, "intermediate_size": gated, "vocab_size": tokens,
        "max_position_embeddings": context, "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0, "tie_word_embeddings": True, "hidden_act": "silu", "eos_token_id": 1, "pad_token_id": 0,
        "bos_token_id": None, "dtype": "bfloat16",
    }))
    return folder


def write_safetensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Tensors as bfloat16."""
    header, parts, at = {}, [], 0
    for name, tensor in tensors.items():
        raw = (tensor.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).tobytes()
        header[name] = {"dtype": "BF16", "shape": list(tensor.shape), "data_offsets": [at, at + len(raw)]}
        parts.append(raw)
        at += len(raw)
    head = json.dumps(header).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + b"".join(parts))


def _write_tokenizer(folder: Path) -> int:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=list(SPECIAL), show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>", "pad_token": "<|pad|>"}))
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return tokenizer.get_vocab_size()
