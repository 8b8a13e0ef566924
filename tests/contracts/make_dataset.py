"""Export a small dataset whose every text carries a word that says where it belongs. Runs in Winnow's environment."""

import sys
from pathlib import Path
from typing import Any

import polars as pl

from exports.folder import write_dataset
from schemas import PREFERENCES, PROMPTS, UNPAIRED
from schemas.table import Table

ROWS = 8
TOOLS = '[{"type":"function","function":{"name":"plantedtool","parameters":{"type":"object","properties":{}}}}]'


def frame(table: Table, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """The rows with the table's types."""
    return pl.DataFrame(pl.from_arrow(table.rows(rows)))


def asked(number: int) -> list[dict[str, str]]:
    """The prompt of a row: one turn, or three with a system turn before them."""
    last = {"role": "user", "content": f"prompt{number} what is right ?"}
    if number % 2:
        return [last]
    return [{"role": "system", "content": f"system{number}"}, {"role": "user", "content": f"earlier{number}"},
            {"role": "assistant", "content": f"reply{number}"}, last]


def said(word: str) -> list[dict[str, str]]:
    """An answer that holds the word."""
    return [{"role": "assistant", "content": f"it is {word} .\n\n```\n{word}\n```"}]


def pair(number: int) -> dict[str, Any]:
    """A pair: good is chosen, bad is rejected."""
    return {
        "pair_id": f"pair{number}", "prompt_id": f"p{number}", "prompt": asked(number),
        "chosen": said(f"good{number}"), "rejected": said(f"bad{number}"), "chosen_id": f"r{number}g",
        "rejected_id": f"r{number}b", "chosen_model": "sage", "rejected_model": "fool", "score_chosen": 3.0 + number,
        "score_rejected": 3.0, "margin": float(number), "policy": "best-worst", "split": "train",
        "evidence": [{"table": "judgments", "id": f"j{number}"}],
    }


def label(number: int, good: bool) -> dict[str, Any]:
    """A single label."""
    word = f"{'good' if good else 'bad'}{number}"
    return {"response_id": f"r{number}{word[0]}", "prompt_id": f"p{number}", "prompt": asked(number),
            "completion": said(word), "label": good, "model": "sage" if good else "fool", "split": "train",
            "evidence": []}


def main(folder: Path) -> None:
    """Write the dataset, and beside it one whose margins are partly null."""
    prompts = frame(PROMPTS, [
        {"prompt_id": f"p{number}", "messages": asked(number), "tools": TOOLS if number == 3 else None,
         "sources": ["planted"], "licences": ["apache-2.0"], "group": f"p{number}"} for number in range(ROWS)])
    kept = frame(PREFERENCES, [pair(number) for number in range(ROWS)])
    labels = frame(UNPAIRED, [label(number, good) for number in range(ROWS) for good in (True, False)])
    write_dataset(folder / "full", name="planted", recipe="by hand", kept=kept, prompts=prompts, unpaired=labels)
    some = kept.with_columns(pl.when(pl.col("pair_id") != "pair2").then(pl.col("margin")))
    write_dataset(folder / "some-margins", name="planted", recipe="by hand", kept=some, prompts=prompts)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
