"""PAIR BY EVENTS: what users did and said into preference pairs, with a fate for every claim, pair and event."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from feedback.chatlogs.leaks import leak
from generators.made import Made
from preferences.event_changes import Repaired, edits, rephrases
from preferences.event_grades import grades
from preferences.event_rules import EventRule, Regenerated, Votes, community, ranks, scores, thumbs
from preferences.event_scene import NOT_A_PERSON, PERSON, Claim, Scene, of_people
from preferences.evidence import assistant
from preferences.ranked import check_responses
from preferences.split import check_share, with_split
from schemas import MEASUREMENTS, PREFERENCES
from schemas.errors import ConfigError
from schemas.funnel import Count, count
from schemas.ids import draw
from schemas.preferences import pair_id

RULES: Mapping[str, EventRule] = {rule.name: rule for rule in (
    Votes(), scores(), ranks(), thumbs(), Regenerated(), edits(), Repaired(), grades(), rephrases(),
    community())}
"""Every rule with its default settings, by name."""
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairByEvents:
    """Makes pairs from events; see `pair_by_events`."""

    rules: tuple[EventRule, ...]
    cap: int | None
    seed: int
    test_share: float

    def __call__(self, prompts: pl.DataFrame, responses: pl.DataFrame, messages: pl.DataFrame,
                 events: pl.DataFrame) -> Made:
        """The PREFERENCES rows, sorted by pair_id, and what became of every claim, pair, event and prompt.

        Pairs are dropped as "contradicted", "identical", "leaks the feedback" or "cap"; claims and events with the
        reasons of their rules.
        """
        claims = self.claims(set(responses["response_id"]), messages, events)
        return self.paired(prompts, responses, events, claims)[0]

    def measurements(self, prompts: pl.DataFrame, responses: pl.DataFrame, messages: pl.DataFrame,
                     events: pl.DataFrame) -> pl.DataFrame:
        """MEASUREMENTS of the pairs: `margin_z`, the margin in standard deviations of what that person gives."""
        claims = self.claims(set(responses["response_id"]), messages, events)
        return self.paired(prompts, responses, events, claims)[1]

    def claims(self, known: set[str], messages: pl.DataFrame, events: pl.DataFrame) -> list[Claim]:
        """What the rules claim of answers; `known` are the ids of the responses that the recipe has made."""
        scene = Scene(messages, of_people(events), known)
        return [claim for rule in self.rules for claim in rule(scene)]

    def paired(self, prompts: pl.DataFrame, responses: pl.DataFrame, events: pl.DataFrame,
               claims: Sequence[Claim]) -> tuple[Made, pl.DataFrame]:
        """The pairs of the claims, and their measurements; messages need not be held any more."""
        check_responses(prompts, responses)
        standing: defaultdict[Key, list[Claim]] = defaultdict(list)
        for claim in claims:
            if not claim.fate:
                standing[claim.prompt_id, claim.better, claim.worse].append(claim)
        fates = self._fates(standing, prompts, responses)
        taken = {key: standing[key] for key, fate in fates.items() if not fate}
        table = self._rows(taken, prompts, responses)
        made = Made(table, [*_claim_counts(claims), *_pair_counts(fates, table, prompts),
                            *_event_counts(events, claims, table, self.rules)])
        return made, _measured(taken)

    def _fates(self, standing: Mapping[Key, Sequence[Claim]], prompts: pl.DataFrame,
               responses: pl.DataFrame) -> dict[Key, str]:
        """Why each pair is none; empty where it is one. Of two that contradict each other only the first is named."""
        named = pl.DataFrame(list(standing), orient="row",
                             schema={"prompt": pl.String, "better": pl.String, "worse": pl.String})
        compared = pl.concat([named["better"], named["worse"].rename("better")])
        here = prompts.filter(pl.col("prompt_id").is_in(named["prompt"].implode()))
        texts = dict(responses.filter(pl.col("response_id").is_in(compared.implode())).select(
            "response_id", "text").iter_rows())
        asked = dict(here.select("prompt_id", "messages").iter_rows())
        groups = dict(here.select("prompt_id", "group").iter_rows())
        fates: dict[Key, str] = {}
        taken: Counter[str] = Counter()
        for key in sorted(standing, key=lambda key: (draw(self.seed, "cap", *key), key)):
            prompt, better, worse = key
            if (prompt, worse, better) in standing:
                if better < worse:
                    fates[key] = "contradicted"
            elif texts[better] == texts[worse]:
                fates[key] = "identical"
            elif (said := [text for claim in standing[key] for text in claim.feedback]) and leak(
                    texts[better], said, [turn["content"] for turn in asked[prompt]]):
                fates[key] = "leaks the feedback"
            elif self.cap is not None and taken[groups[prompt]] >= self.cap:
                fates[key] = "cap"
            else:
                fates[key] = ""
                taken[groups[prompt]] += 1
        return fates

    def _rows(self, taken: Mapping[Key, Sequence[Claim]], prompts: pl.DataFrame,
              responses: pl.DataFrame) -> pl.DataFrame:
        order = [rule.name for rule in self.rules]
        rows = [_row(key, claims, order) for key, claims in sorted(taken.items())]
        pairs = pl.DataFrame(rows, schema=_ROW, orient="row")
        side = responses.select("response_id", "model", "text")
        for name in ("chosen", "rejected"):
            pairs = pairs.join(side.rename({"response_id": f"{name}_id", "model": f"{name}_model", "text": name}),
                               on=f"{name}_id", how="left", maintain_order="left")
        made = pairs.join(with_split(prompts, self.seed, self.test_share), on="prompt_id").with_columns(
            chosen=assistant("chosen"), rejected=assistant("rejected"),
            margin=pl.col("score_chosen") - pl.col("score_rejected"))
        return pl.DataFrame(pl.from_arrow(PREFERENCES.conform(made.to_arrow()))).sort("pair_id")


def pair_by_events(*rules: str | EventRule, cap: int | None = None, seed: int = 0,
                   test_share: float = 0.0) -> PairByEvents:
    """Pairs that events license, each kind by a rule of its own; a rule is named, or written with its settings.

    "vote" (E1), "score" or `scores(...)` (E2), "rank" or `ranks(...)` (E3), "thumb" or `thumbs(...)` (E4),
    "regenerate" (E5, weak), "edit" or `edits(...)` (E6), "repair" (E8), "ordinal" or `grades(...)` (E10), "rephrase"
    or `rephrases(...)` (E12), "community" or `community(...)` (E13). Without any: vote, score, rank, thumb and edit, in
    which the user says it outright. Only what people said counts: logs hold evaluations by models and rules too.

    Each two answers that a rule compares are a claim, which stands or has a fate of its own ("tie", "both bad", ...).
    Claims that say the same are one pair with the evidence of all; where one says A over B and another B over A, the
    pair is dropped as "contradicted". Of a repair, chosen must not know the feedback. Scores are those of the first
    rule that has any, averaged; of an edit, the share of words changed against 0. `cap` pairs of a group (a user and
    who shares prompts with them) are kept, drawn by hash, so that no user makes the dataset. `seed` and `test_share`
    are the split's. Raises ConfigError on what cannot be.
    """
    named = rules or ("vote", "score", "rank", "thumb", "edit")
    if unknown := [rule for rule in named if isinstance(rule, str) and rule not in RULES]:
        raise ConfigError(f"pair_by_events: no rule is called {unknown[0]!r}; use {', '.join(RULES)}")
    made = tuple(RULES[rule] if isinstance(rule, str) else rule for rule in named)
    if len({rule.name for rule in made}) < len(made):
        raise ConfigError("pair_by_events: a rule is named twice; name it once, with its settings")
    if cap is not None and cap < 1:
        raise ConfigError(f"pair_by_events: cap is {cap}; give at least 1 pair a group, or None for all")
    check_share(test_share)
    return PairByEvents(rules=made, cap=cap, seed=seed, test_share=test_share)


_REFERENCE = pl.Struct({"table": pl.String, "id": pl.String})
_ROW: dict[str, pl.DataType | type[pl.DataType]] = {
    "pair_id": pl.String, "prompt_id": pl.String, "chosen_id": pl.String, "rejected_id": pl.String,
    "score_chosen": pl.Float64, "score_rejected": pl.Float64, "policy": pl.String, "evidence": pl.List(_REFERENCE)}


def _row(key: Key, claims: Sequence[Claim], order: Sequence[str]) -> dict[str, object]:
    """A pair: its sides, its scores by the first rule that has any, the rules that made it and their evidence."""
    rules = sorted({claim.rule for claim in claims}, key=order.index)
    scored = next((rule for rule in rules if any(claim.scores for claim in claims if claim.rule == rule)), None)
    both = [claim.scores for claim in claims if claim.rule == scored and claim.scores]
    evidence = [{"table": table, "id": name} for table, names in (
        ("feedback_events", {name for claim in claims for name in claim.events}),
        ("messages", {name for claim in claims for name in claim.messages})) for name in sorted(names)]
    return {"pair_id": pair_id(*key), "prompt_id": key[0], "chosen_id": key[1], "rejected_id": key[2],
            "score_chosen": _mean([high for high, _ in both]), "score_rejected": _mean([low for _, low in both]),
            "policy": "+".join(rules), "evidence": evidence}


def _measured(taken: Mapping[Key, Sequence[Claim]]) -> pl.DataFrame:
    rows = [{"subject_id": pair_id(*key), "name": "margin_z", "value": z, "source": "events"}
            for key, claims in taken.items() if (z := _mean([claim.z for claim in claims])) is not None]
    return pl.DataFrame(pl.from_arrow(MEASUREMENTS.rows(sorted(rows, key=lambda row: str(row["subject_id"])))))


def _mean(values: Sequence[float | None]) -> float | None:
    known = sorted(value for value in values if value is not None)
    return sum(known) / len(known) if known else None


def _claim_counts(claims: Sequence[Claim]) -> list[Count]:
    """What became of the claims of each rule; those that stand are of a pair."""
    lost = Counter(f"{claim.rule}: {claim.fate}" for claim in claims if claim.fate)
    return count("preferences", "claims", len(claims), out=len(claims) - lost.total(), dropped=lost)


def _pair_counts(fates: Mapping[Key, str], table: pl.DataFrame, prompts: pl.DataFrame) -> list[Count]:
    paired = table["prompt_id"].n_unique()
    without = Counter({"no pair": prompts.height - paired})
    return [*count("preferences", "pairs", len(fates), out=table.height, dropped=Counter(filter(None, fates.values()))),
            *count("preferences", "prompts", prompts.height, out=paired, dropped=+without)]


def _event_counts(events: pl.DataFrame, claims: Sequence[Claim], table: pl.DataFrame,
                  rules: Sequence[EventRule]) -> list[Count]:
    """What became of the events: evidence of a pair, or why not."""
    read = {kind for rule in rules for kind in rule.kinds}
    used = {item["id"] for row in table["evidence"] for item in row if item["table"] == "feedback_events"}
    standing = {name for claim in claims if not claim.fate for name in claim.events}
    claiming = {name for claim in claims for name in claim.events}
    lost: Counter[str] = Counter()
    for name, kind, actor in events.select("event_id", "kind", "actor_kind").iter_rows():
        if actor != PERSON:
            lost[NOT_A_PERSON] += 1
        elif name not in used:
            lost["its pair was dropped" if name in standing else "its claims do not stand" if name in claiming
                 else "nothing to compare" if kind in read else "kind not asked for"] += 1
    return count("preferences", "events", events.height, out=events.height - lost.total(), dropped=lost)
