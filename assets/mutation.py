"""The stage that tells how good test cases are: small faults planted in a program of each prompt, and run."""

from collections import Counter

from assets import tested_views as views
from assets.dataset import PreferenceDataset
from assets.stage import Means, Output, Stage, Tables
from assets.testcases import needed
from feedback.testcases.execute import Execute
from feedback.testcases.given import reference_responses
from feedback.testcases.mutation_score import MutationScore, most_passing
from feedback.testcases.references import References
from feedback.testcases.runners import opened
from generators.made import Made
from schemas import MEASUREMENTS
from schemas.funnel import count, told_as


def mutation(dataset: PreferenceDataset, operator: MutationScore, running: Execute) -> Stage:
    """The stage that plants faults in what is taken for right, and runs them on the inputs that have a case."""
    referring = any(isinstance(part, References) for part in (*dataset.case_sources, dataset.truth))

    def make(means: Means, tables: Tables) -> Output:
        right = _references(dataset, tables) if referring else _passing(tables)
        used = tables["test_inputs"].join(tables["test_cases"], on="input_id", how="semi")
        with opened("python", running) as runner:
            made = operator(right.table, used, running, means.runs, runner)
        return Output(tables={"mutation": made.table}, counts=[*told_as("mutation, programs", right.counts),
                                                               *told_as("mutation", made.counts)])

    read = () if referring else ("programs", "outcomes")
    return Stage(name="mutation", meaning="how good the test cases of each prompt are: the share of planted faults "
                 "that they tell", writes={"mutation": MEASUREMENTS},
                 needs=("prompts", *read, "test_inputs", "test_cases"), make=make, show={"mutation": views.mutation})


def _references(dataset: PreferenceDataset, tables: Tables) -> Made:
    """The prompts' reference solutions."""
    solutions = reference_responses(tables["prompts"])
    found = needed(dataset.programs)(tables["prompts"], solutions.table)
    return Made(found.table, [*solutions.counts, *found.counts])


def _passing(tables: Tables) -> Made:
    """Of each prompt the response that passes most."""
    best, prompts = most_passing(tables["programs"], tables["outcomes"]), tables["prompts"].height
    dropped = Counter({"no response passes a case": prompts - best.height})
    return Made(best, count("programs", "prompts", prompts, out=best.height, dropped=+dropped))
