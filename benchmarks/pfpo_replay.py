"""pfpo_replay: PFPO's method replayed on real programs whose truth is known, and real maths answers with labels.

    python -m benchmarks.pfpo_replay [--stored] [--seed N]

82 HumanEval problems with 100 programs of CodeGen-16B each (CodeT's data) and the ten most frequent call inputs that
the same model wrote. The programs run on the inputs in our sandbox, outputs are voted on, and pairs are made under
several settings; the hidden HumanEval tests, run as well, say what the pairs are worth. With `--stored`, outputs and
verdicts are those of the labels file, and nothing runs. 660 GSM8K problems with four solutions each check the answers.
Last line: a JSON object.

    label_disagreements  hidden-test verdicts that differ from the labels file's (null with --stored)
    pass_at_1            share of the programs that pass the hidden tests
    solved               problems that some program solves
    canonical_pass       canonical HumanEval solutions, of 164, that pass their own tests (null with --stored)
    gsm8k_disagreements  verdicts on maths answers that differ from their labels
    pairs                the table: setting, pairs, problems, shares that are strictly right, both fail, inverted
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import polars as pl

from audits.testcases import calibration, standings, truth_of_tests
from benchmarks import replay_data
from benchmarks.replay_data import Problems
from feedback.testcases.answers import answers
from feedback.testcases.execute import execute
from feedback.testcases.outcomes import check
from feedback.testcases.vote import agreed, vote_outputs
from preferences.by_tests import pair_by_tests
from schemas.outcomes import FAILURES

TOLERANCE = 1e-6
SETTINGS: tuple[dict[str, Any], ...] = (
    {"samples": 10, "source": "vote", "floor": 0.5, "margin": 1, "min_voters": 2, "share": 0.0, "cap": None},
    {"samples": 10, "source": "vote", "floor": 0.5, "margin": 6, "min_voters": 5, "share": 0.0, "cap": None},
    {"samples": 10, "source": "vote", "floor": 1.0, "margin": 6, "min_voters": 5, "share": 0.5, "cap": None},
    {"samples": 10, "source": "vote", "floor": 1.0, "margin": 6, "min_voters": 5, "share": 0.7, "cap": None},
    {"samples": 100, "source": "vote", "floor": 1.0, "margin": 6, "min_voters": 5, "share": 0.5, "cap": 50},
    {"samples": 100, "source": "vote", "floor": 1.0, "margin": 6, "min_voters": 5, "share": 0.7, "cap": 50},
    {"samples": 10, "source": "model", "floor": 1.0, "margin": 6, "min_voters": None, "share": 0.0, "cap": None},
    {"samples": 10, "source": "vote and model", "floor": 1.0, "margin": 1, "min_voters": 5, "share": 0.0, "cap": None},
    {"samples": 10, "source": "reference", "floor": 1.0, "margin": 6, "min_voters": None, "share": 0.0, "cap": None},
)
"""What pairs are made under; in the research this repeats, PFPO's own setting is the second."""


def main() -> None:
    """Run the replay and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stored", action="store_true", help="take outputs from the labels file; run nothing")
    parser.add_argument("--seed", type=int, default=0, help="of the cap's draws")
    parser.add_argument("--runs", type=Path, help="keep what was run in this folder, and run it no more")
    options = parser.parse_args()
    folder = replay_data.folder()
    if folder is None:
        sys.exit("pfpo_replay: the real data is not here; set WINNOW_SHARED_DATA to the folder that holds it")
    problems = replay_data.problems(folder / "code_math", hidden_tests=not options.stored)
    with ExitStack() as stack:
        store = options.runs or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        executions, truth = _ran(problems, store) if not options.stored else (problems.stored, problems.truth)
        canonical = None if options.stored else replay_data.canonical_pass(folder / "code_math", store)
    table = [_row(problems, executions, truth, setting, options.seed) for setting in SETTINGS]
    _print_table(table)
    _print_calibration(problems, executions)
    disagreements = None if options.stored else _disagreements(problems, truth)
    sampled = truth.join(problems.truth, on="response_id", how="semi")  # without the canonical solutions
    print(json.dumps({
        "label_disagreements": disagreements, "pass_at_1": round(_share(sampled), 4), "solved": _solved(sampled),
        "canonical_pass": canonical,
        "gsm8k_disagreements": gsm8k_disagreements(folder / "code_math"), "pairs": table,
    }))


def gsm8k_disagreements(folder: Path) -> int:
    """How many of the labelled GSM8K solutions get another verdict; one that gets none counts too."""
    prompts, responses, labels = replay_data.gsm8k(folder)
    read = answers()
    outcomes = check(unanswered="error")(read(responses).table, read.test_cases(prompts).table).table
    met = labels.join(outcomes, on="response_id", how="left")
    said = pl.when(pl.col("outcome") == "pass").then(True).when(pl.col("outcome").is_in(FAILURES)).then(False)
    return met.filter(said.ne_missing(pl.col("passes"))).height


def _ran(problems: Problems, store: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """EXECUTIONS on the call inputs, and the verdicts of the hidden tests, run now."""
    run = execute()
    made = run(problems.programs, problems.inputs, store, progress=_told)
    hidden = run(problems.programs, problems.hidden_inputs, store, progress=_told)
    print(file=sys.stderr)
    return made.table, truth_of_tests(check()(hidden.table, problems.hidden_cases).table)


def _row(problems: Problems, executions: pl.DataFrame, truth: pl.DataFrame, setting: Mapping[str, Any],
         seed: int) -> dict[str, Any]:
    """One setting: its pairs, and what they are worth."""
    some = problems.responses.filter(pl.col("sample") < setting["samples"])
    runs = executions.filter(pl.col("response_id").is_in(some["response_id"].to_list()))
    cases = _cases(problems, runs, executions, setting)
    outcomes = check(tolerance=TOLERANCE)(runs, cases).table
    made = pair_by_tests(floor=setting["floor"], margin=setting["margin"], cap=setting["cap"], seed=seed)(
        problems.prompts, some, outcomes).table
    shares = {row["standing"]: row for row in standings(made, truth).iter_rows(named=True)}
    return {**setting, "seed": seed, "pairs": made.height, "problems": made["prompt_id"].n_unique(),
            **{name: None if shares[name]["value"] is None else round(shares[name]["value"], 4)
               for name in ("right", "both_fail", "both_pass", "inverted")}}


def _cases(problems: Problems, runs: pl.DataFrame, executions: pl.DataFrame,
           setting: Mapping[str, Any]) -> pl.DataFrame:
    if setting["source"] == "model":
        return problems.written_cases
    if setting["source"] == "reference":
        return problems.reference_cases(executions)
    voted = vote_outputs(min_voters=setting["min_voters"], share=setting["share"])(runs).table
    if setting["source"] == "vote":
        return voted
    return agreed(pl.concat([voted, problems.written_cases])).table


def _disagreements(problems: Problems, truth: pl.DataFrame) -> int:
    """Programs whose verdict is not the labels file's; each is shown."""
    met = problems.truth.join(truth, on="response_id", how="left", suffix="_ours")
    wrong = met.filter(pl.col("passes").ne_missing(pl.col("passes_ours")))
    for row in wrong.iter_rows(named=True):
        print(f"label {row['passes']}, ours {row['passes_ours']}: {problems.name(row['response_id'])}")
    return wrong.height


def _share(truth: pl.DataFrame) -> float:
    return truth.filter(pl.col("passes")).height / truth.height


def _solved(truth: pl.DataFrame) -> int:
    return truth.filter(pl.col("passes"))["prompt_id"].n_unique()


def _print_table(table: list[dict[str, Any]]) -> None:
    print("samples  oracle          floor  margin  voters  share  cap  seed    pairs  problems   right  both fail  "
          "both pass  inverted")
    for row in table:
        shares = "  ".join(f"{'-' if row[name] is None else format(row[name], '.1%'):>9}" for name in (
            "right", "both_fail", "both_pass", "inverted"))
        print(f"{row['samples']:>7}  {row['source']:<14}  {row['floor']:>5}  {row['margin']:>6}  "
              f"{row['min_voters'] or '-':>6}  {row['share']:>5}  {row['cap'] or '-':>3}  {row['seed']:>4}  "
              f"{row['pairs']:>7,}  {row['problems']:>8}  {shares}")


def _print_calibration(problems: Problems, executions: pl.DataFrame) -> None:
    votes = vote_outputs(min_voters=5)(executions).table
    print("\nvote share    cases  right  interval (over problems)")
    for row in calibration(votes, problems.reference_cases(executions)).iter_rows(named=True):
        spread = f"{row['low']:.1%} to {row['high']:.1%}" if row["low"] is not None else row["reason"]
        print(f"{row['low_share']:.1f} to {row['high_share']:.1f}  {row['cases']:>6}  {row['value']:>5.1%}  {spread}")


def _told(done: int, total: int) -> None:
    if sys.stderr.isatty() or done == total or done % 1000 == 0:
        print(f"\r{done:,} of {total:,} runs", end="", file=sys.stderr)


if __name__ == "__main__":
    main()
