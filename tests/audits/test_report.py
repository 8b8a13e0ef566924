"""One report: fixed keys, the same bytes for the same build, figures that are small PNGs, tables as Markdown."""

import json
import math
import struct

import polars as pl
import pytest

from audits import figures
from audits.report import report


@pytest.fixture(scope="module")
def build(planted):
    return {
        "responses": planted.responses, "judgments": planted.judgments, "rankings": planted.rankings,
        "preferences": planted.preferences, "kept": planted.preferences.head(300),
        "funnel": pl.DataFrame(
            [("kept", "pairs", *fate) for fate in (("in", "", 400), ("out", "", 300), ("dropped", "margin", 100))],
            ["step", "unit", "fate", "reason", "count"], orient="row"),
    }


@pytest.fixture(scope="module")
def told(build, planted):
    return report(build, truth=planted.truth, draws=200)


@pytest.fixture(scope="module")
def drawn(told):
    return told.figures()


def keys(value, path=""):
    """The paths of all keys of nested dicts, in their order; rows of tables are not looked into."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{path}/{key}"
            yield from keys(inner, f"{path}/{key}")


def test_an_empty_build_has_the_same_keys_as_a_full_one(told):
    assert list(keys(report({}).facts)) == list(keys(told.facts))


def test_an_empty_build_has_no_number_and_no_figure():
    empty = report({})
    assert empty.facts["headline"]["krippendorff_nominal"]["value"] is None
    assert empty.facts["headline"]["cost"] is None
    assert empty.facts["headline"]["balanced"] is None
    assert empty.figures() == {}


def test_the_same_build_with_its_rows_in_another_order_gives_the_same_bytes(build, planted, told, drawn):
    mixed = {name: table.sample(fraction=1.0, shuffle=True, seed=4) for name, table in build.items()}
    again = report(mixed, truth=planted.truth.reverse(), draws=200)
    assert json.dumps(again.facts) == json.dumps(told.facts)
    assert figures.margins(mixed["preferences"], mixed["kept"]) == drawn["margins"]
    assert figures.agreement(again.tables["judge_pairs"], "overall") == drawn["agreement_overall"]


def test_facts_are_plain_json_of_at_most_four_digits(told):
    def numbers(value):
        if isinstance(value, dict | list):
            for inner in value.values() if isinstance(value, dict) else value:
                yield from numbers(inner)
        elif isinstance(value, float):
            yield value
    found = list(numbers(json.loads(json.dumps(told.facts, allow_nan=False))))
    assert len(found) > 100
    assert all(round(value, 4) == value for value in found)
    assert not any(value == 0 and math.copysign(1, value) < 0 for value in found)


def test_the_headline_says_what_the_plant_did(told):
    headline = told.facts["headline"]
    assert (headline["prompts"], headline["responses"], headline["votes"], headline["judges"]) == (400, 1200, 7200, 3)
    assert (headline["pairs"], headline["kept"], headline["balanced"]) == (400, 300, True)
    assert headline["label_accuracy"]["value"] == 1.0
    assert 0 < headline["krippendorff_nominal"]["low"] < headline["krippendorff_nominal"]["high"] < 1
    assert 0 < headline["tie_rate"] < 1


def test_people_stand_in_for_truth_where_none_is_planted(make):
    answers = [
        make.answer(f"p{n}", f"p{n}{side}", side, text)
        for n in range(20) for side, text in (("x", "longer"), ("y", "short"))
    ]
    votes = []
    for n in range(20):
        shown = [f"p{n}x", f"p{n}y"]
        votes += [make.vote(f"p{n}", "human:ann", shown, shown[n % 2]), make.vote(f"p{n}", "longer", shown, shown[0])]
    told = report({"responses": make.responses(answers), "judgments": make.judgments(votes)}, draws=100)
    found = told.tables["verbosity"]
    assert found["judge"].to_list() == ["longer"]
    assert found["value"][0] == 1.0


def test_figures_are_small_pngs(drawn):
    assert set(drawn) == {"agreement_overall", "margins", "lengths", "position", "funnel", "wins"}
    for png in drawn.values():
        assert png.startswith(b"\x89PNG\r\n\x1a\n")
        width, height = struct.unpack(">II", png[16:24])
        assert 300 < width < 1200
        assert 100 < height < 1200
        assert len(png) < 60_000


def test_many_judges_and_models_still_make_readable_figures(make):
    names = [f"a-model-with-a-long-name-{m:02}" for m in range(14)]
    answers = [make.answer(f"p{n}", f"p{n}-{m:02}", name) for n in range(4) for m, name in enumerate(names)]
    votes = [
        make.vote(f"p{n}", f"a-judge-with-a-long-name-{j:02}", [f"p{n}-{m:02}" for m in range(14)],
                  [float((m * j + n) % 7) for m in range(14)])
        for n in range(4) for j in range(12)
    ]
    ranks = [row for n in range(4) for row in make.ranked(f"p{n}", *((f"p{n}-{m:02}", m % 5 + 1) for m in range(14)))]
    judgments, rankings = make.judgments(votes), make.rankings(ranks)
    tables = {"responses": make.responses(answers), "judgments": judgments, "rankings": rankings}
    many = report(tables, draws=50).figures()
    assert all(len(png) < 60_000 for png in many.values())
    assert {"agreement_overall", "wins"} <= set(many)


def test_the_tie_rate_is_that_of_all_aspects_together(make):
    votes = [make.vote("p", "j", ["a", "b"], says, aspect=of) for of, says in (("honesty", "tie"), ("overall", "a"))]
    votes.append(make.vote("p", "j", ["a", "c"], "c"))
    answers = make.responses([make.answer("p", name, "m") for name in "abc"])
    told = report({"judgments": make.judgments(votes), "responses": answers}, draws=50)
    assert told.facts["headline"]["tie_rate"] == 0.3333
