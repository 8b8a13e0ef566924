"""What is read back from a dataset folder is what was written, whoever reads it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from exports.check import verify
from exports.folder import write_dataset
from schemas import PREFERENCES, PROMPTS

Write = Callable[..., dict[str, Any]]
SAID = "a\nb\n\n```python\nprint('|')\n```\n\r\n---\n# no heading\n\x00\u2028 \U0001f33e é $name {{x}} <script>"
TEXTS = st.one_of(
    st.text(max_size=60),
    st.sampled_from(["\n", "\r", "```", "~~~~\n```", "---\n", "|", "\x00", "\u2028", "# head", SAID]),
    st.text(min_size=1, max_size=5).map(lambda text: text * 3_000))


def load(folder: Path, home: Path) -> dict[str, Any]:
    """What `datasets` makes of the folder, in a process of its own, without a network or another's cache."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home), "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    script = Path(__file__).with_name("load_with_datasets.py")
    done = subprocess.run([sys.executable, script, folder], env=environment, capture_output=True, timeout=300,
                          check=False)
    assert done.returncode == 0, done.stderr.decode()
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_datasets_loads_every_config_with_plain_features_and_the_rows_that_were_written(
        tmp_path: Path, write: Write, build: dict[str, pl.DataFrame]) -> None:
    said = pl.lit([{"role": "assistant", "content": SAID}], build["kept"].schema["chosen"])
    first_pair = pl.when(pl.col("pair_id") == "pair1")
    kept = build["kept"].with_columns(chosen=first_pair.then(said).otherwise(pl.col("chosen")))
    told = write(tmp_path / "d", kept=kept, shard_rows=1)
    loaded = load(tmp_path / "d", tmp_path / "home")
    assert loaded["default"] == sorted(told["configs"]["preference"]["columns"])
    assert set(loaded["configs"]) == set(told["configs"])
    turns = "List({'role': Value('string'), 'content': Value('string')})"
    for name in ("prompt", "chosen", "rejected"):
        assert f"'{name}': {turns}" in loaded["configs"]["preference"]["features"]
    assert f"'completions': List({turns})" in loaded["configs"]["lists"]["features"]
    assert "'label': Value('bool')" in loaded["configs"]["unpaired"]["features"]
    assert "'margin': Value('float64')" in loaded["configs"]["preference"]["features"]
    for name, config in loaded["configs"].items():
        assert "arge" not in config["features"]
        assert "ClassLabel" not in config["features"]
        assert {split: len(rows) for split, rows in config["rows"].items()} == told["configs"][name]["splits"]
    first = loaded["configs"]["preference"]["rows"]["train"][0]
    assert first["chosen"] == [{"role": "assistant", "content": SAID}]
    assert first["prompt"] == [{"role": "user", "content": "What is 1 + 1?"}]
    assert loaded["configs"]["lists"]["rows"]["test"][0]["ranks"] == [1, 2]


@settings(max_examples=25, deadline=None)
@given(said=st.lists(st.tuples(TEXTS, TEXTS, TEXTS).filter(lambda row: row[1] != row[2]), min_size=1, max_size=4))
def test_any_text_comes_back_as_it_was_written(said: list[tuple[str, str, str]]) -> None:
    pairs = [{
        "pair_id": f"pair{number}", "prompt_id": f"p{number}", "prompt": [{"role": "user", "content": asked}],
        "chosen": [{"role": "assistant", "content": good}], "rejected": [{"role": "assistant", "content": bad}],
        "chosen_id": "a", "rejected_id": "b", "chosen_model": good[:20], "rejected_model": bad[:20], "policy": "all",
        "split": "train", "evidence": [],
    } for number, (asked, good, bad) in enumerate(said)]
    asked = [{"prompt_id": row["prompt_id"], "messages": row["prompt"], "sources": [row["chosen_model"]],
              "licences": ["unknown"], "group": row["prompt_id"]} for row in pairs]
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "d"
        write_dataset(folder, name="any", recipe=said[0][0], kept=pl.DataFrame(pl.from_arrow(PREFERENCES.rows(pairs))),
                      prompts=pl.DataFrame(pl.from_arrow(PROMPTS.rows(asked))))
        assert verify(folder) == []
        for rows in (pq.read_table(folder / "preference").to_pylist(),
                     pl.read_parquet(folder / "preference" / "*.parquet").to_dicts()):
            assert [(row["prompt"][0]["content"], row["chosen"][0]["content"], row["rejected"][0]["content"])
                    for row in rows] == said
            assert [row["chosen_model"] for row in rows] == [row["chosen_model"] for row in pairs]
