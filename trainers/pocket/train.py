"""Trains one model: Muon for the matrices, AdamW for the rest, a schedule in steps, one thread, one seed."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainers.pocket.muon import Muon
from trainers.pocket.tokens import VOCABULARY

BATCH = 12
"""Rows a step."""
WARM_UP = 150
LAST_RATE = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large a model is."""

    hidden: int
    intermediate: int
    layers: int = 4
    rate: float = 2e-3

    def config(self, context: int) -> Any:
        """The Llama configuration."""
        from transformers import LlamaConfig

        return LlamaConfig(
            vocab_size=VOCABULARY, hidden_size=self.hidden, intermediate_size=self.intermediate,
            num_hidden_layers=self.layers, num_attention_heads=self.hidden // 32, num_key_value_heads=self.hidden // 32,
            head_dim=32, max_position_embeddings=context, tie_word_embeddings=True, rms_norm_eps=1e-5,
            pad_token_id=0, bos_token_id=1, eos_token_id=2, attention_bias=False, mlp_bias=False)


SMALL = Shape(hidden=96, intermediate=256, rate=3e-3)
LARGE = Shape(hidden=128, intermediate=352)


def new_model(shape: Shape, seed: int, context: int) -> Any:
    """A model of random weights."""
    import torch
    from transformers import LlamaForCausalLM

    torch.manual_seed(seed)
    return LlamaForCausalLM(shape.config(context))


def load_model(folder: Path) -> Any:
    """A saved model, in float32."""
    import torch
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM.from_pretrained(str(folder), dtype=torch.float32)


def rate(step: int, steps: int, warm_up: int = WARM_UP) -> float:
    """The share of the full rate at a step: up, level until half of the steps, then down to a thirty-third."""
    half = steps / 2
    falling = 1 - (1 - LAST_RATE) * max(0.0, (step - half) / (steps - half))
    return min(1.0, (step + 1) / warm_up) * falling


def train(model: Any, tokens: Any, weights: Any, peak: float, warm_up: int = WARM_UP,
          tell: Callable[[str], None] = print) -> float:
    """Train on rows in their order, BATCH a step; returns the seconds of processor time that it took."""
    import torch
    from torch.nn import functional

    started, steps = time.process_time(), len(tokens) // BATCH
    optimizers = _optimizers(model, peak)
    forward = torch.compile(model, dynamic=False)
    mean = 0.0
    for step in range(steps):
        batch = slice(step * BATCH, (step + 1) * BATCH)
        ids, loss_weights = torch.from_numpy(tokens[batch]).long(), torch.from_numpy(weights[batch])
        logits = forward(input_ids=ids, use_cache=False).logits[:, :-1].flatten(0, 1)
        each = functional.cross_entropy(logits, ids[:, 1:].flatten(), reduction="none")
        scale = loss_weights[:, 1:].flatten()
        loss = (each * scale).sum() / scale.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = peak * rate(step, steps, warm_up)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        mean += (loss.item() - mean) / min(step + 1, 50)
        if (step + 1) % 50 == 0 or step + 1 == steps:
            used = time.process_time() - started
            tell(f"step {step + 1} of {steps}, loss {mean:.3f}, {used / 60:.1f} CPU-min, "
                 f"about {used / (step + 1) * (steps - step - 1) / 60:.1f} to go")
        if not math.isfinite(mean):
            raise SystemExit(f"training diverged at step {step + 1}")
    return time.process_time() - started


def save(model: Any, folder: Path) -> None:
    """Write the weights in bfloat16 and the configuration."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(str(folder))
    (folder / "generation_config.json").write_text(
        json.dumps({"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}, indent=2) + "\n", encoding="utf-8")


def _optimizers(model: Any, peak: float) -> list[Any]:
    import torch

    matrices = [value for name, value in model.named_parameters() if value.ndim == 2 and "embed" not in name]
    others = [value for name, value in model.named_parameters() if value.ndim != 2 or "embed" in name]
    return [Muon(matrices, peak), torch.optim.AdamW(others, lr=peak, weight_decay=0.0, betas=(0.9, 0.95))]
