"""The dataset card: every figure comes from the build, and a section without figures is left out.

The wording is in card.md.txt, the figures that the tables do not hold themselves are in facts.py. A section of the
template stays where at least one of its placeholders has a value; in it, a paragraph stays where all of its have.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import polars as pl

from exports.frontmatter import frontmatter
from exports.licences import Licence, licence
from exports.markdown import fence, figures, inline, measured, paragraphs, table
from exports.trl import Config

_TEMPLATE = Path(__file__).with_name("card.md.txt")
_SHOWN_CHARACTERS = 2_000
_MEASURED = ("method", "agreement", "bias", "tests", "feedback", "wins", "truth")
Configs = Mapping[str, Config]


def card(manifest: Mapping[str, Any], configs: Configs, prompts: pl.DataFrame, recipe: str,
         facts: Mapping[str, Any]) -> str:
    """The README.md of a dataset, from its manifest, its rows, the recipe's text and the build's figures (Facts)."""
    models, judges = _models(configs, facts), _judges(configs, facts)
    terms = licence(prompts, {row["model"]: row.get("licence") for row in models},
                    {row["judge"]: row.get("licence") for row in judges if not row["judge"].startswith("human:")})
    values: dict[str, str] = {key: measured(facts.get(key)) for key in _MEASURED}
    values |= {
        "funnel": figures(facts.get("funnel")),
        "cost": figures(facts.get("cost")),
        "yaml": frontmatter(manifest, prompts, terms),
        "title": inline(manifest["name"]),
        "about": paragraphs(facts.get("about") or ""),
        "counts": table(_counts(manifest)),
        "recipe": fence(recipe.strip("\n")),
        "models": table(models),
        "judges": table(judges),
        "drops": table(_drops(configs)),
        "votes": table(_votes(configs)),
        "tie_rate": inline(facts["tie_rate"]) if facts.get("tie_rate") is not None else "",
        "sample": _sample(configs),
        "limits": _limits(configs, prompts, terms, judges, facts),
        "licence": inline(terms.id),
        "parties": table(terms.parties),
        "loading": _loading(manifest, configs),
        "columns": "\n\n".join(f"**{config.name}**: {config.table.meaning}\n\n{_columns(config)}"
                               for config in configs.values()),
        "provenance": table(_provenance(manifest)),
    }
    return render(_TEMPLATE.read_text(encoding="utf-8"), values)


def render(template: str, values: Mapping[str, str]) -> str:
    """The template with its placeholders filled; sections and paragraphs that would be empty are left out."""
    filled = {key: value for key, value in values.items() if value}
    sections = []
    for section in re.split(r"^(?=## )", template, flags=re.MULTILINE):
        named = Template(section).get_identifiers()
        if named and not filled.keys() & set(named):
            continue
        parts = [part for part in section.strip("\n").split("\n\n") if filled.keys() >= set(_names(part))]
        sections.append("\n\n".join(Template(part).substitute(filled) for part in parts))
    return "\n\n".join(sections) + "\n"


def _names(text: str) -> list[str]:
    return Template(text).get_identifiers()


def _counts(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"config": name, **{side: told["splits"].get(side, 0) for side in ("train", "test")}, "rows": told["rows"]}
            for name, told in manifest["configs"].items()]


def _models(configs: Configs, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Everyone who wrote an exported answer, and everyone the build names, by name."""
    told: dict[str, dict[str, Any]] = {}
    for row in facts.get("models", ()):
        name = str(row["model"])
        told[name] = _merged(told[name], row) if name in told else dict(row)
    pairs = configs["preference"].rows if "preference" in configs else pl.DataFrame(
        schema={"chosen_model": pl.String, "rejected_model": pl.String})
    wrote = {*pairs["chosen_model"], *pairs["rejected_model"]}
    if "unpaired" in configs:
        wrote |= set(configs["unpaired"].rows["model"])
    if "lists" in configs:
        wrote |= set(configs["lists"].rows["models"].explode())
    chosen, rejected = (dict(pairs[side].value_counts().iter_rows()) for side in ("chosen_model", "rejected_model"))
    counts = {name: {"times_chosen": chosen.get(name, 0), "times_rejected": rejected.get(name, 0)} for name in wrote}
    empty = {"revision": None, "licence": None}
    return [{"model": name, **empty, **told.get(name, {}), **(counts.get(name, {}) if pairs.height else {})}
            for name in sorted(wrote | told.keys())]


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What two engines say of one model, where they differ both: neither's licence may hide the other's."""
    both = {key: (one.get(key), other.get(key)) for key in dict.fromkeys((*one, *other))}
    return {key: a if a == b else f"{a or 'unknown'} and {b or 'unknown'}" for key, (a, b) in both.items()}


def _judges(configs: Configs, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Everyone whose votes are exported, with what they were asked, and everyone the build names."""
    told = {str(row["judge"]): dict(row) for row in facts.get("judges", ())}
    counted = {row["judge"]: row for row in _voters(configs)}
    return [{"judge": name, **_named(name), **told.get(name, {}), **counted.get(name, {})}
            for name in sorted(told.keys() | counted.keys())]


def _named(judge: str) -> dict[str, Any]:
    """What a model has and a person has not."""
    return {} if judge.startswith("human:") else {"model": None, "revision": None, "licence": None}


def _voters(configs: Configs) -> list[dict[str, Any]]:
    if "judgments" not in configs:
        return []
    votes = configs["judgments"].rows
    asked = [pl.col(name).drop_nulls().unique().sort()
             for name in ("model", "revision", "protocol", "aspect", "order_policy", "rubric") if name in votes.columns]
    valid = ~pl.col("outcome").is_in(["invalid", "abstain"])
    rows = votes.group_by("judge").agg(*asked, pl.len().alias("votes"), valid.sum().alias("valid_votes")).sort("judge")
    return [{key: value for key, value in row.items() if value != []} for row in rows.iter_rows(named=True)]


def _drops(configs: Configs) -> list[dict[str, Any]]:
    if "dropped" not in configs:
        return []
    counted = configs["dropped"].rows.group_by("table", "reason").len("rows")
    return counted.sort(["table", "rows", "reason"], descending=[False, True, False]).to_dicts()


def _votes(configs: Configs) -> list[dict[str, Any]]:
    if "judgments" not in configs:
        return []
    votes = configs["judgments"].rows
    counted = votes.group_by("outcome").len("votes").sort("votes", "outcome", descending=[True, False])
    return counted.with_columns(share=pl.col("votes") / votes.height).to_dicts()


def _sample(configs: Configs) -> str:
    """The first pair, as it is."""
    if "preference" not in configs:
        return ""
    row = configs["preference"].rows.row(0, named=True)
    parts = []
    for side in ("prompt", "chosen", "rejected"):
        turns = "\n\n".join(f"[{turn['role']}]\n{turn['content']}" for turn in row[side])
        cut = len(turns) > _SHOWN_CHARACTERS
        shown = f"{turns[:_SHOWN_CHARACTERS]}\n[cut here: {len(turns):,} characters]" if cut else turns
        model, score = row.get(f"{side}_model"), row.get(f"score_{side}")
        by = f", by {inline(model)}" if model else ""
        parts.append(f"**{side}**{by}{'' if score is None else f', score {inline(score)}'}\n\n{fence(shown)}")
    return "\n\n".join(parts)


def _limits(configs: Configs, prompts: pl.DataFrame, terms: Licence, judges: list[dict[str, Any]],
            facts: Mapping[str, Any]) -> str:
    """What the build itself shows to be missing, then what its makers say."""
    told = []
    if judges and not any(row["judge"].startswith(("human:", "import:")) for row in judges):
        told.append("No person voted: the labels are the judgment of models.")
    if len(judges) == 1:
        told.append("There is one judge, so its agreement with others is not known.")
    if terms.unnamed:
        told.append(f"{terms.unnamed} of {len(terms.parties)} sources, models and judges name no licence.")
    if silent := prompts["language"].null_count():
        told.append(f"The language of {silent:,} of {prompts.height:,} prompts is not known.")
    pairs = configs["preference"].rows if "preference" in configs else None
    if pairs is not None and "margin" not in pairs.columns and "score_chosen" in pairs.columns:
        scored = pairs.height - pairs["score_chosen"].null_count()
        told.append(f"Only {scored:,} of {pairs.height:,} pairs have scores, so there is no margin column.")
    told += [inline(limit) for limit in facts.get("limits", ())]
    return "\n".join(f"- {limit}" for limit in told)


def _loading(manifest: Mapping[str, Any], configs: Configs) -> str:
    reads = {"preference": "for DPO and reward training", "unpaired": "for KTO"}
    lines = ["from datasets import load_dataset", ""]
    lines += [f'load_dataset("path/to/this/folder", "{name}"){f"  # {reads[name]}" if name in reads else ""}'
              for name in manifest["configs"]]
    shown = "```python\n" + "\n".join(lines) + "\n```"
    if "preference" in configs and "margin" in configs["preference"].rows.columns:
        shown += ("\n\nTRL's `RewardTrainer` subtracts `margin`, the difference of the two scores, from the gap "
                  "between the two rewards. To train without it, `remove_columns(\"margin\")`.")
    return shown


def _columns(config: Config) -> str:
    return table([{"column": name, "meaning": meaning} for name, meaning in config.columns.items()])


def _provenance(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = [{"what": f"table {told['table']}", "value": f"version {told['version']}"}
            for told in manifest["configs"].values()]
    rows += [{"what": f"{name} digest", "value": value} for name, value in manifest["digests"].items()]
    return [{"what": "build", "value": manifest["build"]}, *rows]
