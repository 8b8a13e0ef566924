"""Rankings: small juries calculated by hand, the literature's rule, and the laws."""

import random
from collections import Counter
from collections.abc import Callable
from itertools import combinations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.jury.aggregate import Aggregate, majority, mean, median
from schemas import JUDGMENTS, RANKINGS
from schemas.errors import ConfigError
from tests.feedback.court import answer, duel, judgments, obeys, responses, scored, silenced, vote

HOWS = (mean, median, majority)


def answers(*names: str, prompt: str = "p") -> pl.DataFrame:
    return responses(*(answer(prompt, name) for name in names))


def ranks(aggregate: Aggregate, names: str, rows: list[dict]) -> dict[str, tuple[float | None, int | None]]:
    """Score and rank by response."""
    table = aggregate(answers(*names), judgments(rows)).table
    return {name: (score, rank) for name, score, rank in table.select("response_id", "score", "rank").iter_rows()}


def test_mean_and_median_of_scored_votes_are_over_judges_of_their_means_over_aspects() -> None:
    rows = [
        scored("j", {"a": 10, "b": 4}, aspect="honesty"), scored("j", {"a": 7, "b": 5}, aspect="style"),   # 8.5, 4.5
        scored("k", {"a": 1, "b": 6}, aspect="honesty"), scored("k", {"a": 2, "b": 6}, aspect="style"),    # 1.5, 6
        scored("l", {"a": 8, "b": 6}, aspect="honesty"), scored("l", {"a": 8, "b": 6}, aspect="style"),    # 8, 6
    ]
    assert ranks(mean(), "ab", rows) == {"a": (6.0, 1), "b": (5.5, 2)}
    assert ranks(median(), "ab", rows) == {"a": (8.0, 1), "b": (6.0, 2)}
    assert ranks(mean(aspects=["honesty"]), "ab", rows) == {"a": (19 / 3, 1), "b": (16 / 3, 2)}


def test_equal_scores_share_the_smallest_rank_and_the_next_rank_is_skipped() -> None:
    rows = [scored("j", {"a": 5, "b": 7, "c": 5, "d": 1})]
    assert ranks(mean(), "abcd", rows) == {"b": (7.0, 1), "a": (5.0, 2), "c": (5.0, 2), "d": (1.0, 4)}


def test_float_noise_breaks_no_tie() -> None:
    rows = [scored(judge, {"a": a, "b": 0.2}) for judge, a in zip("jkl", (0.1, 0.2, 0.3), strict=True)]
    assert ranks(mean(), "ab", rows) == {"a": (0.2, 1), "b": (0.2, 1)}


def test_comparisons_score_an_answer_by_its_mean_win_value_over_opponents() -> None:
    rows = [duel("j", "a", "b", "A"), duel("j", "a", "c", "tie"), duel("j", "b", "c", "both_bad"),
            duel("k", "a", "b", "B"), duel("k", "a", "c", "A"), duel("k", "b", "c", "A"),
            duel("l", "a", "b", "A"), duel("l", "a", "c", "A"), duel("l", "b", "c", "tie")]
    # ab: 1 0 1; ac: .5 1 1; bc: .5 1 .5
    assert ranks(mean(), "abc", rows) == {
        "a": (pytest.approx((2 / 3 + 2.5 / 3) / 2), 1), "b": (pytest.approx((1 / 3 + 2 / 3) / 2), 2),
        "c": (pytest.approx((0.5 / 3 + 1 / 3) / 2), 3)}
    assert ranks(median(), "abc", rows) == {"a": (1.0, 1), "b": (0.25, 2), "c": (0.25, 2)}
    assert ranks(majority(), "abc", rows) == {"a": (1.0, 1), "b": (0.25, 2), "c": (0.25, 2)}


def test_a_jury_votes_by_mode_and_several_modes_are_a_tie_in_all_57_juries_of_six() -> None:
    # Fellowship of the LLMs (2024): every subset of two or more of six judges, the mode of a, b and tie.
    judges = {"j1": "A", "j2": "B", "j3": "A", "j4": "tie", "j5": "B", "j6": "tie"}
    juries = [jury for size in range(2, 7) for jury in combinations(judges, size)]
    assert len(juries) == 57
    for jury in juries:
        votes = Counter(judges[judge] for judge in jury)
        modes = [verdict for verdict, number in votes.items() if number == max(votes.values())]
        expected = {"A": (1, 2), "B": (2, 1), "tie": (1, 1)}[modes[0] if len(modes) == 1 else "tie"]
        found = ranks(majority(), "ab", [duel(judge, "a", "b", judges[judge]) for judge in jury])
        assert (found["a"][1], found["b"][1]) == expected, jury


@pytest.mark.parametrize(("verdicts", "winner"), [
    ("A A B", "a"), ("A B B", "b"), ("A B", None), ("A tie", None), ("A tie tie", None), ("A A B B tie", None),
    ("A A B tie", "a"), ("A A both_bad both_bad tie", None), ("A invalid invalid", "a"),
])
def test_majority_of_known_small_juries(verdicts: str, winner: str | None) -> None:
    rows = [duel(f"j{number}", "a", "b", verdict) for number, verdict in enumerate(verdicts.split())]
    found = ranks(majority(), "ab", rows)
    best = [name for name in "ab" if found[name][1] == 1]
    assert best == ([winner] if winner else ["a", "b"])


def test_majority_hears_scores_as_comparisons_and_rankings_too() -> None:
    rows = [scored("j", {"a": 9, "b": 2}), vote("human:1", ["a", "b"], "ranked", order=["b", "a"]),
            duel("human:2", "b", "a", "A")]
    assert ranks(majority(), "ab", rows) == {"a": (0.0, 2), "b": (1.0, 1)}


@pytest.mark.parametrize("how", [mean, median])
def test_scores_and_comparisons_have_no_common_mean(how: Callable[[], Aggregate]) -> None:
    with pytest.raises(ConfigError, match="majority"):
        ranks(how(), "ab", [scored("j", {"a": 9, "b": 2}), duel("k", "a", "b", "A")])


@pytest.mark.parametrize("how", HOWS)
def test_below_the_quorum_there_is_no_score_and_no_rank(how: Callable[[int], Aggregate]) -> None:
    rows = [scored("j", {"a": 9, "b": 2, "c": 4}), scored("k", {"a": 8}, number=1), scored("k", {"b": 1}, number=2),
            silenced(scored("k", {"c": 4}, number=3))]
    made = how(2)(answers(*"abcd"), judgments(rows))
    assert obeys(RANKINGS, made.table)
    assert obeys(JUDGMENTS, judgments(rows))
    table = {row["response_id"]: row for row in made.table.to_dicts()}
    assert [table[name]["outcome"] for name in "abcd"] == ["ranked", "ranked", "no_quorum", "no_quorum"]
    assert (table["c"]["score"], table["c"]["rank"], table["c"]["invalid"]) == (None, None, 1)
    assert (table["d"]["votes"], table["d"]["judgment_ids"]) == (0, [])
    assert (table["a"]["rank"], table["b"]["rank"]) == (1, 2)
    ranked = {count.reason or count.fate: count.count for count in made.counts if count.unit == "ranked responses"}
    assert ranked == {"in": 4, "out": 2, "no_quorum": 2}


def test_a_judge_counts_only_where_all_its_aspects_are_valid() -> None:
    rows = [scored("j", {"a": 2, "b": 6}, aspect="honesty"), scored("j", {"a": 2, "b": 6}, aspect="style"),
            scored("k", {"a": 10, "b": 1}, aspect="honesty"), silenced(scored("k", {"a": 1, "b": 1}, aspect="style"))]
    table = mean()(answers("a", "b"), judgments(rows)).table
    assert table.select("score", "rank", "votes", "invalid", "judges").rows() == [(2.0, 2, 2, 1, 1), (6.0, 1, 2, 1, 1)]


def test_votes_are_counted_to_the_last_one() -> None:
    rows = [duel("j", "a", "b", "A"), silenced(duel("k", "a", "b", "A")),
            duel("l", "a", "b", "A", policy="both-average"), duel("j", "x", "y", "A", prompt="gone"),
            duel("m", "a", "b", "A", aspect="style")]
    made = majority(aspects=("overall",))(answers("a", "b"), judgments(rows))
    votes = {(count.fate, count.reason): count.count for count in made.counts if count.unit == "votes"}
    assert votes == {
        ("in", ""): 5, ("out", ""): 1, ("failed", "invalid"): 1, ("dropped", "another aspect"): 1,
        ("dropped", "no answer it is on is ranked here"): 1,
        ("dropped", "the judge's other votes it belongs with are not all valid"): 1}


def test_agreement_is_the_share_of_outcomes_that_say_what_the_ranks_say() -> None:
    rows = [duel("j", "a", "b", "A"), duel("k", "a", "b", "A"), duel("l", "a", "b", "B"), duel("m", "a", "b", "tie")]
    assert mean()(answers("a", "b"), judgments(rows)).table["agreement"].to_list() == [0.5, 0.5]
    tied = [duel("j", "a", "b", "A"), duel("k", "a", "b", "B"), duel("l", "a", "b", "both_bad")]
    assert mean()(answers("a", "b"), judgments(tied)).table["agreement"].to_list() == pytest.approx([1 / 3, 1 / 3])
    alone = [duel("j", "a", "b", "A")]
    assert mean()(answers("a", "b"), judgments(alone)).table["agreement"].to_list() == [None, None]


def test_people_sit_in_the_same_jury_as_models() -> None:
    # 1.5 of 3 win values for a and the same for b: people and models weigh alike.
    rows = [duel("human:1", "a", "b", "A"), duel("human:2", "a", "b", "B"), duel("gpt", "a", "b", "tie")]
    assert ranks(mean(quorum=3), "ab", rows) == {"a": (0.5, 1), "b": (0.5, 1)}


@pytest.mark.parametrize("how", HOWS)
def test_without_votes_every_answer_is_there_and_none_is_ranked(how: Callable[[], Aggregate]) -> None:
    assert how()(answers("a", "b"), judgments([])).table["outcome"].to_list() == ["no_quorum", "no_quorum"]
    assert how()(answers(), judgments([])).table.height == 0


def test_a_quorum_of_nobody_is_refused() -> None:
    with pytest.raises(ConfigError, match="quorum"):
        mean(quorum=0)


# The laws

NAMES = "abcd"
JUDGES = ("j", "k", "human:1")


@st.composite
def rated(draw: st.DrawFn) -> list[dict]:
    """Scores by three judges on two aspects, together or alone, some unparsed."""
    rows = []
    for judge in JUDGES:
        for aspect in ("overall", "style"):
            scores = {name: draw(st.integers(1, 4)) for name in NAMES}
            alone = draw(st.booleans())
            for part in [{name: score} for name, score in scores.items()] if alone else [scores]:
                row = scored(judge, part, aspect=aspect)
                rows.append(silenced(row) if draw(st.integers(0, 5)) == 0 else row)
    return rows


@st.composite
def compared(draw: st.DrawFn) -> list[dict]:
    """Comparisons by three judges of all pairs, in one order or both, some unparsed."""
    rows = []
    policy = draw(st.sampled_from(["random", "both-average", "both-else-tie"]))
    for judge in JUDGES:
        for one, other in combinations(NAMES, 2):
            for pair in [(one, other), (other, one)] if policy.startswith("both") else [(one, other)]:
                verdict = draw(st.sampled_from(["A", "B", "tie", "both_bad", "invalid"]))
                rows.append(duel(judge, *pair, verdict, policy=policy))
    return rows


any_rows = st.one_of(rated(), compared())
any_how = st.builds(lambda how, quorum: how(quorum, aspects=None), st.sampled_from(HOWS), st.integers(1, 3))


@given(any_rows, any_how, st.randoms(use_true_random=False))
def test_row_order_never_matters_to_rankings(rows: list[dict], how: Aggregate, chance: random.Random) -> None:
    mixed, names = list(rows), list(NAMES)
    chance.shuffle(mixed)
    chance.shuffle(names)
    one, other = how(answers(*NAMES), judgments(rows)), how(answers(*names), judgments(mixed))
    assert one.table.equals(other.table)
    assert one.counts == other.counts


@given(any_rows, any_how)
def test_naming_answers_anew_names_the_ranks_anew(rows: list[dict], how: Aggregate) -> None:
    # The swap law: relabelling flips labels with the names and keeps ties.
    anew = dict(zip(NAMES, "dcba", strict=True))
    renamed = [{**row, **{column: [anew[name] for name in row[column]] for column in ("shown", "order")}}
               for row in rows]
    plain, other = (ranks(how, NAMES, votes) for votes in (rows, renamed))
    assert {anew[name]: known for name, known in plain.items()} == other


@given(rated(), st.sampled_from(HOWS), st.sampled_from(NAMES), st.data())
def test_a_higher_score_never_lowers_the_rank(rows: list[dict], how: Callable[[], Aggregate], name: str,
                                              data: st.DataObject) -> None:
    before = ranks(how(), NAMES, rows)[name]
    raised = []
    for row in rows:
        scores = [score + data.draw(st.integers(0, 2)) if shown == name else score
                  for shown, score in zip(row["shown"], row["scores"], strict=False)]
        raised.append({**row, "scores": scores})
    after = ranks(how(), NAMES, raised)[name]
    assert (after[1] or 0) <= (before[1] or 0)
    assert (after[0] or 0) >= (before[0] or 0)


@given(compared(), st.sampled_from(HOWS), st.sampled_from(NAMES), st.integers(0, 35))
def test_a_vote_won_never_lowers_the_rank(rows: list[dict], how: Callable[[], Aggregate], name: str,
                                          which: int) -> None:
    before = ranks(how(), NAMES, rows)[name]
    row = rows[which % len(rows)]
    if name in row["shown"] and row["outcome"] != "invalid":
        won = duel(row["judge"], *row["shown"], "A" if row["shown"][0] == name else "B", policy=row["order_policy"])
        after = ranks(how(), NAMES, [won if one is row else one for one in rows])[name]
        assert (after[1] or 0) <= (before[1] or 0)
        assert (after[0] or 0) >= (before[0] or 0)


@given(any_rows, st.sampled_from(HOWS), st.integers(1, 3), st.integers(0, 35))
def test_an_unparsed_vote_ranks_as_a_missing_vote_ranks(rows: list[dict], how: Callable[..., Aggregate], quorum: int,
                                                        which: int) -> None:
    aspects = sorted({row["aspect"] for row in rows})
    aggregate = how(quorum, aspects=aspects)
    row = rows[which % len(rows)]
    without = [one for one in rows if one is not row]
    columns = ["response_id", "outcome", "score", "rank", "votes", "judges", "agreement"]
    marked = aggregate(answers(*NAMES), judgments([*without, silenced(row)])).table
    assert marked.select(columns).equals(aggregate(answers(*NAMES), judgments(without)).table.select(columns))


@given(any_rows, any_how)
def test_every_ranking_names_exactly_the_votes_on_its_answer(rows: list[dict], how: Aggregate) -> None:
    table = how(answers(*NAMES), judgments(rows)).table
    for name, named in table.select("response_id", "judgment_ids").iter_rows():
        assert named == sorted(row["judgment_id"] for row in rows if name in row["shown"])


@given(any_rows, any_how)
def test_equal_scores_are_equal_ranks_and_higher_scores_are_smaller_ranks(rows: list[dict], how: Aggregate) -> None:
    known = [pair for pair in ranks(how, NAMES, rows).values() if pair[0] is not None]
    for score, rank in known:
        assert rank == 1 + sum(other > score for other, _ in known)


@given(any_rows, any_rows, st.sampled_from(HOWS))
def test_ranking_prompts_apart_is_ranking_them_together(one: list[dict], other: list[dict],
                                                        how: Callable[..., Aggregate]) -> None:
    aspects = sorted({row["aspect"] for row in one} & {row["aspect"] for row in other})
    if {row["outcome"] == "scored" for row in [*one, *other] if row["outcome"] != "invalid"} == {True, False}:
        how = majority
    rename = {name: name.upper() for name in NAMES}
    second = [{**row, "prompt_id": "q", "judgment_id": f"q{row['judgment_id']}",
               **{column: [rename[name] for name in row[column]] for column in ("shown", "order")}} for row in other]
    shards = [(answers(*NAMES), judgments(one)), (answers(*rename.values(), prompt="q"), judgments(second))]
    apart = pl.concat([how(aspects=aspects)(*shard).table for shard in shards])
    together = how(aspects=aspects)(*(pl.concat(tables) for tables in zip(*shards, strict=True))).table
    assert together.equals(apart.sort("prompt_id", "response_id"))
