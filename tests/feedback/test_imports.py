"""Imported votes and preference sets: who won, who said so, and that nothing is guessed or lost."""

import gzip
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback.imports.preference_sets import ImportPreferences, preference_set, transcript
from feedback.imports.votes import ImportVotes, votes
from generators.made import Made
from schemas import JUDGMENTS, PROMPTS, RESPONSES
from schemas.errors import ConfigError, InputError

PAIR = {"ask": "2+2?", "left": "4", "right": "5", "ann": 1}


def write(path: Path, *rows: Any) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def importing(path: str, **changed: Any) -> ImportVotes:
    usual: dict[str, Any] = {
        "prompt": "ask", "answers": ("left", "right"), "models": ("L", "R"), "judges": {"human:1": "ann"}}
    return votes(path, **{**usual, **changed})


def fates(made: Made, unit: str, fate: str) -> dict[str, int]:
    return {row.reason: row.count for row in made.counts if (row.unit, row.fate) == (unit, fate)}


def said(source: ImportVotes | ImportPreferences) -> list[dict[str, Any]]:
    """Each vote with texts in place of ids."""
    texts = dict(source.responses().table.select("response_id", "text").iter_rows())
    rows = source.judgments().table.to_dicts()
    return [{**row, "shown": [texts[name] for name in row["shown"]], "order": [texts[name] for name in row["order"]]}
            for row in rows]


def check(source: ImportVotes | ImportPreferences) -> None:
    """Every table keeps its rules, is sorted by its key, and every vote is on answers and prompts that are there."""
    prompts, responses, judgments = source.prompts().table, source.responses().table, source.judgments().table
    for table, made in ((PROMPTS, prompts), (RESPONSES, responses), (JUDGMENTS, judgments)):
        assert not table.check(table.conform(made.to_arrow()))[0]
        assert made[table.key[0]].is_sorted()
    assert set(responses["prompt_id"]) == set(prompts["prompt_id"])
    home = dict(responses.select("response_id", "prompt_id").iter_rows())
    assert all(home[name] == row["prompt_id"] for row in judgments.to_dicts() for name in row["shown"])


@pytest.mark.parametrize(("code", "outcome", "order", "reason"), [
    (1, "win", ["4", "5"], None),
    (2, "win", ["5", "4"], None),
    (0, "tie", [], None),
    ("1", "win", ["4", "5"], None),
    (2.0, "win", ["5", "4"], None),
    (None, "abstain", [], "blank"),
    ("  ", "abstain", [], "blank"),
    (7, "invalid", [], "unknown code 7"),
    ("left", "invalid", [], "unknown code left"),
])
def test_a_code_means_what_the_coding_says(code: Any, outcome: str, order: list[str], reason: str | None,
                                           tmp_path: Path) -> None:
    source = importing(write(tmp_path / "v.jsonl", {**PAIR, "ann": code}))
    [vote] = said(source)
    assert (vote["outcome"], vote["order"], vote["reason"]) == (outcome, order, reason)
    assert (vote["shown"], vote["subject"]) == (["4", "5"], "pair")
    assert (vote["judge"], vote["protocol"]) == ("human:1", "import")
    check(source)


def test_words_can_be_codes_and_each_row_can_name_its_judge(tmp_path: Path) -> None:
    coding = {"model_a": "first", "model_b": "second", "tie": "tie", "tie (bothbad)": "both_bad"}
    rows = [{**PAIR, "ann": code, "who": who} for code, who in
            [("model_b", "ann"), ("tie (bothbad)", "bob"), ("model_a", "bob"), ("tie", "ann")]]
    source = importing(write(tmp_path / "v.jsonl", *rows), coding=coding, judges={"human:{who}": "ann"})
    assert Counter((vote["judge"], vote["outcome"], tuple(vote["order"])) for vote in said(source)) == Counter([
        ("human:ann", "win", ("5", "4")), ("human:bob", "both_bad", ()), ("human:bob", "win", ("4", "5")),
        ("human:ann", "tie", ())])


def test_blank_and_unknown_codes_are_counted_and_are_no_valid_votes(tmp_path: Path) -> None:
    made = importing(write(tmp_path / "v.jsonl", *[{**PAIR, "ann": code} for code in (1, 2, None, 7, 8)])).judgments()
    assert fates(made, "votes", "out") == {"": 5}
    assert fates(made, "valid votes", "out") == {"": 2}
    assert fates(made, "valid votes", "dropped") == {"abstain": 1}
    assert fates(made, "valid votes", "failed") == {"invalid": 2}


def test_a_swapped_pair_keeps_its_winner(tmp_path: Path) -> None:
    swapped = {"ask": "2+2?", "left": "5", "right": "4", "ann": 2}
    plain = importing(write(tmp_path / "a.jsonl", PAIR))
    other = importing(write(tmp_path / "b.jsonl", swapped), models=("R", "L"))
    assert said(plain)[0]["order"] == said(other)[0]["order"] == ["4", "5"]
    assert plain.responses().table.equals(other.responses().table)


def test_one_answer_in_many_pairs_is_one_response_and_a_record_twice_votes_once(tmp_path: Path) -> None:
    path = write(tmp_path / "v.jsonl", PAIR, PAIR, {**PAIR, "right": "6", "ann": 2})
    source = importing(path)
    assert sorted(source.responses().table["text"]) == ["4", "5", "6"]
    assert fates(source.responses(), "answers", "dropped") == {"duplicate": 3}
    assert fates(source.judgments(), "votes", "dropped") == {"duplicate": 1}
    assert source.prompts().table.height == 1


def test_equal_texts_of_two_models_stay_two_responses_and_of_one_author_are_no_pair(tmp_path: Path) -> None:
    same = {**PAIR, "right": "4"}
    source = importing(write(tmp_path / "v.jsonl", same))
    assert source.responses().table.select("model", "text").sort("model").rows() == [("L", "4"), ("R", "4")]
    nameless = importing(write(tmp_path / "w.jsonl", same, PAIR), models=None)
    assert nameless.responses().table["model"].to_list() == ["unknown"] * 2
    assert fates(nameless.judgments(), "votes", "dropped") == {"identical answers of one author": 1}


def test_a_score_is_a_vote_on_one_response(tmp_path: Path) -> None:
    rows = [{"ask": "a", "left": "x", "right": "y", "l": 4, "r": 2.5},
            {"ask": "b", "left": "x", "right": "y", "l": "", "r": "NaN"}]
    source = importing(write(tmp_path / "v.jsonl", *rows), judges=None, scores={"gpt-4": ("l", "r")}, aspect="style")
    told = [(vote["shown"], vote["outcome"], vote["scores"], vote["reason"]) for vote in said(source)]
    assert sorted(told, key=str) == sorted([
        (["x"], "scored", [4.0], None), (["y"], "scored", [2.5], None), (["x"], "abstain", [], "blank"),
        (["y"], "invalid", [], "not a number: NaN")], key=str)
    assert {(vote["judge"], vote["model"], vote["aspect"]) for vote in said(source)} == {("gpt-4", "gpt-4", "style")}
    check(source)


def test_models_come_from_columns_or_from_one_column_of_all(tmp_path: Path) -> None:
    path = write(tmp_path / "v.jsonl", {**PAIR, "a": "m1", "b": "m2", "both": "m1_m2", "list": ["m1", "m2"]})
    for models, separator in ((("{a}", "{b}"), None), ("both", "_"), ("list", None)):
        table = importing(path, models=models, separator=separator).responses().table
        assert dict(table.select("text", "model").iter_rows()) == {"4": "m1", "5": "m2"}
    with pytest.raises(InputError, match=r"line 1: column 'both' holds 'm1_m2', which does not name 2 models"):
        importing(path, models="both", separator="/").responses()


def test_a_boolean_answer_stops_unless_literals_are_wanted(tmp_path: Path) -> None:
    path = write(tmp_path / "v.jsonl", {**PAIR, "left": True})
    with pytest.raises(InputError, match=r"v\.jsonl, line 1: column 'left' holds true, .* literals=True"):
        importing(path).responses()
    assert sorted(importing(path, literals=True).responses().table["text"]) == ["5", "True"]


def test_a_record_dropped_from_one_table_is_dropped_from_all(tmp_path: Path) -> None:
    rows = [{**PAIR, "ask": f"q{number}", "ref": str(number)} for number in range(4)]
    path = write(tmp_path / "v.jsonl", *rows, {**PAIR, "ask": "q4", "right": None, "ref": "4"},
                 {**rows[0], "ref": "other"})
    with pytest.raises(InputError, match="line 5: column 'right' holds null"):
        importing(path, reference="ref").prompts()
    source = importing(path, reference="ref", on_error="drop")
    assert fates(source.prompts(), "records", "out") == {"": 3}
    for made, unit, each in ((source.prompts(), "records", 1), (source.responses(), "answers", 2)):
        assert fates(made, unit, "dropped") == {"column right is no text": each, "conflicting references": 2 * each}
    check(source)


def test_a_limit_takes_prompts_with_all_their_votes(tmp_path: Path) -> None:
    rows = [{**PAIR, "ask": f"q{number % 5}", "n": number} for number in range(20)]
    source = importing(write(tmp_path / "v.jsonl", *rows), limit=2)
    assert source.prompts().table.height == 2
    assert source.judgments().table.height == 8
    assert fates(source.judgments(), "votes", "dropped") == {"over the limit": 12}
    check(source)


@pytest.mark.parametrize(("changed", "told"), [
    ({"judges": None}, "nobody votes"),
    ({"answers": ("left", "right", "third")}, "a verdict is about two answers, not 3"),
    ({"coding": {1: "left"}}, "coding to left; use first, second, tie, both_bad, abstain"),
    ({"scores": {"j": ("one",)}}, "one score column for each of the 2 answers"),
    ({"models": ("a", "b", "c")}, "name a model for each of the 2 answers"),
])
def test_what_does_not_fit_together_is_refused_before_anything_is_read(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        importing("nowhere.jsonl", **changed)


records = st.lists(st.fixed_dictionaries({
    "ask": st.sampled_from("abc"), "left": st.sampled_from("xy"), "right": st.sampled_from("xz"),
    "ann": st.sampled_from([0, 1, 2, 3, None])}), min_size=1, max_size=15)


@given(records, st.integers(0, 99))
@settings(max_examples=30)
def test_the_order_of_records_changes_no_table_and_no_count(tmp_path_factory: pytest.TempPathFactory,
                                                            rows: list[dict[str, Any]], seed: int) -> None:
    folder = tmp_path_factory.mktemp("votes")
    one = importing(write(folder / "v.jsonl", *rows))
    tables = [(made.table, made.counts) for made in (one.prompts(), one.responses(), one.judgments())]
    check(one)
    write(folder / "v.jsonl", *random.Random(seed).sample(rows, len(rows)))
    for (table, counts), made in zip(tables, (one.prompts(), one.responses(), one.judgments()), strict=True):
        assert table.equals(made.table)
        assert counts == made.counts


def pandalm(folder: Path, **changed: Any) -> ImportVotes:
    path = str(folder / "chat" / "pandalm_human_pairs.jsonl.gz")
    usual: dict[str, Any] = {
        "prompt": ("instruction", "input"), "answers": ("response1", "response2"), "models": "cmp_key",
        "separator": "_", "judges": {f"human:{n}": f"annotator{n}" for n in (1, 2, 3)}, "licence": "Apache-2.0"}
    return votes(path, **{**usual, **changed})


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def test_the_pandalm_pairs_keep_every_annotators_verdict(shared_data: Path) -> None:
    rows = lines(shared_data / "chat" / "pandalm_human_pairs.jsonl.gz")
    source = pandalm(shared_data, literals=True)
    texts = {name: (model, text) for name, model, text in
             source.responses().table.select("response_id", "model", "text").iter_rows()}
    asked = {row["prompt_id"]: row["messages"][0]["content"] for row in source.prompts().table.to_dicts()}
    told = Counter[tuple[Any, ...]]()
    for vote in source.judgments().table.to_dicts():
        verdict = 0 if vote["outcome"] == "tie" else 1 + vote["shown"].index(vote["order"][0])
        told[asked[vote["prompt_id"]], *(texts[name] for name in vote["shown"]), vote["judge"], verdict] += 1
    expected = Counter[tuple[Any, ...]]()
    for row in rows:
        ask = "\n\n".join(part for part in (row["instruction"], row["input"]) if part.strip())
        shown = zip(row["cmp_key"].split("_"), (str(row["response1"]), str(row["response2"])), strict=True)
        pair = list(shown)
        expected.update((ask, *pair, f"human:{number}", row[f"annotator{number}"]) for number in (1, 2, 3))
    assert told == expected
    check(source)


def test_the_pandalm_pairs_have_the_counts_that_plain_python_finds(shared_data: Path) -> None:
    # 500 lines, 86 pairs of instruction and input; verdicts counted with zcat and collections.Counter.
    source = pandalm(shared_data, literals=True)
    assert source.prompts().table.height == 86
    table = source.judgments().table.with_columns(
        first=pl.col("shown").list.first() == pl.col("order").list.first())
    found = Counter(table.select("judge", "outcome", "first").iter_rows())
    known = {"human:1": (206, 220, 74), "human:2": (199, 202, 99), "human:3": (194, 214, 92)}
    for judge, verdicts in known.items():
        assert (found[judge, "win", True], found[judge, "win", False], found[judge, "tie", None]) == verdicts


def test_the_pandalm_pairs_with_boolean_answers_stop_or_are_counted(shared_data: Path) -> None:
    with pytest.raises(InputError, match=r"line 158: column 'response1' holds true"):
        pandalm(shared_data).judgments()
    made = pandalm(shared_data, on_error="drop").judgments()
    assert fates(made, "votes", "dropped") == {"column response1 is no text": 12, "column response2 is no text": 6}
    assert made.table.height == 1482


TURNS = [{"role": "user", "content": "Hi"}]


def side(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


@pytest.mark.parametrize(("row", "prompt"), [
    ({"chosen": "\n\nHuman: Hi\n\nAssistant: good", "rejected": "\n\nHuman: Hi\n\nAssistant: bad"}, None),
    ({"chosen": TURNS + side("good"), "rejected": TURNS + side("bad")}, None),
    ({"prompt": "Hi", "chosen": "good", "rejected": "bad"}, "prompt"),
    ({"prompt": TURNS, "chosen": side("good"), "rejected": side("bad")}, "prompt"),
    ({"prompt": "Hi", "chosen": TURNS + side("good"), "rejected": TURNS + side("bad")}, "prompt"),
    ({"prompt": "\n\nHuman: Hi\n\nAssistant:", "chosen": "good", "rejected": "bad"}, "prompt"),
])
def test_every_shape_of_a_preference_set_gives_the_same_pair(row: dict[str, Any], prompt: str | None,
                                                             tmp_path: Path) -> None:
    source = preference_set(write(tmp_path / "pairs.jsonl", row), prompt=prompt)
    [vote] = said(source)
    assert (vote["order"], vote["judge"], vote["outcome"]) == (["good", "bad"], "import:pairs", "win")
    assert source.prompts().table["messages"].to_list() == [TURNS]
    check(source)


@pytest.mark.parametrize(("chosen", "rejected", "reason"), [
    ("\n\nHuman: a\n\nAssistant: b", "\n\nHuman: a\n\nAssistant: b", "identical sides"),
    ("\n\nHuman: a\n\nAssistant: b", "\n\nHuman: z\n\nAssistant: c", "sides share no prompt"),
    ("\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d", "\n\nHuman: a\n\nAssistant: e",
     "sides differ in more than one assistant turn"),
    ("\n\nHuman: a", "\n\nHuman: a\n\nAssistant: b", "sides differ in more than one assistant turn"),
    ("\n\nHuman: a\n\nHuman: b", "\n\nHuman: a\n\nHuman: c", "sides differ in more than one assistant turn"),
    ("\n\nHuman: a", "\n\nHuman: a\n\nAssistant: b\n\nAssistant: c", "sides differ in more than one assistant turn"),
    ("The sky is blue.", "The sky is green.", "no transcript, and no prompt is named"),
])
def test_sides_that_do_not_say_what_was_asked_are_dropped_and_counted(chosen: str, rejected: str, reason: str,
                                                                      tmp_path: Path) -> None:
    good = {"chosen": "\n\nHuman: Hi\n\nAssistant: good", "rejected": "\n\nHuman: Hi\n\nAssistant: bad"}
    source = preference_set(write(tmp_path / "pairs.jsonl", good, {"chosen": chosen, "rejected": rejected}))
    assert fates(source.judgments(), "votes", "dropped") == {reason: 1}
    assert fates(source.responses(), "answers", "dropped") == {reason: 2}
    assert source.prompts().table.height == 1


def test_a_position_says_nothing_about_who_won(tmp_path: Path) -> None:
    rows = [{"prompt": f"q{number}", "chosen": "good", "rejected": "bad"} for number in range(400)]
    source = preference_set(write(tmp_path / "pairs.jsonl", *rows), prompt="prompt")
    first = sum(vote["shown"][0] == vote["order"][0] for vote in source.judgments().table.to_dicts())
    assert abs(first - 200) < 50  # five standard deviations


def test_a_margin_is_the_votes_strength_and_must_be_a_number(tmp_path: Path) -> None:
    rows = [{"prompt": "a", "chosen": "x", "rejected": "y", "gap": gap} for gap in (1.5, None, "2")]
    source = preference_set(write(tmp_path / "pairs.jsonl", *rows), prompt="prompt", margin="gap")
    assert sorted(str(vote["strength"]) for vote in said(source)) == ["1.5", "2.0", "None"]
    bad = preference_set(write(tmp_path / "bad.jsonl", {**rows[0], "gap": "much"}), prompt="prompt", margin="gap")
    with pytest.raises(InputError, match=r"bad\.jsonl, line 1: column 'gap' holds 'much', which is no number"):
        bad.judgments()


def test_two_records_that_contradict_each_other_stay_two_votes(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", {"prompt": "a", "chosen": "x", "rejected": "y"},
                 {"prompt": "a", "chosen": "y", "rejected": "x"})
    source = preference_set(path, prompt="prompt")
    assert sorted(vote["order"] for vote in said(source)) == [["x", "y"], ["y", "x"]]
    assert source.responses().table.height == 2


def test_the_hh_rlhf_transcripts_split_at_their_last_answer(shared_data: Path) -> None:
    path = shared_data / "chat" / "hh_rlhf_harmless.jsonl.gz"
    source = preference_set(str(path), licence="MIT")
    speaker = {"user": "\n\nHuman: ", "assistant": "\n\nAssistant: "}
    prompts = {row["prompt_id"]: "".join(speaker[turn["role"]] + turn["content"] for turn in row["messages"])
               for row in source.prompts().table.to_dicts()}

    def squeezed(*sides: str) -> tuple[str, ...]:
        return tuple("".join(text.split()) for text in sides)
    whole = Counter(squeezed(*(f"{prompts[vote['prompt_id']]}\n\nAssistant: {text}" for text in vote["order"]))
                    for vote in said(source))
    assert whole == Counter(squeezed(row["chosen"], row["rejected"]) for row in lines(path))
    check(source)


def test_a_text_that_does_not_open_with_a_speaker_is_no_transcript() -> None:
    assert transcript("So I said\n\nHuman: hello") is None
    assert transcript("no speaker") is None
    assert transcript("Human: a\n\nAssistant: b: c") == [
        {"role": "user", "content": "a"}, {"role": "assistant", "content": "b: c"}]
