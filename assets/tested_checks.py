"""What is checked of test-case feedback: that no label rests on what did not run, and that the tests say something."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from assets.checks import PAIR_CHECKS, check_foreign_sides, none_of, of_sides, share_of
from assets.repaired import with_repairs
from assets.stage import Check, CheckSpec, Tables
from feedback.testcases.outcomes import passes, trivial
from preferences.by_steps import beginnings
from preferences.by_tests import PairByTests
from preferences.unpaired_by_tests import UnpairedByTests

PROGRAM_CHECKS = (
    CheckSpec(name="most_responses_hold_a_program", meaning="at most 10 % of the responses hold no code",
              blocking=False),
)
INPUT_CHECKS = (
    CheckSpec(name="most_prompts_have_inputs", meaning="at most 10 % of the prompts have no test input",
              blocking=False),
)
RUN_CHECKS = (
    CheckSpec(name="the_sandbox_fails_rarely", meaning="at most 1 % of the runs failed through no fault of the program",
              blocking=False),
)
CASE_CHECKS = (
    CheckSpec(name="most_inputs_become_cases", meaning="of at most half of the inputs nobody can say what is expected",
              blocking=False),
)
OUTCOME_CHECKS = (
    CheckSpec(name="outcomes_are_what_ran", meaning="joined by id, each pass or fail has a steady output behind it, "
              "each error or timeout the program's own", blocking=True),
    CheckSpec(name="tests_tell_answers_apart", meaning="at most 90 % of the test cases are passed by all answers or by "
              "none", blocking=False),
)
TESTED_PAIR_CHECKS = (
    CheckSpec(name="chosen_passes_more", meaning="joined by id, chosen passes more tests than rejected could, were all "
              "its unknown outcomes passes", blocking=True),
    PAIR_CHECKS[1],
)
STEP_PAIR_CHECKS = (
    CheckSpec(name="chosen_is_worth_more", meaning="joined by id, the chosen beginning is worth more than the rejected "
              "one, of as many tests or completions", blocking=True),
    CheckSpec(name="texts_are_beginnings", meaning="each side is, byte for byte, the beginning of a response that its "
              "step names", blocking=True),
)
TESTED_LABEL_CHECKS = (
    CheckSpec(name="labels_follow_outcomes", meaning="joined by id, good answers pass their share of tests, and bad "
              "ones could not, were all their unknown outcomes passes", blocking=True),
)

Checker = Callable[[Tables], Sequence[Check]]


def check_programs(tables: Tables) -> list[Check]:
    """Whether most responses hold a program."""
    without = tables["responses"].join(tables["programs"], on="response_id", how="anti").height
    return [share_of(PROGRAM_CHECKS[0].name, without, tables["responses"].height, 0.1, "responses hold no code")]


def check_inputs(tables: Tables) -> list[Check]:
    """Whether most prompts have inputs."""
    without = tables["prompts"].join(tables["test_inputs"], on="prompt_id", how="anti").height
    return [share_of(INPUT_CHECKS[0].name, without, tables["prompts"].height, 0.1, "prompts have no test input")]


def check_runs(tables: Tables) -> list[Check]:
    """Whether the sandbox itself failed rarely."""
    ran = tables["executions"]
    ours = ran.filter(pl.col("status") == "sandbox_error").height
    return [share_of(RUN_CHECKS[0].name, ours, ran.height, 0.01, "runs are sandbox errors")]


def check_cases(tables: Tables) -> list[Check]:
    """Whether most inputs have an expected output."""
    without = tables["test_inputs"].join(tables["test_cases"], on="input_id", how="anti").height
    return [share_of(CASE_CHECKS[0].name, without, tables["test_inputs"].height, 0.5, "inputs have no test case")]


def check_outcomes(tables: Tables) -> list[Check]:
    """Whether outcomes are what executions and cases say, by key, and whether the tests tell answers apart."""
    told, cases = tables["outcomes"], tables["test_cases"]
    ran = tables["executions"].select("response_id", "input_id", "environment", "prompt_id", "status", "steady")
    met = told.join(ran, on=["response_id", "input_id", "environment", "prompt_id"], how="left").join(
        cases.select("test_id", "input_id", known=pl.lit(True)), on=["test_id", "input_id"], how="left")
    plain, output = pl.col("outcome").is_in(["pass", "fail"]), (pl.col("status") == "ran") & pl.col("steady")
    own = (pl.col("outcome") == pl.col("status")) & pl.col("steady")
    right = pl.when(plain).then(output).when(pl.col("outcome").is_in(["error", "timeout"])).then(own).otherwise(
        pl.col("status").is_not_null())
    wrong = met.filter(~(right & pl.col("known")).fill_null(False)).height
    return [none_of(OUTCOME_CHECKS[0].name, wrong, told.height, "outcomes are not what ran"),
            share_of(OUTCOME_CHECKS[1].name, trivial(told).height, cases.height, 0.9, "cases tell no answers apart")]


def pair_checker(operator: PairByTests) -> Checker:
    """Whether pairs say what the outcomes say, counted again from the outcomes alone."""

    def check(tables: Tables) -> list[Check]:
        pairs = tables["preferences"]
        known = passes(with_repairs(tables, "outcomes"), operator.sources)
        told = of_sides(pairs, known.select("prompt_id", "response_id", "passed", "unknown"))
        right = pl.col("chosen_passed") > pl.col("rejected_passed") + pl.col("rejected_unknown")
        wrong = told.filter(~right.fill_null(False)).height
        return [none_of(TESTED_PAIR_CHECKS[0].name, wrong, pairs.height, "pairs contradict the outcomes"),
                check_foreign_sides(pairs, with_repairs(tables, "responses"))]

    return check


def check_step_pairs(tables: Tables) -> list[Check]:
    """Whether pairs of beginnings say what the steps say, by key; a beginning is cut again from its response."""
    pairs, begun = tables["preferences"], beginnings(tables["responses"], tables["steps"])
    worth = tables["steps"].select("prompt_id", response_id="step_id", share=pl.col("value") / pl.col("tests"))
    better = pl.col("chosen_share") > pl.col("rejected_share")
    wrong = of_sides(pairs, worth).filter(~better.fill_null(False)).height
    foreign = check_foreign_sides(pairs, begun)
    return [none_of(STEP_PAIR_CHECKS[0].name, wrong, pairs.height, "pairs contradict the steps"),
            replace(foreign, name=STEP_PAIR_CHECKS[1].name)]


def label_checker(operator: UnpairedByTests) -> Checker:
    """Whether single labels say what the outcomes say."""

    def check(tables: Tables) -> list[Check]:
        labels = tables["unpaired"].select("response_id", "label")
        told = labels.join(passes(with_repairs(tables, "outcomes"), operator.sources), on="response_id", how="left")
        least = pl.col("passed") / pl.col("tests")
        most = (pl.col("passed") + pl.col("unknown")) / pl.col("tests")
        right = pl.when("label").then(least >= operator.good - 1e-9).otherwise(most < operator.bad)
        wrong = told.filter(~right.fill_null(False)).height
        return [none_of(TESTED_LABEL_CHECKS[0].name, wrong, labels.height, "labels contradict the outcomes")]

    return check
