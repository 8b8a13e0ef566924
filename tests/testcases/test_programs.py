"""Programs are found where models put them: fences, bare code, and completions of the prompt's own code."""

import json

import pytest

from feedback.testcases.programs import programs
from schemas.errors import ConfigError, SchemaError
from tests.testcases.tables import fates, prompts, responses

BEGUN = 'def double(x):\n    """Twice x."""\n'
GOOD = "def double(x):\n    return 2 * x\n"


@pytest.mark.parametrize(("text", "source", "found"), [
    (f"Here:\n```python\n{GOOD}```\nDone.", GOOD, "fence"),
    (f"Here:\n```\n{GOOD}```", GOOD, "fence"),
    (f"First a wrong try\n```python\ndef double(x):\n    return x\n```\nthen\n```py\n{GOOD}```", GOOD, "fence"),
    (f"```python\n{GOOD}```\nIt is called so:\n```python\nprint(double(2))\n```", GOOD, "fence"),
    (f"```python\n{GOOD}```\nIt prints\n```text\n4\n```", GOOD, "fence"),
    (f"```python\n{GOOD}", GOOD, "fence"),
    (f"  ```python\n{GOOD}  ```", GOOD, "fence"),
    (GOOD, GOOD, "bare"),
    ("```python\nimport math\n```\nand\n```python\ndef other(): pass\n```", "def other(): pass\n", "fence"),
], ids=["tagged", "untagged", "last of two", "use after it", "other", "cut off", "indented", "bare", "no entry"])
def test_a_program_is_found_where_the_model_put_it(text: str, source: str, found: str) -> None:
    assert programs().find(text, "", "double") == (source, found)


def test_code_split_over_two_fences_is_joined_when_only_both_define_the_entry() -> None:
    halves = "```python\ndef double(x):\n```\nwhich returns\n```python\n    return 2 * x\n```"
    assert programs().find(halves, "", "double") == ("def double(x):\n\n\n    return 2 * x\n", "fence")


@pytest.mark.parametrize("text", [
    "```cpp\n#include <cstdio>\nint main() {}\n```", "In Java:\n```java\nimport a.b;\nclass A {}\n```",
    "Run this:\n```bash\npip install double\n```",
])
def test_code_in_another_language_is_no_program_that_fails(text: str) -> None:
    assert programs().find(text, "", "double") is None
    assert programs().find(text, BEGUN, "double") is None
    assert programs(kind="stdin", entry=None).find(text) is None


def test_a_fence_within_a_programs_own_text_leaves_it_a_program() -> None:
    inner = '    """Twice.\n\n    ```text\n    4\n    ```\n    """\n    return 2 * x\n'
    assert programs().find("def double(x):\n" + inner, "", "double") == ("def double(x):\n" + inner, "bare")
    assert programs().find(inner, "def double(x):\n", "double") == ("def double(x):\n" + inner, "completion")


def test_prose_is_no_program() -> None:
    assert programs().find("I cannot do that.", "", "double") is None
    assert programs(kind="stdin", entry=None).find("Sorry") is None


def test_a_completion_is_joined_with_the_code_that_the_prompt_begins() -> None:
    assert programs().find("    return 2 * x\n", BEGUN, "double") == (BEGUN + "    return 2 * x\n", "completion")


def test_a_completion_that_runs_on_is_cut_where_the_function_ends() -> None:
    source, found = programs().find("    return 2 * x\n\nThis doubles x.\n", BEGUN, "double") or ("", "")
    assert (source.strip(), found) == ((BEGUN + "    return 2 * x").strip(), "completion")


def test_statements_after_a_completed_function_are_cut_but_its_helpers_stay() -> None:
    text = "    return helper(x)\n\ndef helper(x):\n    return 2 * x\n\nassert double(2) == 5\nprint(double(1))\n"
    source, _ = programs().find(text, BEGUN, "double") or ("", "")
    scope: dict[str, object] = {}
    exec(source, scope)
    assert scope["double"](4) == 8  # type: ignore[operator]


def test_a_program_that_does_not_parse_is_a_program_so_that_running_it_fails() -> None:
    assert programs().find("```python\ndef double(x:\n```", "", "double") == ("def double(x:\n", "fence")


def test_the_entry_is_the_meta_field_then_the_prompt_s_own_function_then_the_last_defined() -> None:
    told = prompts("p", said="Double it.", meta=json.dumps({"entry_point": "twice"}))
    begun = prompts("q", said="def helper(y):\n    return y\n\n\ndef double(x):\n")
    silent = prompts("r", said="Double it.")
    found = responses({"p/1": f"```python\n{GOOD}```", "q/1": "    return 2 * x", "r/1": f"```python\n{GOOD}```"})
    made = programs()(told.vstack(begun).vstack(silent), found)
    assert dict(made.table.select("response_id", "entry").iter_rows()) == {
        "p/1": "twice", "q/1": "double", "r/1": "double"}


def test_equal_programs_share_an_id_and_every_response_is_accounted_for() -> None:
    found = responses({"p/1": f"```python\n{GOOD}```", "p/2": f"Better:\n```py\n{GOOD}```", "p/3": "No idea."})
    made = programs()(prompts("p"), found)
    assert made.table["program_id"].n_unique() == 1
    assert fates(made.counts, "responses") == {"in": 3, "out": 2, "no code": 1}


def test_a_response_to_no_known_prompt_is_an_error() -> None:
    with pytest.raises(SchemaError, match="answer a prompt that is not given"):
        programs()(prompts("q"), responses({"p/1": GOOD}))


def test_meta_that_is_no_object_is_an_error() -> None:
    with pytest.raises(SchemaError, match="meta of"):
        programs()(prompts("p", meta="[1]"), responses({"p/1": GOOD}))


def test_nonsense_is_refused() -> None:
    for wrong in ({"language": "cobol"}, {"kind": "answer"}, {"language": "c", "kind": "call"}):
        with pytest.raises(ConfigError):
            programs(**wrong)


def test_c_code_is_found_in_its_fence() -> None:
    assert programs("c", kind="stdin").find("```c\nint main(){}\n```") == ("int main(){}\n", "fence")
