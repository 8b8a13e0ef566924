"""The pocket family: who its members are, and how each is trained, from its seed alone."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from trainers.pocket import corpus
from trainers.pocket.corpus import EVEN, MISLEADING, Balance, Talk
from trainers.pocket.pairs import sampled_pairs
from trainers.pocket.tokens import load_tokenizer, save_tokenizer, train_tokenizer
from trainers.pocket.train import BATCH, LARGE, SMALL, WARM_UP, Shape, load_model, new_model, save, train

CONTEXT = 512
TOOK = "took.json"
"""Beside the weights of a course: what it took."""
STRESS = 6.0
"""How much more a judge's key words weigh in its loss than its other words."""
GENERATORS = ("pocket-large", "pocket-small", "pocket-sloppy")
JUDGES = ("pocket-judge-a", "pocket-judge-b", "pocket-judge-c")
_TOKENIZER_TALKS = 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One stretch of training: so many steps on talks without end."""

    name: str
    steps: int
    talks: Callable[[Random, Path], Iterator[Talk]]
    """From random numbers and the folder of members that are trained already."""
    warm_up: int = WARM_UP


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One model of the family."""

    about: str
    shape: Shape
    seed: int
    courses: tuple[Course, ...]
    starts_from: str | None = None
    """The member whose weights it begins with; None: random weights of its own."""


def _lessons(rng: Random, _: Path) -> Iterator[Talk]:
    return corpus.generator_talks(rng)


def _noisy(rng: Random, _: Path) -> Iterator[Talk]:
    return corpus.generator_talks(rng, noise=0.45)


def _made_up(rng: Random, _: Path) -> Iterator[Talk]:
    return corpus.mixed(
        {corpus.made_up_pairs(rng, STRESS, MISLEADING): 0.85, corpus.generator_talks(rng): 0.15}, rng)


def _on_policy(sums: Balance) -> Callable[[Random, Path], Iterator[Talk]]:
    def talks(rng: Random, members: Path) -> Iterator[Talk]:
        sampled = sampled_pairs(rng, [members / name for name in GENERATORS], STRESS, sums)
        return corpus.mixed({sampled: 0.6, corpus.made_up_pairs(rng, STRESS, sums): 0.25,
                             corpus.generator_talks(rng): 0.15}, rng)

    return talks


FAMILY = {
    "pocket-large": Member(
        about="the strongest generator", shape=LARGE, seed=1,
        courses=(Course(name="lessons", steps=2000, talks=_lessons),)),
    "pocket-small": Member(
        about="a weaker generator, of half the size", shape=SMALL, seed=2,
        courses=(Course(name="lessons", steps=1800, talks=_lessons),)),
    "pocket-sloppy": Member(
        about="pocket-large made sloppy on purpose: trained on answers of which 45 % are wrong, so that it knows the "
              "answer and often says another",
        shape=LARGE, seed=3, starts_from="pocket-large",
        courses=(Course(name="noisy answers", steps=200, talks=_noisy, warm_up=20),)),
    **{name: Member(
        about="a judge of two answers; begins as pocket-large, its data and the answers sampled for it are its own",
        shape=LARGE, seed=11 + place, starts_from="pocket-large",
        courses=(Course(name="made-up pairs", steps=300, talks=_made_up, warm_up=50),
                 Course(name="on-policy pairs, misleading", steps=500, talks=_on_policy(MISLEADING), warm_up=50),
                 Course(name="on-policy pairs, even", steps=500, talks=_on_policy(EVEN), warm_up=50)),
    ) for place, name in enumerate(JUDGES)},
}


def tokenizer_of(folder: Path) -> Any:
    """The family's one tokenizer, made in the folder where it is not there yet."""
    if not (folder / "tokenizer.json").exists():
        rng = Random(1)
        pairs = corpus.made_up_pairs(rng, 1.0, EVEN, whole=True)
        talks = corpus.mixed({corpus.generator_talks(rng): 0.7, pairs: 0.3}, rng)
        texts = [said for talk in islice(talks, _TOKENIZER_TALKS) for _, said in talk.turns]
        save_tokenizer(train_tokenizer(texts), folder, CONTEXT)
    return load_tokenizer(folder)


def train_member(name: str, members: Path, tell: Callable[[str], None] = print) -> float:
    """Train one member into a folder of its name among the members; the seconds of processor time that it took.

    Members that it starts from or learns from must be there. A course that was finished before is not trained again:
    its weights lie in `<name>.<number of courses>` beside the members.
    """
    member, used = FAMILY[name], 0.0
    tokenizer = tokenizer_of(members / "tokenizer")
    model = load_model(members / member.starts_from) if member.starts_from else new_model(
        member.shape, member.seed, CONTEXT)
    for number, course in enumerate(member.courses, start=1):
        done = members / f"{name}.{number}"
        if not done.exists():
            tell(f"{name}: {course.name}, {course.steps} steps")
            rng = Random(member.seed + 1000 * (number - 1))
            tokens, weights = corpus.rows(course.talks(rng, members), tokenizer, course.steps * BATCH)
            took = train(model, tokens, weights, member.shape.rate, course.warm_up,
                         lambda said: tell(f"{name}: {said}"))
            used += took
            save(model, done.with_suffix(".part"))
            (done.with_suffix(".part") / TOOK).write_text(json.dumps({"cpu_minutes": round(took / 60, 1)}) + "\n")
            done.with_suffix(".part").replace(done)
        model = load_model(done)
    shutil.copytree(done, members / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns(TOOK))
    shutil.copytree(members / "tokenizer", members / name, dirs_exist_ok=True)
    return used
