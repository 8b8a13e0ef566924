"""The card says what the build says, nothing else, and no text can break it."""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from exports.card import render
from exports.folder import write_dataset
from exports.frontmatter import size
from exports.licences import licence
from exports.markdown import fence, figures, inline, quoted, table
from schemas import PREFERENCES, PROMPTS

Write = Callable[..., dict[str, Any]]
HEADINGS = ["sums", "What is in it", "How it was made", "Who answered", "Who judged", "Why pairs were dropped", "Votes",
            "A pair", "Known limits", "Licence", "How to load it", "Columns", "Provenance"]


def split_card(text: str) -> tuple[dict[str, Any], str]:
    found = re.fullmatch(r"---\n(.*?)\n---\n(.*)", text, re.DOTALL)
    assert found
    told: dict[str, Any] = yaml.safe_load(found[1])
    return told, found[2]


def headings(body: str) -> list[str]:
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    return [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]


def shown(text: str) -> str:
    """What a reader sees of an inline text."""
    tokens = MarkdownIt("commonmark").parse(text)
    children = tokens[1].children or []
    assert {child.type for child in children} <= {"text", "text_special"}, text
    return "".join(child.content for child in children)


def prompts_from(*parts: tuple[list[str], list[str]]) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(PROMPTS.rows(
        {"prompt_id": f"p{number}", "messages": [{"role": "user", "content": "?"}], "sources": sources,
         "licences": licences, "group": "g"} for number, (sources, licences) in enumerate(parts))))


def read(tmp_path: Path, write: Write, **changes: Any) -> str:
    write(tmp_path / "d", **changes)
    return (tmp_path / "d" / "README.md").read_text(encoding="utf-8")


def test_without_facts_the_card_has_no_section_it_cannot_fill(tmp_path: Path, write: Write) -> None:
    _, body = split_card(read(tmp_path, write))
    assert headings(body) == HEADINGS
    assert "$" not in body


def test_every_fact_given_has_its_section_and_its_numbers(tmp_path: Path, write: Write) -> None:
    _, body = split_card(read(tmp_path, write, facts={
        "about": "Sums for the small.", "method": {"aggregation": "mean"},
        "funnel": [{"step": "rankings", "unit": "votes", "fate": "in", "reason": "", "count": 12345}],
        "agreement": {"overall": {"krippendorff alpha": {"value": 0.61, "low": 0.52, "high": 0.7}}},
        "tie_rate": 0.125, "bias": {"ann": {"position": 0.02}}, "wins": [{"model": "sage", "wins": 3}],
        "truth": {"label accuracy": 0.97}, "cost": {"total": None, "currency": "USD"}, "limits": ["Sums only."],
    }))
    assert headings(body) == [
        *HEADINGS[:5], "What became of every row", *HEADINGS[5:7], "Agreement between judges", "Bias of the judges",
        "Which model wins", "Labels against the truth", "Cost", *HEADINGS[7:]]
    for row in ("| rankings | votes | in |  | 12,345 |", "| overall / krippendorff alpha | 0.61 | 0.52 | 0.7 |",
                "| ann | 0.02 |", "| sage | 3 |", "| label accuracy | 0.97 |", "| total | unknown |",
                "| aggregation | mean |", "are combined: 0.125", "- Sums only.",
                "Sums for the small."):
        assert row in body


def test_counts_of_votes_drops_and_models_are_those_of_the_tables(tmp_path: Path, write: Write) -> None:
    body = read(tmp_path, write)
    for row in ("| scored | 3 | 0.75 |", "| invalid | 1 | 0.25 |", "| preferences | tie | 1 |",
                "| preference | 2 | 1 | 3 |", "| fool | unknown | unknown | 0 | 3 |",
                "| sage | unknown | unknown | 3 | 0 |"):
        assert row in body
    assert "| bob | bob-1b | unknown | unknown | rate_alone | overall | feed | 2 | 1 |" in body


def test_the_front_matter_names_configs_size_and_language(tmp_path: Path, write: Write) -> None:
    told, _ = split_card(read(tmp_path, write, name='su"ms: \u2028 #1'))
    assert told["pretty_name"] == 'su"ms: \u2028 #1'
    assert (told["language"], told["size_categories"]) == (["en"], ["n<1K"])
    assert [config["config_name"] for config in told["configs"] if config.get("default")] == ["preference"]
    assert told["configs"][0]["data_files"] == [{"split": "train", "path": "preference/train-*.parquet"},
                                                {"split": "test", "path": "preference/test-*.parquet"}]


def test_a_language_that_no_prompt_names_is_left_out(
        tmp_path: Path, write: Write, build: dict[str, pl.DataFrame]) -> None:
    text = read(tmp_path, write, prompts=build["prompts"].with_columns(language=pl.lit(None, pl.String)))
    assert "language" not in split_card(text)[0]
    assert "The language of 4 of 4 prompts is not known." in text


@pytest.mark.parametrize(("prompts", "models", "judges", "expected"), [
    ([(["a"], ["Apache-2.0"])], {"m": "apache-2.0"}, {"j": "Apache-2.0"}, "apache-2.0"),
    ([(["a"], ["Apache-2.0"])], {"m": "apache-2.0"}, {"j": None}, "other"),
    ([(["a"], ["mit"]), (["b"], ["apache-2.0"])], {"m": "mit"}, {}, "other"),
    ([(["a"], ["Licence of my own"])], {"m": "Licence of my own"}, {}, "other"),
    ([(["a"], ["unknown"])], {"m": None}, {}, "unknown"),
    ([(["a"], ["mit"])], {"m": None}, {}, "other"),
])
def test_a_licence_is_named_only_where_all_agree_on_a_known_one(
        prompts: list[tuple[list[str], list[str]]], models: dict[str, str | None], judges: dict[str, str | None],
        expected: str) -> None:
    assert licence(prompts_from(*prompts), models, judges).id == expected


def test_a_mixed_licence_lists_every_source_model_and_judge() -> None:
    told = licence(prompts_from((["a"], ["mit"]), (["a", "b"], ["gpl-3.0", "mit"]), (["b"], ["gpl-3.0"])),
                   {"m": None}, {"j": "llama3"})
    assert [(party["party"], party["licence"]) for party in told.parties] == [
        ("source a", "mit"), ("source b", "gpl-3.0"), ("model m", "unknown"), ("judge j", "llama3")]
    assert told.unnamed == 1


@pytest.mark.parametrize(("rows", "expected"), [
    (999, "n<1K"), (1_000, "1K<n<10K"), (123_456, "100K<n<1M"), (5 * 10**9, "1B<n<10B")])
def test_size_categories_are_the_hubs(rows: int, expected: str) -> None:
    assert size(rows) == expected


def test_a_section_without_a_value_is_left_out_and_a_paragraph_too() -> None:
    template = "# $a\n\n## One\n\nText.\n\n$b\n\n## Two\n\n$c\n\nBecause $d\n\n## Three\n\nAlways.\n"
    assert render(template, {"a": "T", "b": "", "c": "$b", "d": ""}) == "# T\n\n## Two\n\n$b\n\n## Three\n\nAlways.\n"


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80))
def test_an_escaped_text_is_shown_as_it_is(text: str) -> None:
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    assert shown(f"x{inline(text)}x") == f"x{plain}x"
    assert yaml.safe_load(f"a: {quoted(text)}") == {"a": text}


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="`~\n a#", max_size=60))
def test_nothing_ends_a_fence_but_its_own_end(text: str) -> None:
    tokens = MarkdownIt("commonmark").parse(f"{fence(text)}\n\nafter")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].content == f"{text}\n"


@settings(max_examples=25, deadline=None)
@given(st.one_of(st.text(min_size=1, max_size=80), st.sampled_from(
    ["```\n## Forged\n", "---\nlicense: mit\n---\n", "| a | b |\n| - | - |", "<h1>x</h1>", "$models", "\n\n# x\n"])))
def test_no_text_adds_a_heading_or_a_key_to_the_card(text: str) -> None:
    said = [{"role": "user", "content": text}]
    pairs = PREFERENCES.rows([{
        "pair_id": "x", "prompt_id": "p", "prompt": said, "chosen": said,
        "rejected": [{"role": "user", "content": f"not {text}"}],
        "chosen_id": "a", "rejected_id": "b", "chosen_model": text, "rejected_model": "m", "policy": "all",
        "split": "train", "evidence": []}])
    asked = PROMPTS.rows([{"prompt_id": "p", "messages": said, "sources": [text], "licences": [text], "group": "p"}])
    with tempfile.TemporaryDirectory() as root:
        write_dataset(Path(root) / "d", name="sums", recipe=text, kept=pl.DataFrame(pl.from_arrow(pairs)),
                      prompts=pl.DataFrame(pl.from_arrow(asked)),
                      facts={"about": text, "limits": [text], "method": {text: text}, "wins": [{"model": text}]})
        told, body = split_card((Path(root) / "d" / "README.md").read_text(encoding="utf-8"))
    assert headings(body) == ["sums", "What is in it", "How it was made", "Who answered", "Which model wins", "A pair",
                              "Known limits", "Licence", "How to load it", "Columns", "Provenance"]
    assert set(told) <= {"pretty_name", "license", "license_details", "tags", "task_categories", "size_categories",
                         "configs"}
    assert [config["config_name"] for config in told["configs"]] == ["preference", "prompts"]


def test_a_null_is_unknown_about_a_model_and_empty_among_measurements(tmp_path: Path, write: Write) -> None:
    body = read(tmp_path, write, facts={
        "agreement": [{"measure": "kappa", "value": 0.5, "reason": None}, {"measure": "alpha", "value": None}],
        "cost": [{"engine": "sage", "cost": None}],
        "bias": {"Position": [{"judge": "ann", "value": 0.1}], "Length": []},
        "models": [{"model": "sage", "revision": None}]})
    for row in ("| measure | value |\n| --- | --- |\n| kappa | 0.5 |\n| alpha |  |", "| sage | unknown |",
                "**Position**\n\n| judge | value |", "| sage | unknown | unknown | 3 | 0 |"):
        assert row in body
    assert "**Length**" not in body


def test_what_a_row_is_about_comes_before_its_figure_and_that_before_the_rest() -> None:
    rows = [{"high": 0.3, "judge": "ann", "low": 0.1, "pairs": 9, "value": 0.2}, {"judge": "bob", "reason": "no votes"}]
    assert figures(rows).splitlines() == [
        "| judge | value | low | high | pairs | reason |", "| --- | --- | --- | --- | --- | --- |",
        "| ann | 0.2 | 0.1 | 0.3 | 9 |  |", "| bob |  |  |  |  | no votes |"]


def test_nested_figures_become_one_table() -> None:
    told = {"total": 3, "ann": {"position": {"value": 0.1, "low": None}}, "rows": [{"value": 1}, {"value": 2}]}
    assert figures(told).splitlines() == [
        "| what | value | low |", "| --- | --- | --- |", "| total | 3 |  |", "| ann / position | 0.1 | unknown |",
        "| rows | 1 |  |", "| rows | 2 |  |"]
    assert figures({}) == figures([]) == figures(None) == ""
    assert table([{"a_b": True}]) == "| a b |\n| --- |\n| yes |"


def test_a_person_who_votes_has_no_licence_to_name(
        tmp_path: Path, write: Write, build: dict[str, pl.DataFrame]) -> None:
    human = pl.lit("human:") + pl.col("judge")
    votes = build["judgments"].with_columns(judge=human, model=pl.lit(None, pl.String))
    terms = {"models": [{"model": name, "licence": "apache-2.0"} for name in ("sage", "fool")]}
    told, body = split_card(read(tmp_path, write, judgments=votes, facts=terms))
    assert told["license"] == "apache-2.0"
    assert "| human:ann | rate_alone | overall | feed | 2 | 2 |" in body
    assert "No person voted" not in body


def test_an_imported_label_is_not_said_to_be_the_judgment_of_models(
        tmp_path: Path, write: Write, build: dict[str, pl.DataFrame]) -> None:
    votes = build["judgments"].with_columns(judge=pl.lit("import:hh"), model=pl.lit(None, pl.String))
    assert "No person voted" not in read(tmp_path, write, judgments=votes)


def test_two_engines_of_one_model_both_have_a_say_in_licence_and_revision(tmp_path: Path, write: Write) -> None:
    models = [{"model": "sage", "revision": "r1", "licence": None},
              {"model": "sage", "revision": "r2", "licence": "mit"},
              {"model": "fool", "revision": None, "licence": "mit"}]
    told, body = split_card(read(tmp_path, write, facts={"models": models}))
    assert "| sage | r1 and r2 | unknown and mit |" in body
    assert told["license"] == "other"
