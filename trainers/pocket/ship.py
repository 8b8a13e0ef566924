"""Ships the trained family, with a card each: python -m trainers.pocket.ship FILE, which holds the pocket figure."""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from generators.pocket.server import MODELS
from trainers.pocket.__main__ import MEMBERS
from trainers.pocket.family import CONTEXT, FAMILY, GENERATORS, TOOK, Member

FILES = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
         "chat_template.jinja")
_CARD = """---
license: apache-2.0
---
# {name}

{about}. Trained from scratch by `make pocket` (trainers/pocket), on made-up problems only. A wind tunnel for pipelines,
not a product: it knows nothing but the tasks below.

| | |
|---|---|
{facts}

## How it was trained

{courses}

## What it can do

On problems that no training drew (`make -s bench NAME=pocket`):

| | |
|---|---|
{figures}
"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m trainers.pocket.ship", description=__doc__.splitlines()[0])
    parser.add_argument("figures", type=Path, help="a file whose last line is the figure's JSON")
    parser.add_argument("--members", type=Path, default=MEMBERS)
    options = parser.parse_args()
    figures = json.loads(options.figures.read_text().splitlines()[-1])
    for name, member in FAMILY.items():
        goal = MODELS / name
        goal.mkdir(parents=True, exist_ok=True)
        for file in FILES:
            shutil.copyfile(options.members / name / file, goal / file)
        (goal / "README.md").write_text(card(name, member, options.members, figures[name]))


def card(name: str, member: Member, members: Path, figures: dict[str, Any]) -> str:
    """The model's README."""
    shape = member.shape
    facts = {"architecture": f"Llama, {shape.layers} layers, hidden {shape.hidden}, heads of 32, tied embeddings",
             "context": f"{CONTEXT} tokens", "weights": "bfloat16", "seed": member.seed,
             "begins with": f"the weights of {member.starts_from}" if member.starts_from else "random weights",
             "role": "generator" if name in GENERATORS else "judge"}
    courses = [f"{number}. {course.name}: {course.steps} steps, {_took(members / f'{name}.{number}')} CPU minutes"
               for number, course in enumerate(member.courses, start=1)]
    about = member.about[0].upper() + member.about[1:]
    return _CARD.format(name=name, about=about, facts=_rows(facts), courses="\n".join(courses),
                        figures=_rows(_flat(figures)))


def _took(folder: Path) -> float:
    return float(json.loads((folder / TOOK).read_text())["cpu_minutes"])


def _rows(facts: dict[str, Any]) -> str:
    return "\n".join(f"| {name} | {value} |" for name, value in facts.items())


def _flat(figures: dict[str, Any], under: str = "") -> dict[str, Any]:
    """Nested figures under their joined names."""
    flat: dict[str, Any] = {}
    for name, value in figures.items():
        flat |= _flat(value, f"{under}{name}, ") if isinstance(value, dict) else {under + name: value}
    return flat


if __name__ == "__main__":
    main()
