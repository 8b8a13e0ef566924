"""What the labels must be, from the plant's documentation and the server's ledger; shares no code with Winnow.

The ledger says what was asked and what fault was met; what was answered, seen and said is recomputed here from the
draws that `generators/plant.py` documents, votes are folded and pairs made by rules written down once more. What does
not fit goes to `strange`: a vote not asked for, a reply that the plant did not plan, a prompt shown with other answers.
"""

import hashlib
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations, permutations
from typing import Any

Row = Mapping[str, Any]
Answers = dict[str, str]
"""Text by model."""
Votes = Mapping[tuple[str, ...], Any]
"""A judge's scores or verdict by the models in the order shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was planned."""

    prompts: int
    """Questions 0 to prompts - 1."""
    protocol: str
    """rate (all answers together, mean over judges) or compare (all pairs, both orders or else a tie, majority)."""
    generators: Mapping[str, Mapping[str, float]]
    """skill and verbosity by model."""
    judges: Mapping[str, Mapping[str, float]]
    """noise, position_bias, length_bias and tie by model."""
    seed: int
    quorum: int
    reasks: int
    scale: tuple[int, int]
    aspect: str


@dataclass(slots=True)
class Labels:
    """What a dataset says, or must say; prompts are question numbers, models and judges are names."""

    answers: set[tuple[int, str, str]] = field(default_factory=set)
    """(prompt, model, text)"""
    pairs: set[tuple[int, str, str]] = field(default_factory=set)
    """(prompt, text chosen, text rejected)"""
    ties: set[tuple[int, str, str]] = field(default_factory=set)
    """(prompt, one text, other text), in alphabetical order"""
    valid: set[tuple[Any, ...]] = field(default_factory=set)
    """(prompt, judge, *models in the order shown)"""
    invalid: set[tuple[Any, ...]] = field(default_factory=set)
    """The same, for votes that never parsed."""
    no_quorum: set[tuple[int, str]] = field(default_factory=set)
    """(prompt, model)"""
    strange: list[str] = field(default_factory=list)

    def differences(self, other: "Labels") -> dict[str, int]:
        """How many entries only one of the two has, by kind."""
        kinds = ("answers", "pairs", "ties", "valid", "invalid", "no_quorum")
        return {kind: len(getattr(self, kind) ^ getattr(other, kind)) for kind in kinds}


def expected(ledger: Iterable[Row], plan: Plan) -> Labels:
    """The labels that follow from what was served."""
    labels = Labels()
    answered: dict[int, Answers] = defaultdict(dict)
    asked: dict[tuple[int, str], dict[tuple[str, ...], list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in ledger:
        if row["question"] is None or row["question"] >= plan.prompts:
            continue
        if row["kind"] == "answer" and row["delivered"] and not row["fault"]:
            _note_answer(labels, plan, answered[row["question"]], row)
        elif row["kind"] == plan.protocol and row["model"] in plan.judges and row["aspect"] == plan.aspect:
            asked[row["question"], row["model"]][tuple(row["shown"])].append(row)
    for number in range(plan.prompts):
        answers = answered[number]
        labels.answers |= {(number, model, text) for model, text in answers.items()}
        votes = {judge: _votes(labels, plan, number, judge, answers, asked[number, judge]) for judge in plan.judges}
        scores = means(plan.quorum, votes) if plan.protocol == "rate" else copeland(plan.quorum, answers, votes)
        labels.no_quorum |= {(number, model) for model in answers if model not in scores}
        for one, other in combinations(sorted(scores, key=lambda model: answers[model]), 2):
            texts = answers[one], answers[other]
            if scores[one] == scores[other]:
                labels.ties.add((number, *texts))
            else:
                labels.pairs.add((number, *(texts if scores[one] > scores[other] else texts[::-1])))
    return labels


def question(number: int, seed: int) -> tuple[str, int]:
    """A planted question and its truth."""
    left, right = (100 + int(900 * part) for part in draws(seed, "question", number)[:2])
    return f"Question {number:04d}: what is {left} + {right}?", left + right


def draws(*parts: Any) -> list[float]:
    """The four numbers in a digest."""
    whole = hashlib.sha256(json.dumps(parts, separators=(",", ":"), ensure_ascii=False).encode()).digest()
    return [int.from_bytes(whole[at : at + 8], "big") / 2**64 for at in (0, 8, 16, 24)]


def _note_answer(labels: Labels, plan: Plan, answers: Answers, row: Row) -> None:
    text, right = question(row["question"], plan.seed)
    model, said = row["model"], row["said"]
    traits = plan.generators[model]
    u, off, _, _ = draws(plan.seed, "answer", model, text, row["seed"])
    size = 0 if u < traits["skill"] else 1 + int(12 * (1 - traits["skill"]) * abs(2 * off - 1))
    if int(re.findall(r"\d+", said)[-1]) != right + (-size if off < 0.5 else size):
        labels.strange.append(f"{model} said {said!r} to {text!r}")
    if answers.setdefault(model, said) != said:
        labels.strange.append(f"{model} was asked for another answer to {text!r}")


def _votes(
    labels: Labels, plan: Plan, number: int, judge: str, answers: Answers, asked: Mapping[tuple[str, ...], list[Row]]
) -> Votes:
    """The judge's valid votes on a prompt: scores or a verdict, by the models in the order shown."""
    names = {hashlib.sha256(text.encode()).hexdigest()[:24]: model for model, text in answers.items()}
    shown = {tuple(names.get(digest, "?") for digest in digests): rows for digests, rows in asked.items()}
    if plan.protocol == "rate":
        fits = [sorted(order) == sorted(answers) for order in shown] == [True] * bool(answers)
    else:
        fits = shown.keys() == set(permutations(answers, 2))
    if not fits:
        labels.strange.append(f"question {number}: {judge} was shown {sorted(shown)}, there are {sorted(answers)}")
    votes = {}
    for order, rows in shown.items():
        if "?" in order:
            continue
        came = [row for row in rows if row["delivered"]]
        good = next((row for row in came if not row["fault"]), None)
        if good is not None:
            votes[order] = _vote(labels, plan, judge, [answers.get(model, "") for model in order], good)
            labels.valid.add((number, judge, *order))
        elif came:
            labels.invalid.add((number, judge, *order))
            seeds = {row["seed"] for row in rows}
            if seeds == {row["seed"] for row in came} and len(seeds) != 1 + plan.reasks:
                labels.strange.append(f"question {number}: {judge} was not asked {1 + plan.reasks} times")
    return votes


def _vote(labels: Labels, plan: Plan, judge: str, texts: list[str], row: Row) -> Any:
    """The scores of answers, or the verdict on two, that the plant plans for this request; the reply must be that."""
    asked, right = question(row["question"], plan.seed)
    traits, seen = plan.judges[judge], []
    for place, text in enumerate(texts):
        quality = max(0, 10 - abs(int(re.findall(r"\d+", text)[-1]) - right))
        u, v, *_ = draws(plan.seed, "noise", judge, asked, plan.aspect, text, row["seed"])
        points = quality + traits["noise"] * (u + v - 1) + traits["length_bias"] * len(text.split()) / 10
        seen.append(points + (traits["position_bias"] if place == 0 and len(texts) > 1 else 0.0))
    said = json.loads(row["said"].removeprefix("```json\n").removesuffix("\n```"))
    if plan.protocol == "rate":
        vote: Any = [_score(points, traits["tie"], plan.scale) for points in seen]
        fits = list(said["scores"].values()) == vote
    else:
        close = abs(seen[0] - seen[1]) <= traits["tie"]
        vote = "tie" if close else "A" if seen[0] > seen[1] else "B"
        fits = said["verdict"] == vote
    if not fits:
        labels.strange.append(f"{judge} said {row['said']!r} of question {row['question']}, planned was {vote}")
    return vote


def _score(points: float, grain: float, scale: tuple[int, int]) -> int:
    low, high = scale
    stepped = math.floor(points / grain + 0.5) * grain if grain else points
    return low + math.floor((high - low) * min(max(stepped, 0.0), 10.0) / 10 + 0.5)


def means(quorum: int, votes: Mapping[str, Votes]) -> dict[str, Fraction]:
    """The mean score of each answer that enough judges scored."""
    given = defaultdict(list)
    for by_order in votes.values():
        for order, scores in by_order.items():
            for model, score in zip(order, scores, strict=True):
                given[model].append(score)
    return {model: Fraction(sum(scores), len(scores)) for model, scores in given.items() if len(scores) >= quorum}


def copeland(quorum: int, answers: Iterable[str], votes: Mapping[str, Votes]) -> dict[str, Fraction]:
    """The share of an answer's duels that it wins, ties counting half; duels that too few judged count nowhere."""
    points = defaultdict(list)
    for one, other in combinations(answers, 2):
        sides: Counter[str] = Counter()
        for by_order in votes.values():
            forth, back = by_order.get((one, other)), by_order.get((other, one))
            if forth is None or back is None:
                continue
            agreed = {"A": one, "B": other}.get(forth), {"B": one, "A": other}.get(back)
            sides[agreed[0] if agreed[0] == agreed[1] and agreed[0] else "tie"] += 1
        if sides.total() < quorum:
            continue
        most = [side for side, n in sides.items() if n == max(sides.values())]
        won = {one: 2, "tie": 1, other: 0}[most[0]] if len(most) == 1 else 1
        points[one].append(won)
        points[other].append(2 - won)
    return {model: Fraction(sum(won), 2 * len(won)) for model, won in points.items()}
