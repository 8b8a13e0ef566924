"""One real step of each trainer on an exported folder. Run by run.sh, in an environment that has torch and TRL."""

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.toy import model, tokenizer

FOLDER = Path(os.environ["WINNOW_CONTRACT_FOLDER"])
PAIRS, LABELS = 8, 16


def load(config: str, folder: str = "full") -> Any:
    from datasets import load_dataset

    return load_dataset(str(FOLDER / folder), config, split="train")


@pytest.fixture(scope="module")
def words() -> Any:
    texts = ["plantedtool"]
    for row in load("preference"):
        texts += [turn["content"] for side in ("prompt", "chosen", "rejected") for turn in row[side]]
    return tokenizer(texts)


def arguments(kind: Any, out: Path, batch: int) -> Any:
    """One step over every row at once, on the CPU."""
    return kind(output_dir=str(out), max_steps=1, per_device_train_batch_size=batch, learning_rate=1e-2, report_to=[],
                use_cpu=True, bf16=False, logging_steps=1, save_strategy="no", seed=0, max_length=128,
                activation_checkpointing=False, disable_tqdm=True)


def one_step(trainer: Any) -> tuple[dict[str, Any], float]:
    """Train one step; give the batch the loss saw and the loss, once the weights are seen to have moved."""
    import torch  # type: ignore[import-not-found]

    seen: list[dict[str, Any]] = []
    compute = trainer.compute_loss

    def watching(net: Any, inputs: dict[str, Any], *rest: Any, **named: Any) -> Any:
        seen.append(dict(inputs))
        return compute(net, inputs, *rest, **named)

    trainer.compute_loss = watching
    before = {name: weight.detach().clone() for name, weight in trainer.model.named_parameters()}
    loss = trainer.train().training_loss
    moved = [name for name, weight in trainer.model.named_parameters() if not torch.equal(weight, before[name])]
    assert trainer.state.global_step == 1
    assert len(seen) == 1
    assert math.isfinite(loss)
    assert "model.layers.0.self_attn.q_proj.weight" in moved
    return seen[0], loss


def planted(text: str, word: str) -> list[int]:
    """The numbers of the rows whose planted word is in the text."""
    return sorted({int(number) for number in re.findall(rf"\b{word}(\d+)\b", text)})


def texts(words: Any, rows: Any, column: str) -> Iterator[str]:
    return (words.decode(ids) for ids in rows[column])


def check_sides(words: Any, rows: Any, chosen: str, rejected: str) -> None:
    """Each row's chosen side holds its good word only, its rejected side its bad word only."""
    numbers = [int(name.removeprefix("p")) for name in rows["prompt_id"]]
    for number, good, bad in zip(numbers, texts(words, rows, chosen), texts(words, rows, rejected), strict=True):
        assert (planted(good, "good"), planted(good, "bad")) == ([number], [])
        assert (planted(bad, "bad"), planted(bad, "good")) == ([number], [])


def test_dpo_reads_every_pair_with_chosen_and_rejected_in_their_places(words: Any, tmp_path: Path) -> None:
    from trl import DPOConfig, DPOTrainer  # type: ignore[import-not-found]

    trainer = DPOTrainer(model=model(words), ref_model=model(words), args=arguments(DPOConfig, tmp_path, PAIRS),
                         train_dataset=load("preference"), processing_class=words)
    rows = trainer.train_dataset
    assert len(rows) == PAIRS
    check_sides(words, rows, "chosen_ids", "rejected_ids")
    for name, text in zip(rows["prompt_id"], texts(words, rows, "prompt_ids"), strict=True):
        number = int(name.removeprefix("p"))
        assert planted(text, "prompt") == [number]
        assert planted(text, "system") == planted(text, "reply") == ([] if number % 2 else [number])
        assert text.rstrip().endswith("<assistant>")
        assert ("plantedtool" in text) == (number == 3)
    batch, loss = one_step(trainer)
    assert batch["input_ids"].shape[0] == 2 * PAIRS
    sides = [words.decode(ids) for ids in batch["input_ids"]]
    assert [len(planted(text, "good")) for text in sides] == [1] * PAIRS + [0] * PAIRS
    assert [len(planted(text, "bad")) for text in sides] == [0] * PAIRS + [1] * PAIRS
    assert loss == pytest.approx(math.log(2), abs=1e-4)


def test_reward_training_reads_every_pair_and_its_margin(words: Any, tmp_path: Path) -> None:
    from trl import RewardConfig, RewardTrainer

    trainer = RewardTrainer(model=model(words, reward=True), args=arguments(RewardConfig, tmp_path, PAIRS),
                            train_dataset=load("preference"), processing_class=words)
    assert len(trainer.train_dataset) == PAIRS
    check_sides(words, trainer.train_dataset, "chosen_ids", "rejected_ids")
    batch, _ = one_step(trainer)
    assert batch["input_ids"].shape[0] == 2 * PAIRS
    numbers = [planted(words.decode(ids), "good")[0] for ids in batch["input_ids"][:PAIRS]]
    assert [planted(words.decode(ids), "bad")[0] for ids in batch["input_ids"][PAIRS:]] == numbers
    assert sorted(numbers) == list(range(PAIRS))
    assert batch["margin"].tolist() == [float(number) for number in numbers]


def test_reward_training_runs_where_some_pairs_have_no_margin(words: Any, tmp_path: Path) -> None:
    from trl import RewardConfig, RewardTrainer

    rows = load("preference", "some-margins")
    assert rows.features["prompt"] == load("preference").features["prompt"]
    trainer = RewardTrainer(model=model(words, reward=True), args=arguments(RewardConfig, tmp_path, PAIRS),
                            train_dataset=rows, processing_class=words)
    batch, _ = one_step(trainer)
    assert "margin" not in batch
    assert batch["input_ids"].shape[0] == 2 * PAIRS


@pytest.mark.parametrize(("config", "rows_in"), [("unpaired", LABELS), ("preference", LABELS)])
def test_kto_reads_every_label_with_its_completion(config: str, rows_in: int, words: Any, tmp_path: Path) -> None:
    from trl import KTOConfig, KTOTrainer

    trainer = KTOTrainer(model=model(words), ref_model=model(words), args=arguments(KTOConfig, tmp_path, LABELS),
                         train_dataset=load(config), processing_class=words)
    rows = trainer.train_dataset
    assert len(rows) == rows_in
    found = []
    for label, prompt, said in zip(rows["label"], texts(words, rows, "prompt_ids"),
                                   texts(words, rows, "completion_ids"), strict=True):
        number = planted(prompt, "prompt")
        assert planted(said, "good" if label else "bad") == number
        assert planted(said, "bad" if label else "good") == []
        found.append((number[0], bool(label)))
    assert sorted(found) == [(number, good) for number in range(PAIRS) for good in (False, True)]
    batch, _ = one_step(trainer)
    assert len(batch["label"]) == LABELS
    assert sum(map(bool, batch["label"])) == PAIRS
