"""What the pocket models can do, on problems that no training drew: make -s bench NAME=pocket.

Generators: answers at temperature 0, then 8 samples at temperature 1 (pass@1, the majority's accuracy, pass@8, and how
often the majority is right by its share of the votes), critique-and-refine of wrong answers, inputs for a function and
the class of a user's reply. Judges: pairs of sampled answers by all generators, each pair in both orders. Ends with
JSON. `--quick` takes a tenth of the problems.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any

from generators.pocket.offline import write
from generators.pocket.server import MODELS
from generators.pocket.tasks import arithmetic, functions, judging, talk
from generators.pocket.tasks.held_out import TASKS, problems
from generators.pocket.tasks.problem import Problem
from trainers.pocket.corpus import inputs_ask, judge_ask

GENERATORS = ("pocket-small", "pocket-sloppy", "pocket-large")
JUDGES = ("pocket-judge-a", "pocket-judge-b", "pocket-judge-c")
SHARES = ((0, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.99), (0.99, 1.01))
SAMPLES = 8


def main() -> None:
    """Print the tables, then their numbers as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    count = 30 if options.quick else 300
    asked = {name: problems(name, count, "evaluation") for name in TASKS}
    found: dict[str, Any] = {"problems": count}
    samples: dict[str, dict[str, list[list[str]]]] = {}
    for name in GENERATORS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        found[name], samples[name] = generator(options.models / name, asked)
    pairs = {task: made_pairs(asked[task], [samples[name][task] for name in GENERATORS]) for task in TASKS}
    print("judges ...", file=sys.stderr, flush=True)
    verdicts = {name: {task: judged(options.models / name, pairs[task]) for task in TASKS} for name in JUDGES}
    for name in JUDGES:
        found[name] = {task: judge_figures(pairs[task], verdicts[name][task]) for task in TASKS}
    found["jury"] = {task: jury_figures(pairs[task], [verdicts[name][task] for name in JUDGES]) for task in TASKS}
    print(f"\n{tables(found)}\n")
    print(json.dumps(found))


def generator(folder: Path, problems: dict[str, list[Problem]]) -> tuple[dict[str, Any], dict[str, list[list[str]]]]:
    """A generator's figures, and its samples by task and problem."""
    figures: dict[str, Any] = {}
    sampled = {}
    for task, asked in problems.items():
        prompts = [problem.prompt for problem in asked]
        right = [judging.is_good(*pair) for pair in zip(asked, write(folder, prompts), strict=True)]
        few = len(asked) // 2
        texts = write(folder, [prompt for prompt in prompts[:few] for _ in range(SAMPLES)], temperature=1.0, seed=7)
        sampled[task] = [texts[at : at + SAMPLES] for at in range(0, len(texts), SAMPLES)]
        figures[task] = {"greedy": share(right), **sample_figures(asked[:few], sampled[task])}
    figures |= {"refined": refined(folder, problems), "inputs": inputs_right(folder, problems["functions"]),
                "feedback": feedback_right(folder, len(problems["arithmetic"]))}
    return figures, sampled


def sample_figures(problems: Sequence[Problem], samples: Sequence[Sequence[str]]) -> dict[str, Any]:
    """pass@1, majority's accuracy and pass@8, and the majority's accuracy by its share of the votes."""
    by_share: dict[str, list[bool]] = {}
    majority, any_right, each = [], [], []
    for problem, texts in zip(problems, samples, strict=True):
        good = [judging.is_good(problem, text) for text in texts]
        votes = Counter(said(problem, text) for text in texts)
        top, times = votes.most_common(1)[0]
        won = next(right for text, right in zip(texts, good, strict=True) if said(problem, text) == top)
        low, high = next(bounds for bounds in SHARES if bounds[0] <= times / len(texts) < bounds[1])
        by_share.setdefault(f"{low}-{min(high, 1)}", []).append(won)
        majority.append(won)
        any_right.append(any(good))
        each += good
    calibration = {name: [share(wins), len(wins)] for name, wins in sorted(by_share.items())}
    return {"pass_1": share(each), "majority_8": share(majority), "pass_8": share(any_right),
            "by_vote_share": calibration}


def said(problem: Problem, text: str) -> str:
    """What an answer comes to."""
    found = arithmetic.boxed(text) if problem.task == arithmetic.TASK else functions.expression(text)
    return found or ""


def refined(folder: Path, problems: dict[str, list[Problem]]) -> float:
    """How often a wrong answer is right after the model's own critique and refinement."""
    rng = Random("refine")
    asked = [problem for some in problems.values() for problem in some[: len(some) // 3]]
    begun = [[{"role": "user", "content": problem.prompt},
              {"role": "assistant", "content": TASKS[problem.task].slip(problem, rng)},
              {"role": "user", "content": talk.CRITIQUE_ASK}] for problem in asked]
    critiques = write(folder, begun)
    more = [[*turns, {"role": "assistant", "content": critique}, {"role": "user", "content": talk.REFINE_ASK}]
            for turns, critique in zip(begun, critiques, strict=True)]
    return share([judging.is_good(*pair) for pair in zip(asked, write(folder, more), strict=True)])


def inputs_right(folder: Path, problems: Sequence[Problem]) -> float:
    """How often a request for five inputs is answered by inputs on which the function runs."""
    some = problems[: len(problems) // 3]
    replies = write(folder, [inputs_ask(problem, 5) for problem in some], schema="inputs", most=200)
    return share([talk.inputs_right(*pair) for pair in zip(some, replies, strict=True)])


def feedback_right(folder: Path, count: int) -> float:
    """How often the class of a user's reply is told right; its sentences were in no training."""
    rng, asked = Random("feedback"), list[tuple[str, str]]()
    while len(asked) < count:
        if talk.feedback_held_out((made := talk.feedback(rng))[0]):
            asked.append(made)
    prompts = [talk.feedback_turns(*one)[0][1] for one in asked]
    return share([text.strip() == kind for text, (_, kind) in zip(write(folder, prompts), asked, strict=True)])


Pair = tuple[Problem, str, str]


def made_pairs(problems: Sequence[Problem], samples: Sequence[Sequence[Sequence[str]]]) -> list[Pair]:
    """For each problem a pair of different answers that is decided, and one where both are right or both wrong."""
    rng, pairs = Random("pairs"), list[Pair]()
    for place, problem in enumerate(problems[: len(samples[0])]):
        texts = sorted({text for of_model in samples for text in of_model[place][:3]})
        every = list(combinations(texts, 2))
        rng.shuffle(every)
        decided = [pair for pair in every if judging.verdict(problem, *pair) != "tie"]
        tied = [pair for pair in every if judging.verdict(problem, *pair) == "tie"]
        pairs += [(problem, *pair) for pair in (*decided[:1], *tied[:1])]
    return pairs


def judged(folder: Path, pairs: Sequence[Pair]) -> list[tuple[str, str]]:
    """For each pair the verdict on it as it stands, and on the turned one in the words of the first order."""
    shown = [order for problem, first, second in pairs for order in
             ((problem.prompt, first, second), (problem.prompt, second, first))]
    replies = write(folder, [judge_ask(*order) for order in shown], schema="verdict", most=200)
    verdicts = [verdict_of(reply) for reply in replies]
    turned = {"A": "B", "B": "A"}
    return [(verdicts[at], turned.get(verdicts[at + 1], verdicts[at + 1])) for at in range(0, len(verdicts), 2)]


def verdict_of(reply: str) -> str:
    """The verdict of a reply; empty where it was cut."""
    try:
        return str(json.loads(reply)["verdict"])
    except ValueError:
        return ""


def judge_figures(pairs: Sequence[Pair], verdicts: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Accuracy over single verdicts, on decided pairs and on ties; how often the order changes the verdict.

    `agreed`: accuracy on the decided pairs where it names the same better answer in both orders; `agrees`: their share.
    """
    truth = [judging.verdict(*pair) for pair in pairs]
    split: dict[str, list[bool]] = {"decided": [], "ties": []}
    for right, both in zip(truth, verdicts, strict=True):
        split["ties" if right == "tie" else "decided"] += [verdict == right for verdict in both]
    agreed = [first == right for right, (first, second) in zip(truth, verdicts, strict=True)
              if right != "tie" and first == second != "tie"]
    return {"decided": share(split["decided"]), "ties": share(split["ties"]),
            "agreed": share(agreed), "agrees": round(len(agreed) / max(1, len(truth) - truth.count("tie")), 3),
            "pairs": len(pairs), "inconsistent": share([first != second for first, second in verdicts]),
            "says_A": share([first == "A" for first, _ in verdicts] + [second == "B" for _, second in verdicts])}


def jury_figures(pairs: Sequence[Pair], juries: Sequence[Sequence[tuple[str, str]]]) -> dict[str, float]:
    """The accuracy of the most frequent of all judges' verdicts in both orders; no single one is a tie."""
    split: dict[str, list[bool]] = {"decided": [], "ties": []}
    for place, pair in enumerate(pairs):
        votes = Counter(verdict for judge in juries for verdict in judge[place]).most_common()
        first = votes[0][0] if len(votes) == 1 or votes[0][1] > votes[1][1] else "tie"
        right = judging.verdict(*pair)
        split["ties" if right == "tie" else "decided"].append(first == right)
    return {name: share(values) for name, values in split.items()}


def tables(found: dict[str, Any]) -> str:
    """The figures as tables."""
    generators = [[name, task, *(found[name][task][key] for key in ("greedy", "pass_1", "majority_8", "pass_8"))]
                  for name in GENERATORS for task in TASKS]
    others = [[name, *(found[name][key] for key in ("refined", "inputs", "feedback"))] for name in GENERATORS]
    shares = [f"{low}-{min(high, 1)}" for low, high in SHARES]
    votes = [[name, task, *("{} ({})".format(*found[name][task]["by_vote_share"].get(of, ("-", 0))) for of in shares)]
             for name in GENERATORS for task in TASKS]
    keys = ("decided", "ties", "agreed", "agrees", "inconsistent", "says_A", "pairs")
    judges = [[name, task, *(found[name][task].get(key, "") for key in keys)]
              for name in (*JUDGES, "jury") for task in TASKS]
    return "\n\n".join((
        markdown(("generator", "task", "temperature 0", "pass@1", "majority of 8", "pass@8"), generators),
        markdown(("generator", "wrong answers refined", "test inputs that run", "feedback class"), others),
        markdown(("generator", "task", *(f"share {of}" for of in shares)), votes),
        markdown(("judge", "task", "decided", "ties", "where orders agree", "orders agree", "order changes verdict",
                  "first is A", "pairs"), judges)))


def markdown(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def share(values: Sequence[bool]) -> float:
    """The share of true values."""
    return round(mean(values), 3) if values else 0.0


if __name__ == "__main__":
    main()
