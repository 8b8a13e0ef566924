"""Pocket models without a server: replies to many prompts, computed in this process."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from generators.pocket.batch import Order
from generators.pocket.vocabulary import Vocabulary
from generators.pocket.worker import open_batch

MOST_TOKENS = 128


def write(folder: Path, prompts: Sequence[str | Sequence[Mapping[str, Any]]], temperature: float = 0.0, seed: int = 0,
          schema: str | None = None, most: int = MOST_TOKENS) -> list[str]:
    """The replies of the model in a folder, one to each prompt, which is a user's turn or a conversation.

    `seed` and a prompt's place give its random numbers; `schema` names one that is enforced. The shape of the batch
    changes no reply (generators/pocket/llama.py says where that holds).
    """
    batch, vocabulary = open_batch(folder), Vocabulary(folder)
    for number, prompt in enumerate(prompts):
        turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        batch.add(Order(number=number, model=folder.name, tokens=vocabulary.encode(turns), most=most,
                        temperature=temperature, seed=seed + number, schema=schema))
    texts = [""] * len(prompts)
    while batch.busy:
        for written in batch.step():
            texts[written.number] = written.text
    return texts
