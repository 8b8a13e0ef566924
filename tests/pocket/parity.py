"""Whether the pocket models say here what they say in transformers: .venv-pocket/bin/python -m tests.pocket.parity.

For each model folder: the chat template's tokens, the logits after each prompt, and greedy replies. The last line is a
JSON object; the exit status is 1 where tokens differ, logits differ by more than 0.01, or under 95 % of the replies are
the same.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from generators.pocket.llama import CHUNK, Llama, Piece
from generators.pocket.offline import write
from generators.pocket.tensors import read_shape, read_weights
from generators.pocket.vocabulary import Vocabulary

ROOT = Path(__file__).parents[2]
PROMPTS = ROOT / "examples" / "arithmetic.jsonl"
MOST = 96


def compared(folder: Path, prompts: list[str]) -> dict[str, Any]:
    """What the two make of the same prompts."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)
    ours, llama = Vocabulary(folder), Llama(read_shape(folder), read_weights(folder / "model.safetensors"))
    replies = write(folder, prompts, most=MOST)
    tokens, furthest, same = 0, 0.0, 0
    for prompt, reply in zip(prompts, replies, strict=True):
        turns = [{"role": "user", "content": prompt}]
        ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
        tokens += ids == ours.encode(turns)
        with torch.inference_mode():
            out = model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=MOST, output_logits=True,
                                 return_dict_in_generate=True)
        written = out.sequences[0, len(ids):]
        same += tokenizer.decode(written, skip_special_tokens=True) == reply
        furthest = max(furthest, float(np.abs(first_logits(llama, ids) - out.logits[0][0].numpy()).max()))
    return {"prompts": len(prompts), "same_tokens": tokens, "logits_differ_by": round(furthest, 6),
            "same_replies": same}


def first_logits(llama: Llama, ids: list[int]) -> np.ndarray:
    """The logits after a prompt."""
    cache = llama.room(len(ids))
    for start in range(0, len(ids), CHUNK):
        logits = llama.forward([Piece(cache, ids[start:start + CHUNK], start + CHUNK >= len(ids))])
    return logits[0]


def main() -> None:
    """Compare every model of a folder, the family's by default, on so many prompts."""
    models = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "generators" / "pocket" / "models"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    prompts = [json.loads(line)["prompt"] for line in PROMPTS.read_text(encoding="utf-8").splitlines()[:count]]
    found = {folder.name: compared(folder, prompts) for folder in sorted(models.iterdir())}
    sys.stdout.write(json.dumps(found) + "\n")
    good = all(one["same_tokens"] == count and one["logits_differ_by"] < 0.01 and one["same_replies"] >= 0.95 * count
               for one in found.values())
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
