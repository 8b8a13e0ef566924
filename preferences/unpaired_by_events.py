"""Events into single labels: an answer that users liked is good, one that they complained of is bad (KTO; E9)."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from feedback.chatlogs.answers import Answer, logged
from feedback.chatlogs.ordinal import GOOD_GRADE, turn_grades
from generators.made import Made
from preferences.event_scene import NOT_A_PERSON, PERSON
from preferences.evidence import assistant
from preferences.ranked import check_responses
from preferences.split import check_share, with_split
from schemas import UNPAIRED
from schemas.errors import ConfigError
from schemas.funnel import Count, count

SOURCES = ("thumb", "vote", "follow_up", "ordinal", "copy")
_MEANS = {"positive": True, "negative": False}


@dataclass(frozen=True, slots=True)
class _Label:
    """What an event says of an answer."""

    good: bool
    event: str
    answer: str
    """msg_id of the answer."""
    grade: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpairedByEvents:
    """Labels answers by events; see `unpaired_by_events`."""

    sources: tuple[str, ...]
    revisions: bool
    unjustified: bool
    least_confidence: float
    seed: int
    test_share: float

    def __call__(self, prompts: pl.DataFrame, responses: pl.DataFrame, messages: pl.DataFrame,
                 events: pl.DataFrame) -> Made:
        """The UNPAIRED rows, sorted by response_id, and what became of every event and response.

        Responses are dropped as "no label", or as "contradiction" where users disagree, on it or on an equal text.
        """
        said, lost = self.said(set(responses["response_id"]), messages, events)
        return self.labelled(prompts, responses, said, lost)

    def labelled(self, prompts: pl.DataFrame, responses: pl.DataFrame, said: pl.DataFrame,
                 lost: Sequence[Count]) -> Made:
        """The same of what was `said`, for which messages need not be held any more."""
        check_responses(prompts, responses)
        own = responses.select("response_id", "prompt_id", "model", "text", "text_digest")
        labelled = own.join(said, on="response_id", how="left").with_columns(
            both=(pl.col("good") & pl.col("bad")) | (pl.col("good").any() & pl.col("bad").any()).over(
                "prompt_id", "text_digest"))
        fate = (pl.when(pl.col("good").is_null()).then(pl.lit("no label"))
                .when(pl.col("both")).then(pl.lit("contradiction")))
        told = labelled.with_columns(fate=fate)
        table = self._rows(told.filter(pl.col("fate").is_null()), prompts)
        gone = Counter(told["fate"].drop_nulls())
        return Made(table, [*count("unpaired", "responses", responses.height, out=table.height, dropped=gone), *lost])

    def said(self, known: set[str], messages: pl.DataFrame,
             events: pl.DataFrame) -> tuple[pl.DataFrame, list[Count]]:
        """response_id, good, bad, score and evidence of every answer with a label; and what became of the events.

        `known` are the ids of the responses that the recipe has made.
        """
        found = logged(licensed_only=False).answers(messages, events).own
        grades = self._grades(messages, events)
        labels: defaultdict[str, list[_Label]] = defaultdict(list)
        lost: Counter[str] = Counter()
        for event in events.sort("event_id").iter_rows(named=True):
            fate, label, grade = self._label(event, grades)
            targets = [event["target_msg_id"], *(event["compared"] if event["kind"] == "vote" else ())]
            answers = [one for target in targets if isinstance(one := found[target], Answer)
                       and one.response_id in known]
            if label is None or not answers:
                lost[fate or "not among the responses"] += 1
                continue
            for answer in answers:
                labels[answer.response_id].append(_Label(label, event["event_id"], answer.msg_id, grade))
        rows = [_evidence(name, those) for name, those in sorted(labels.items())]
        schema: dict[str, pl.DataType | type[pl.DataType]] = {
            "response_id": pl.String, "good": pl.Boolean, "bad": pl.Boolean, "score": pl.Float64,
            "evidence": pl.List(pl.Struct({"table": pl.String, "id": pl.String}))}
        out = events.height - lost.total()
        return (pl.DataFrame(rows, schema=schema, orient="row"),
                count("unpaired", "events", events.height, out=out, dropped=lost))

    def _grades(self, messages: pl.DataFrame, events: pl.DataFrame) -> dict[str, int | str]:
        """The grade that each turn gives, or why it gives none, by the events that count for something."""
        if "ordinal" not in self.sources:
            return {}
        told = events.filter(pl.col("kind") == "follow_up", pl.col("ordinal").is_not_null())
        fine = [event["event_id"] for event in told.iter_rows(named=True)
                if event["actor_kind"] == PERSON and not self._no_judgment(event)]
        return turn_grades(messages, told.filter(pl.col("event_id").is_in(fine)))

    def _label(self, event: Mapping[str, Any], grades: Mapping[str, int | str]) -> tuple[str, bool | None, int | None]:
        """What an event says of its target: good, bad, or nothing and why; and the grade it gives, if it gives one."""
        kind = event["kind"]
        if event["actor_kind"] != PERSON:
            return NOT_A_PERSON, None, None
        if kind == "follow_up" and "ordinal" in self.sources and event["ordinal"] is not None:
            grade = self._no_judgment(event) or grades.get(event["evidence_msg_id"], "follows no answer")
            return (grade, None, None) if isinstance(grade, str) else ("", grade >= GOOD_GRADE, grade)
        fate, label = self._sign(event) if kind in self.sources else ("kind not asked for", None)
        return fate, label, None

    def _sign(self, event: Mapping[str, Any]) -> tuple[str, bool | None]:
        """What an event without a grade says."""
        kind = event["kind"]
        if kind == "vote":
            return ("", False) if event["value"] == -1.0 else ("a vote compares", None)
        if kind == "copy":
            return "", True
        if kind == "thumb":
            return ("", event["value"] > 0) if event["value"] else ("neutral", None)
        label = _MEANS.get(event["polarity"] or "")
        fate = "neutral" if label is None else self._no_judgment(event)
        return fate, None if fate else label

    def _no_judgment(self, event: Mapping[str, Any]) -> str:
        """Why a user's words are no judgment of the answer; empty where they are."""
        if event["act"] == "revision_request" and not self.revisions:
            return "a revision is no complaint"
        if event["justified"] == "no" and not self.unjustified:
            return "unjustified"
        unsure = event["confidence"] is not None and event["confidence"] < self.least_confidence
        return "unsure" if unsure else ""

    def _rows(self, labelled: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
        rows = labelled.join(with_split(prompts, self.seed, self.test_share), on="prompt_id").select(
            "response_id", "prompt_id", "prompt", "model", "score", "split", "evidence", label="good",
            completion=assistant("text")).sort("response_id")
        return pl.DataFrame(pl.from_arrow(UNPAIRED.conform(rows.to_arrow())))


def unpaired_by_events(*sources: str, revisions: bool = False, unjustified: bool = False,
                       least_confidence: float = 0.0, seed: int = 0, test_share: float = 0.0) -> UnpairedByEvents:
    """Labels for single answers, for trainers that need no pairs (KTO, Ethayarajh et al. 2024).

    `sources`: "thumb" (up good, down bad), "vote" (both bad), "follow_up" (the user's words: positive or negative),
    "ordinal" (the user's words by WildReward's grades, which are the rows' score: 3 and 4 good, 1 and 2 bad; answers
    without a grade are left out as in `grades()` of pairs), "copy" (copied is good: a weak sign). Without any: thumb,
    vote and follow_up. A wish for something new is no complaint: `revisions` counts it
    where its polarity is negative. `unjustified` also counts complaints that a validator found wrong, and so teaches
    to give in. Words of less than `least_confidence` count for nothing. No event is no label: silence is not content.
    Raises ConfigError on what cannot be.
    """
    if unknown := [source for source in sources if source not in SOURCES]:
        raise ConfigError(f"unpaired_by_events: no source is called {unknown[0]!r}; use {', '.join(SOURCES)}")
    if not 0.0 <= least_confidence <= 1.0:
        raise ConfigError(f"unpaired_by_events: least_confidence is {least_confidence}; give a number from 0 to 1")
    check_share(test_share)
    return UnpairedByEvents(sources=sources or ("thumb", "vote", "follow_up"), revisions=revisions,
                            unjustified=unjustified, least_confidence=least_confidence, seed=seed,
                            test_share=test_share)


def _evidence(name: str, those: Sequence[_Label]) -> dict[str, Any]:
    ids = [("feedback_events", sorted({one.event for one in those})),
           ("messages", sorted({one.answer for one in those}))]
    grades = [float(one.grade) for one in those if one.grade is not None]
    return {"response_id": name, "good": any(one.good for one in those), "bad": any(not one.good for one in those),
            "score": min(grades, default=None),
            "evidence": [{"table": table, "id": one} for table, names in ids for one in names]}
