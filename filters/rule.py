"""The rule mechanism: every candidate row is kept, or dropped with the rule's name and what it saw.

A rule that looks at one response or one pair is a function under a decorator, which returns None to keep:

    @response_rule
    def shouting(response):
        return "all capitals" if response["text"].isupper() else None

Our own rules work on whole columns instead, which is a hundred times faster: a ResponseRule or PairRule around an
expression or a function from the rows to one piece of evidence a row.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from schemas import DROPPED, LISTS
from schemas.errors import ConfigError, SchemaError
from schemas.funnel import Count, count

Evidence = pl.Series | pl.Expr
"""A short text a row on what is wrong with it; null where nothing is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRule:
    """A rule on a response by itself. On a pair it looks at both sides, and its reason says which one it was."""

    name: str
    see: Callable[[pl.DataFrame], Evidence]
    """From rows of the responses table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRule:
    """A rule on a pair as a pair."""

    name: str
    see: Callable[[pl.DataFrame], Evidence | pl.DataFrame]
    """From rows of the preferences table with each side's response beside it: chosen_text, rejected_text,
    chosen_text_digest, rejected_text_digest, chosen_tokens, rejected_tokens. Where the side matters it gives a frame of
    evidence and side ("chosen" or "rejected")."""
    across: bool = False
    """It compares rows with each other. Such a rule sees only what all the others keep, so that it never drops a row in
    favour of one that is dropped itself."""


Rule = ResponseRule | PairRule


@dataclass(frozen=True, slots=True)
class Kept:
    """The candidates that every rule keeps, the others with their reasons (DROPPED rows), and the funnel."""

    kept: pl.DataFrame
    dropped: pl.DataFrame
    counts: list[Count]


def response_rule(look: Callable[[Mapping[str, Any]], str | None]) -> ResponseRule:
    """A rule from a function of one responses row: None keeps it, a short text is the evidence against it."""
    return ResponseRule(name=look.__name__, see=lambda responses: _each(look, responses))


def pair_rule(look: Callable[[Mapping[str, Any]], str | None]) -> PairRule:
    """A rule from a function of one pair (see PairRule.see): None keeps it, a short text is the evidence against it."""
    return PairRule(name=look.__name__, see=lambda pairs: _each(look, pairs))


def per_text(pairs: pl.DataFrame, function: Callable[[pl.Series], pl.Series]) -> pl.DataFrame:
    """The function of each pair's texts, as columns chosen and rejected; it looks at each different text once."""
    digests = pl.concat([pairs["chosen_text_digest"], pairs["rejected_text_digest"]])
    texts = pl.DataFrame({"digest": digests, "text": pl.concat([pairs["chosen_text"], pairs["rejected_text"]])})
    each = texts.unique("digest", keep="any")
    known = each.select("digest", value=function(each["text"]))
    sides = [pairs.select(digest=f"{side}_text_digest").join(known, on="digest", how="left", maintain_order="left")
             for side in ("chosen", "rejected")]
    return pl.DataFrame({"chosen": sides[0]["value"], "rejected": sides[1]["value"]})


def apply(rules: Sequence[Rule], preferences: pl.DataFrame, responses: pl.DataFrame) -> Kept:
    """The preferences that no rule objects to, in the order given, and the others by reason.

    They are counted as step "kept", unit "pairs". The reason is the first objecting rule in the order of `rules`, the
    others stand in `also`; a ResponseRule's reason names the side, as in "empty: rejected", "truncated: both". Applying
    the same rules again drops nothing, and per-pair rules give the same on any shards; a rule that compares rows
    (exact_duplicate) must see all rows at once. Raises SchemaError when a pair names a response that is not given.
    """
    pairs = _with_sides(preferences, responses).with_row_index("row")
    found = []
    for order, rule in sorted(enumerate(rules), key=lambda numbered: _looks_across(numbered[1])):
        if isinstance(rule, ResponseRule):
            found.append(_on_sides(rule, order, pairs, responses))
        elif not rule.across:
            found.append(_on_pairs(rule, order, pairs))
        else:
            left = pairs.join(pl.concat([_nothing(), *found]), on="row", how="anti", maintain_order="left")
            found.append(_on_pairs(rule, order, left))
    return _sorted_out("kept", "pairs", preferences, preferences["pair_id"], found, "preferences")


def apply_unpaired(rules: Sequence[Rule], unpaired: pl.DataFrame, responses: pl.DataFrame) -> Kept:
    """The single labels that no rule objects to, and the others by reason (step "kept", unit "labels").

    Raises ConfigError when a rule is for pairs, SchemaError when a row names a response that is not given.
    """
    _only_responses(rules, "single labels")
    rows = unpaired.select("response_id").with_row_index("row")
    found = [_on(rule, order, rows, responses) for order, rule in enumerate(rules) if isinstance(rule, ResponseRule)]
    return _sorted_out("kept", "labels", unpaired, unpaired["response_id"], found, "unpaired")


def apply_lists(rules: Sequence[Rule], lists: pl.DataFrame, responses: pl.DataFrame) -> Kept:
    """The lists without the answers that a rule objects to; a list left with fewer than two is dropped ("alone").

    What is counted and what DROPPED names is the answer, as "<prompt_id>/<response_id>" (step "kept", unit
    "completions"). Ranks close up. Raises ConfigError when a rule is for pairs, SchemaError when a row names a
    response not given.
    """
    _only_responses(rules, "lists")
    columns = ["completions", "response_ids", "models", "scores", "ranks"]
    answers = lists.explode(columns).with_columns(id=pl.format("{}/{}", "prompt_id", "response_ids"))
    rows = answers.select(response_id="response_ids").with_row_index("row")
    found = [_on(rule, order, rows, responses) for order, rule in enumerate(rules) if isinstance(rule, ResponseRule)]
    bad = pl.concat([_nothing(), *found])
    left = answers.with_row_index("row").join(bad, on="row", how="anti", maintain_order="left")
    alone = left.filter(pl.len().over("prompt_id") < 2).select(
        "row", order=pl.lit(len(rules), pl.Int64), reason=pl.lit("alone"), evidence=pl.lit("no other answer is left"))
    sorted_out = _sorted_out("kept", "completions", answers, answers["id"], [*found, alone], "lists")
    ranks = pl.col("ranks").rank("min").over("prompt_id").cast(pl.Int32)
    again = sorted_out.kept.with_columns(ranks=ranks).group_by("prompt_id", maintain_order=True).agg(
        pl.col(columns), pl.exclude("prompt_id", "id", *columns).first())
    kept = pl.DataFrame(pl.from_arrow(LISTS.conform(again.to_arrow())))
    return Kept(kept, sorted_out.dropped, sorted_out.counts)


def _looks_across(rule: Rule) -> bool:
    return isinstance(rule, PairRule) and rule.across


def _only_responses(rules: Sequence[Rule], what: str) -> None:
    if wrong := [rule.name for rule in rules if isinstance(rule, PairRule)]:
        raise ConfigError(f"filters: {', '.join(wrong)} compares the two sides of a pair; leave it out for {what}")


def _each(look: Callable[[Mapping[str, Any]], str | None], rows: pl.DataFrame) -> pl.Series:
    return pl.Series([look(row) for row in rows.iter_rows(named=True)], dtype=pl.String)


def _with_sides(preferences: pl.DataFrame, responses: pl.DataFrame) -> pl.DataFrame:
    told = responses.select("response_id", "text", "text_digest", "tokens")
    pairs = preferences
    for side in ("chosen", "rejected"):
        _check_given(preferences[f"{side}_id"], responses)
        pairs = pairs.join(told.select(pl.all().name.prefix(f"{side}_")), left_on=f"{side}_id",
                           right_on=f"{side}_response_id", how="left", maintain_order="left")
    return pairs


def _check_given(ids: pl.Series, responses: pl.DataFrame) -> None:
    if responses["response_id"].is_duplicated().any():
        raise SchemaError("responses: a response_id repeats")
    lost = ids.filter(~ids.is_in(responses["response_id"].implode()))
    if lost.len():
        some = ", ".join(lost.sort().head(3))
        raise SchemaError(f"filters: {lost.len()} row(s) name a response that is not in responses, such as {some}")


def _on_sides(rule: ResponseRule, order: int, pairs: pl.DataFrame, responses: pl.DataFrame) -> pl.DataFrame:
    """The pairs a response rule objects to, with the side or both."""
    first = _on(rule, order, pairs.select("row", response_id="chosen_id"), responses)
    second = _on(rule, order, pairs.select("row", response_id="rejected_id"), responses)
    both = first.join(second, on="row", how="full", coalesce=True)
    chosen, rejected = pl.col("evidence"), pl.col("evidence_right")
    side = (pl.when(rejected.is_null()).then(pl.lit("chosen")).when(chosen.is_null()).then(pl.lit("rejected"))
            .otherwise(pl.lit("both")))
    told = (pl.when(chosen == rejected).then(chosen)
            .otherwise(pl.concat_str(chosen, rejected, separator="; ", ignore_nulls=True)))
    return both.select("row", order=pl.lit(order, pl.Int64), reason=pl.format("{}: {}", pl.lit(rule.name), side),
                       evidence=told)


def _on(rule: ResponseRule, order: int, rows: pl.DataFrame, responses: pl.DataFrame) -> pl.DataFrame:
    """The rows (row, response_id) a response rule objects to; it looks at each response once."""
    _check_given(rows["response_id"], responses)
    used = responses.join(rows, on="response_id", how="semi", maintain_order="left")
    bad = used.select("response_id", evidence=rule.see(used)).filter(pl.col("evidence").is_not_null())
    return rows.join(bad, on="response_id").select(
        "row", order=pl.lit(order, pl.Int64), reason=pl.lit(rule.name), evidence="evidence")


def _on_pairs(rule: PairRule, order: int, pairs: pl.DataFrame) -> pl.DataFrame:
    seen = rule.see(pairs)
    told = seen if isinstance(seen, pl.DataFrame) else pairs.select(evidence=seen, side=pl.lit(None, pl.String))
    reason = pl.concat_str(pl.lit(rule.name), "side", separator=": ", ignore_nulls=True)
    rows = pl.concat([pairs.select("row"), told], how="horizontal").filter(pl.col("evidence").is_not_null())
    return rows.select("row", order=pl.lit(order, pl.Int64), reason=reason, evidence="evidence")


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(schema={"row": pl.UInt32, "order": pl.Int64, "reason": pl.String, "evidence": pl.String})


def _sorted_out(step: str, unit: str, rows: pl.DataFrame, ids: pl.Series, found: list[pl.DataFrame],
                table: str) -> Kept:
    """The rows without objection, and DROPPED rows of the others by what was found of them."""
    numbered = rows.with_row_index("row")
    objections = pl.concat([_nothing(), *found]).sort("row", "order").group_by("row", maintain_order=True).agg(
        pl.col("reason").first(), pl.col("evidence").first(), also=pl.col("reason").slice(1))
    bad = objections.join(numbered.select("row", "prompt_id", row_id=ids), on="row").with_columns(table=pl.lit(table))
    dropped = pl.DataFrame(pl.from_arrow(DROPPED.conform(bad.to_arrow()))).sort("row_id")
    kept = numbered.join(objections, on="row", how="anti", maintain_order="left").drop("row")
    counts = count(step, unit, rows.height, out=kept.height, dropped=Counter(dropped["reason"]))
    return Kept(kept, dropped, counts)
