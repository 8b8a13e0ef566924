"""Whether the prompts' fields hold what a recipe takes from them: told before anybody is asked, with the remedy."""

import polars as pl

from assets.dataset import PreferenceDataset
from assets.misuse import named
from feedback.testcases.given import Given
from feedback.testcases.given_tests import GivenTests
from feedback.testcases.programs import entry_of, meta_of
from feedback.testcases.references import References
from generators.made import Made
from schemas.errors import ConfigError


def check_fields(dataset: PreferenceDataset, prompts: pl.DataFrame) -> None:
    """Refuse prompts of which no field holds a test, or whose tests call what is not taken out of the answers.

    Raises ConfigError, and SchemaError where a field is of another form than the recipe says.
    """
    hidden = dataset.truth.hidden if isinstance(dataset.truth, References) else None
    parts = (*dataset.written_inputs, *dataset.case_sources, dataset.truth, hidden)
    fields = sorted({name for meta in prompts["meta"] for name in meta_of(meta)})
    for part in dict.fromkeys(part for part in parts if isinstance(part, Given)):
        made = part.test_inputs(prompts)
        if made.table.is_empty() and prompts.height:
            raise ConfigError(f"{dataset.name}: {named(part)} finds nothing in the prompts' field '{part.field}'"
                              f"{_why(part, made, fields)}")
        if isinstance(part, GivenTests):
            if part.setup is not None and part.setup not in fields:
                raise ConfigError(f"{dataset.name}: {named(part)} finds no field '{part.setup}' to set up by; name one "
                                  f"of the prompts' fields: {', '.join(fields)}")
            _check_entries(dataset, part, prompts, part.entry if part.entry in fields else part.field)


def _why(part: Given, made: Made, fields: list[str]) -> str:
    """Why a field gives nothing: it is not there, it is empty, or what its tests lack."""
    if part.field not in fields:
        return f"; name one of their fields: {', '.join(fields) or 'they have none'}"
    lost = [f"{row.count:,} {row.reason}" for row in made.counts if row.unit == "tests" and row.reason and row.count]
    return f"; of its tests {', '.join(lost)}" if lost else ", which is empty"


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
