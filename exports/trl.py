"""The shapes that trainers read: an explicit prompt, messages on every side, one kind of column a config.

TRL looks at one arbitrary column to tell messages from text and guesses a missing prompt from a common prefix, so a
config never mixes the two and never leaves the prompt out (https://huggingface.co/docs/trl/dataset_formats).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from schemas import DROPPED, JUDGMENTS, LISTS, PREFERENCES, PROMPTS, UNPAIRED
from schemas.errors import ExportError, SchemaError
from schemas.messages import ROLES
from schemas.table import Table

_PREFERENCE = (
    "prompt", "chosen", "rejected", "tools", "margin", "score_chosen", "score_rejected", "p_chosen", "chosen_model",
    "rejected_model", "policy", "prompt_id", "pair_id", "chosen_id", "rejected_id", "evidence",
)
_UNPAIRED = ("prompt", "completion", "label", "tools", "score", "model", "prompt_id", "response_id", "evidence")
_LISTS = ("prompt", "completions", "scores", "ranks", "tools", "models", "prompt_id", "response_ids", "evidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One family of rows as it will be written: a folder of the dataset."""

    name: str
    table: Table
    """The Winnow table it comes from; its columns say what the values mean."""
    rows: pl.DataFrame
    """In the order they are written; the column `split` says where each goes and is not written itself."""

    @property
    def columns(self) -> dict[str, str]:
        """Every column that is written, with its meaning."""
        known = {column.name: column.meaning for column in (*PROMPTS.columns, *self.table.columns)}
        known |= {"prompt": "the prompt's messages", "label": "true: a good answer; false: a bad one"}
        return {name: known[name] for name in self.rows.columns if name != "split"}


def preference(kept: pl.DataFrame, tools: pl.DataFrame) -> Config:
    """Pairs for DPO and reward training, from PREFERENCES: prompt, chosen, rejected, margin, scores, ids, evidence.

    `margin` is written only when every pair has one: reward training fails on a null. The scores it is the difference
    of stay. `tools` holds prompt_id and tools. Raises ExportError where two sides of a pair read the same.
    """
    rows = _checked(PREFERENCES, kept, ("prompt", "chosen", "rejected"))
    same = rows.filter(_flat("chosen") == _flat("rejected"))["pair_id"].to_list()
    _refuse(same, "have the same text on both sides; drop identical pairs")
    endless = rows.filter(pl.col("margin").is_not_null() & ~pl.col("margin").is_finite())["pair_id"].to_list()
    _refuse(endless, "have a margin that is no finite number; look at the scores of their answers")
    if rows["margin"].null_count():
        rows = rows.drop("margin")
    return _config("preference", PREFERENCES, _with_tools(rows, tools), _PREFERENCE)


def unpaired(rows: pl.DataFrame, tools: pl.DataFrame) -> Config:
    """Single labels for KTO, from UNPAIRED: prompt, completion, label."""
    checked = _checked(UNPAIRED, rows, ("prompt", "completion"))
    return _config("unpaired", UNPAIRED, _with_tools(checked, tools), _UNPAIRED)


def lists(rows: pl.DataFrame, tools: pl.DataFrame) -> Config:
    """Ranked lists, best first, from LISTS: prompt, completions, scores, ranks."""
    checked = _checked(LISTS, rows, ("prompt",))
    return _config("lists", LISTS, _with_tools(checked, tools), _LISTS)


def prompts(rows: pl.DataFrame) -> Config:
    """Prompts alone, for online training, from PROMPTS; needs the column `split`."""
    checked = _checked(PROMPTS, rows, ("messages",)).rename({"messages": "prompt"})
    names = ("prompt", *(column.name for column in PROMPTS.columns if column.name != "messages"))
    return _config("prompts", PROMPTS, checked, names)


def judgments(rows: pl.DataFrame) -> Config:
    """Every raw vote, from JUDGMENTS; needs the column `split`."""
    return _config("judgments", JUDGMENTS, _checked(JUDGMENTS, rows), [column.name for column in JUDGMENTS.columns])


def dropped(rows: pl.DataFrame) -> Config:
    """What the filters removed, and why, from DROPPED; needs the column `split`."""
    return _config("dropped", DROPPED, _checked(DROPPED, rows), [column.name for column in DROPPED.columns])


def tools_of(rows: pl.DataFrame) -> pl.DataFrame:
    """prompt_id and tools of the prompts that offer tools; ExportError where tools are not a JSON list."""
    offered = rows.select("prompt_id", "tools").drop_nulls().sort("prompt_id")
    bad = [prompt for prompt, text in offered.iter_rows() if not _is_list(text)]
    _refuse(bad, "offer tools that are not a JSON list; write [{\"type\": \"function\", ...}]", "prompts")
    return offered


def _checked(table: Table, rows: pl.DataFrame, messages: Sequence[str] = ()) -> pl.DataFrame:
    """The rows in key order, with `split`, once the table's own rules and the messages have been looked at."""
    conformed = table.conform(rows.to_arrow())
    violations, _ = table.check(conformed)
    if violations:
        raise SchemaError("\n".join(map(str, violations)))
    sound = pl.DataFrame(pl.from_arrow(conformed))
    if "split" in rows.columns and "split" not in sound.columns:
        sound = sound.with_columns(rows["split"])
    for column in messages:
        bad = sound.filter(~_speaks(column)).select(pl.concat_str(table.key, separator="/")).to_series().to_list()
        _refuse(bad, f"have no messages with a role and text in '{column}'", table.name)
    return sound.sort(table.key)


def _with_tools(rows: pl.DataFrame, tools: pl.DataFrame) -> pl.DataFrame:
    return rows.join(tools, on="prompt_id", how="left", maintain_order="left")


def _config(name: str, table: Table, rows: pl.DataFrame, names: Sequence[str]) -> Config:
    """The named columns that hold anything at all; a column that is null everywhere says nothing."""
    filled = [column for column in names if column in rows.columns and rows[column].null_count() < rows.height]
    return Config(name=name, table=table, rows=rows.select(*filled, "split"))


def _speaks(column: str) -> pl.Expr:
    turn = pl.element().struct
    sound = turn.field("role").is_in(ROLES) & turn.field("content").is_not_null()
    return (pl.col(column).list.len() > 0) & pl.col(column).list.eval(sound.fill_null(False)).list.all()


def _flat(column: str) -> pl.Expr:
    """A list of messages as one string that no other list gives."""
    turn = pl.element().struct
    role, content = turn.field("role"), turn.field("content")
    told = pl.concat_str(role, content.str.len_bytes(), content, separator=":")
    return pl.col(column).list.eval(told).list.join("")


def _is_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except ValueError:
        return False


def _refuse(ids: Sequence[str], what: str, unit: str = "pairs") -> None:
    if ids:
        raise ExportError(f"{len(ids)} of the {unit} {what}; for example {', '.join(ids[:3])}")
