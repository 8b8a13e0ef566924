"""Whether the prompts' fields hold what a recipe takes from them: told before anybody is asked, with the remedy."""

import polars as pl

from assets.dataset import PreferenceDataset
from assets.misuse import made_by, named
from feedback.testcases.given import Given, merged_inputs
from feedback.testcases.given_tests import GivenTests
from feedback.testcases.programs import entry_of, meta_of
from feedback.testcases.references import References
from generators.made import Made
from preferences.by_tests import PairByTests
from schemas.errors import ConfigError


def check_fields(dataset: PreferenceDataset, prompts: pl.DataFrame) -> None:
    """Refuse prompts without what the recipe takes from them: references, tests, enough of them, of the right function.

    Raises ConfigError, and SchemaError where a field is of another form than the recipe says. Where no prompt is left,
    nothing is missed.
    """
    if prompts.is_empty():
        return
    _check_references(dataset, prompts)
    hidden = dataset.truth.hidden if isinstance(dataset.truth, References) else None
    parts = (*dataset.written_inputs, *dataset.case_sources, dataset.truth, hidden)
    fields = sorted({name for meta in prompts["meta"] for name in meta_of(meta)})
    for part in dict.fromkeys(part for part in parts if isinstance(part, Given)):
        made = part.test_inputs(prompts)
        if made.table.is_empty():
            raise ConfigError(f"{dataset.name}: {named(part)} finds nothing in the prompts' field '{part.field}'"
                              f"{_why(part, made, fields)}")
        if isinstance(part, GivenTests):
            if part.setup is not None and part.setup not in fields:
                raise ConfigError(f"{dataset.name}: {named(part)} finds no field '{part.setup}' to set up by; name one "
                                  f"of the prompts' fields: {', '.join(fields)}")
            _check_entries(dataset, part, prompts, part.entry if part.entry in fields else part.field)
    _check_margin(dataset, prompts)


def _why(part: Given, made: Made, fields: list[str]) -> str:
    """Why a field gives nothing: it is not there, it is empty, or what its tests lack."""
    if part.field not in fields:
        return f"; name one of their fields: {', '.join(fields) or 'they have none'}"
    lost = [f"{row.count:,} {row.reason}" for row in made.counts if row.unit == "tests" and row.reason and row.count]
    return f"; of its tests {', '.join(lost)}" if lost else ", which is empty"


def _check_references(dataset: PreferenceDataset, prompts: pl.DataFrame) -> None:
    """Refuse to ask for references where no prompt has one."""
    asking = [part for part in (*dataset.case_sources, dataset.truth) if isinstance(part, References)]
    if asking and prompts["reference"].null_count() == prompts.height:
        raise ConfigError(f"{dataset.name}: {named(asking[0])} finds no reference in any prompt; name the field that "
                          "holds a solution, or the right answer: read(..., reference='solution')")


def _check_margin(dataset: PreferenceDataset, prompts: pl.DataFrame) -> None:
    """Refuse a margin that no prompt has tests for, where all of them are given."""
    given = [part for part in dataset.written_inputs if isinstance(part, Given)]
    if not given or len(given) < len(dataset.written_inputs):
        return
    inputs = merged_inputs([part.test_inputs(prompts).table for part in given]).table
    tests = inputs.group_by("prompt_id").len()["len"].to_list()
    most = max(tests, default=0) * max(1, len(made_by(dataset)))
    for pairing in dataset.pairings:
        if isinstance(pairing, PairByTests) and most < pairing.margin:
            raise ConfigError(f"{dataset.name}: pair_by_tests(margin={pairing.margin}) asks for more than the {most} "
                              "test(s) that any prompt is given; lower margin, or give more tests")


def _check_entries(dataset: PreferenceDataset, part: GivenTests, prompts: pl.DataFrame, field: str) -> None:
    """Refuse tests of other functions than those that are taken out of the answers; `field` is what names them."""
    if dataset.programs is None:
        return
    taken = {prompt: entry_of(messages, meta, dataset.programs.entry)
             for prompt, messages, meta in prompts.select("prompt_id", "messages", "meta").iter_rows()}
    other = [(prompt, entry) for prompt, entry in part.entries(prompts) if taken[prompt] != entry]
    if other:
        prompt, entry = other[0]
        instead = f"'{taken[prompt]}'" if taken[prompt] else "the last function that an answer defines"
        raise ConfigError(f"{dataset.name}: the tests of {len(other):,} prompt(s) call another function than "
                          f"programs() takes: those of {prompt} call '{entry}', it takes {instead}; write "
                          f"programs(entry={field!r})")
