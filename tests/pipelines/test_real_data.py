"""Real data, all the way as a user would: human votes on model answers, and the first turns of real questions."""

import gzip
import json
from collections import Counter, defaultdict
from itertools import permutations
from pathlib import Path
from statistics import mean
from typing import Any

import polars as pl

from generators.scripted import ScriptedServer
from tests.pipelines.conftest import Site

VOTES = '''"""Pairs of model answers with the votes of three people."""

from assets.dataset import PreferenceDataset
from feedback.imports.votes import votes
from feedback.jury.aggregate import majority
from preferences.pair import pair

voted = votes("PATH", prompt=("instruction", "input"), answers=("response1", "response2"), models="cmp_key",
              separator="_", judges={f"human:{n}": f"annotator{n}" for n in (1, 2, 3)},
              coding={1: "first", 2: "second", 0: "tie"}, licence="apache-2.0", literals=True, on_error="drop")
dataset = PreferenceDataset(name="people", prompts=voted.prompts, responses=voted.responses,
                            judgments=voted.judgments, rankings=majority(quorum=3), preferences=pair("all"))
'''


def test_the_votes_of_three_people_become_the_pairs_that_a_plain_count_gives(
    site: Site, shared_data: Path
) -> None:
    path = shared_data / "chat" / "pandalm_human_pairs.jsonl.gz"
    (site.root / "pipelines" / "people.py").write_text(VOTES.replace("PATH", str(path)))
    done = site.winnow("build", "people")
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip().splitlines()[-1].removeprefix("dataset: "))
    pairs = pl.read_parquet(folder / "preference" / "*.parquet")
    made = Counter((_text(row["prompt"]), _text(row["chosen"]), _text(row["rejected"]))
                   for row in pairs.iter_rows(named=True))
    assert made == _counted(path)


def _counted(path: Path) -> Counter[tuple[str, str, str]]:
    """The pairs by plain counting: two of three votes win a duel, shares of duels won order a prompt's answers."""
    duels: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)
    for row in _lines(path):
        prompt = "\n\n".join(part for part in (row["instruction"], row["input"]) if part.strip())
        first, second = (f"{model}: {row[side]}" for model, side in
                         zip(row["cmp_key"].split("_"), ("response1", "response2"), strict=True))
        votes = Counter(row[f"annotator{n}"] for n in (1, 2, 3))
        label, count = votes.most_common(1)[0]
        won = {1: 1.0, 2: 0.0}.get(label, 0.5) if count >= 2 else 0.5
        duels[prompt][first, second], duels[prompt][second, first] = won, 1 - won
    found: Counter[tuple[str, str, str]] = Counter()
    for prompt, met in duels.items():
        answers = {one for one, _ in met}
        score = {one: mean(won for (mine, _), won in met.items() if mine == one) for one in answers}
        for better, worse in permutations(answers, 2):
            texts = [answer.split(": ", 1)[1] for answer in (better, worse)]
            if score[better] > score[worse] + 1e-9 and texts[0] != texts[1]:
                found[prompt, texts[0], texts[1]] += 1
    return found


def test_eighty_real_questions_become_a_dataset_with_the_users_own_engines(
    site: Site, shared_data: Path
) -> None:
    path = shared_data / "chat" / "mt_bench_questions.jsonl.gz"
    with ScriptedServer() as server:
        site.recipe("questions", server.url, "")
        recipe = site.root / "pipelines" / "questions.py"
        recipe.write_text(recipe.read_text().replace('read("prompts.jsonl")', f'read("{path}", text="turns.0")'))
        done = site.winnow("build", "questions")
        counts = server.counts()
    assert done.returncode == 0, done.stderr
    assert counts["repeated"] == 0
    asked = {row["turns"][0] for row in _lines(path)}
    home = next(site.home.glob("builds/questions/*"))
    prompts = pl.read_parquet(home / "prompts" / "prompts.parquet")
    assert {_text(row) for row in prompts["messages"]} == asked
    assert counts["received"] == 80 * 2 + 80 * 2


def _lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


def _text(messages: list[dict[str, str]]) -> str:
    return messages[-1]["content"]
