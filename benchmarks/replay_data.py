"""The real data that pfpo_replay runs on, as tables: CodeGen-16B's HumanEval programs, and labelled GSM8K solutions."""

import ast
import gzip
import json
import math
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from feedback.testcases.asserts import checks_of
from feedback.testcases.execute import execute
from feedback.testcases.given import case_rows, input_rows, reference_cases
from feedback.testcases.outcomes import check
from feedback.testcases.sandbox.codec import Unsupported, encode
from schemas import EXECUTIONS, PROGRAMS, PROMPTS, RESPONSES
from schemas.ids import text_digest
from schemas.messages import Message, prompt_id
from schemas.programs import program_id
from schemas.responses import response_id
from schemas.test_inputs import input_id

CODEGEN = "codegen-16b"
CANONICAL = "canonical"
LABELLED = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
STORED = "stored outputs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problems:
    """The problems and everything that is known of them."""

    prompts: pl.DataFrame
    responses: pl.DataFrame
    """The programs as responses, `sample` in the order of the data; the canonical solutions are baselines."""
    programs: pl.DataFrame
    inputs: pl.DataFrame
    hidden_inputs: pl.DataFrame
    hidden_cases: pl.DataFrame
    written_cases: pl.DataFrame
    """What the model expects of its own inputs."""
    stored: pl.DataFrame
    """The labels file's outputs as executions."""
    truth: pl.DataFrame
    """The labels file's verdicts: prompt_id, response_id, passes."""

    def reference_cases(self, executions: pl.DataFrame) -> pl.DataFrame:
        """What the canonical solutions gave."""
        references = self.responses.filter(pl.col("role") == "baseline")["response_id"].to_list()
        return reference_cases(executions.filter(pl.col("response_id").is_in(references))).table

    def name(self, response: str) -> str:
        """A response in words."""
        row = self.responses.filter(pl.col("response_id") == response).row(0, named=True)
        task = self.prompts.filter(pl.col("prompt_id") == row["prompt_id"])["sources"].item()[0]
        return f"{task} sample {row['sample']}: {row['text'][:60]!r}"


def folder() -> Path | None:
    """The folder of real data: WINNOW_SHARED_DATA, else ../shared/data beside the checkout; None without it."""
    found = Path(os.environ.get("WINNOW_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
    return found if found.is_dir() else None


def records(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a gzipped JSON Lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def problems(where: Path, hidden_tests: bool = True) -> Problems:
    """Everything about the CodeGen programs, with the hidden tests as inputs to run if wanted."""
    labels = {row["task_id"]: row for row in records(where / "humaneval_codegen16b_labels.jsonl.gz")}
    rows: dict[str, list[Any]] = {name: [] for name in (
        "prompts", "responses", "programs", "inputs", "hidden_inputs", "hidden_cases", "written", "stored", "truth")}
    for problem in records(where / "humaneval_codegen16b_100samples.jsonl.gz"):
        _add(rows, problem, labels[problem["task_id"]])
        if hidden_tests:
            key, tests = rows["prompts"][-1]["prompt_id"], hidden(problem)
            rows["hidden_inputs"].append((key, "tests", tests, ["human"]))
            rows["hidden_cases"].append((key, "tests", tests, "human", "passed", None, None))
    return Problems(
        prompts=_table(PROMPTS, rows["prompts"]), responses=_table(RESPONSES, rows["responses"]),
        programs=_table(PROGRAMS, rows["programs"]), inputs=input_rows(rows["inputs"]),
        hidden_inputs=input_rows(rows["hidden_inputs"]), hidden_cases=case_rows(rows["hidden_cases"]),
        written_cases=case_rows(rows["written"]), stored=_table(EXECUTIONS, rows["stored"]),
        truth=pl.DataFrame(rows["truth"], {"prompt_id": pl.String, "response_id": pl.String, "passes": pl.Boolean},
                           orient="row"))


def gsm8k(where: Path) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Prompts, responses and labels (response_id, passes) of the GSM8K solutions."""
    prompts, responses, labels = [], [], []
    for row in records(where / "gsm8k_model_solutions.jsonl.gz"):
        prompt = _prompt(row["question"], "gsm8k", reference=row["ground_truth"])
        prompts.append(prompt)
        for model in LABELLED:
            responses.append(_response(prompt["prompt_id"], model, 0, row[model]["solution"]))
            labels.append((responses[-1]["response_id"], row[model]["is_correct"]))
    told = pl.DataFrame(labels, {"response_id": pl.String, "passes": pl.Boolean}, orient="row")
    return _table(PROMPTS, prompts), _table(RESPONSES, responses), told


def canonical_pass(where: Path, store: Path) -> int:
    """How many canonical solutions of all HumanEval pass their own tests in the sandbox."""
    programs, inputs, cases = [], [], []
    for row in records(where / "humaneval_openai.jsonl.gz"):
        prompt = _prompt(row["prompt"], row["task_id"])["prompt_id"]
        response = response_id(prompt, "import", CANONICAL, 0)
        programs.append(_program(prompt, response, row["prompt"] + row["canonical_solution"], row["entry_point"]))
        inputs.append((prompt, "tests", hidden(row), ["human"]))
        cases.append((prompt, "tests", hidden(row), "human", "passed", None, None))
    run = execute()(_table(PROGRAMS, programs), input_rows(inputs), store).table
    return check()(run, case_rows(cases)).table.filter(outcome="pass").height


def hidden(problem: dict[str, Any]) -> str:
    """The hidden tests of a HumanEval problem as an input."""
    return checks_of(problem["prompt"], problem["test"], problem["entry_point"])


def _add(rows: dict[str, list[Any]], problem: dict[str, Any], label: dict[str, Any]) -> None:
    prompt = _prompt(problem["prompt"], problem["task_id"])
    key = prompt["prompt_id"]
    rows["prompts"].append(prompt)
    inputs = {text: encode(list(ast.literal_eval(text)), ordered=True) for text in label["inputs"]}
    rows["inputs"] += [(key, "call", value, [CODEGEN]) for value in set(inputs.values())]
    rows["written"] += [(key, "call", value, "model", *best)
                        for value, votes in _expected(label, inputs).items() if (best := _best(votes))]
    solutions = {solution["completion"]: solution for solution in label["solutions"]}
    for number, text in enumerate(_in_order(problem["samples"], solutions)):
        _add_program(rows, problem, _response(key, CODEGEN, number, text), inputs, solutions[text]["outputs"])
        rows["truth"].append((key, response_id(key, "import", CODEGEN, number), solutions[text]["passes_hidden"]))
    canonical = {**_response(key, CANONICAL, 0, problem["canonical_solution"]), "role": "baseline"}
    _add_program(rows, problem, canonical, inputs, label["reference_outputs"])


def _add_program(rows: dict[str, list[Any]], problem: dict[str, Any], response: dict[str, Any],
                 inputs: dict[str, str], outputs: list[str | None] | None) -> None:
    rows["responses"].append(response)
    program = _program(response["prompt_id"], response["response_id"], problem["prompt"] + response["text"],
                       problem["entry_point"])
    rows["programs"].append(program)
    told: dict[str, dict[str, Any]] = {}
    for value, output in zip(inputs.values(), outputs or ["Ecompile"] * len(inputs), strict=True):
        told.setdefault(value, _stored(output))
    rows["stored"] += [{
        "response_id": response["response_id"], "input_id": input_id(response["prompt_id"], "call", value),
        "environment": STORED, "prompt_id": response["prompt_id"], "program_id": program["program_id"],
        "kind": "call", "runs": 1, "steady": True, **what} for value, what in told.items()]


def _in_order(samples: list[str], solutions: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The labels file's texts in the order of the samples; there they are cut where the function ends."""
    left = Counter({text: solution["count"] for text, solution in solutions.items()})
    for sample in samples:
        fits = [text for text in left if left[text] and sample.startswith(text)]
        text = sample if left[sample] else max(fits, key=len)
        left[text] -= 1
        yield text


def _expected(label: dict[str, Any], inputs: dict[str, str]) -> dict[str, Counter[str]]:
    """By encoded input, what the model's assertions expect, encoded; what is no plain value is left out."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for text, votes in label["llm_expected_votes"].items():
        for written, times in votes.items():
            expected = _encoded(written)
            if expected is not None:
                found[inputs[text]][expected] += times
    return found


def _best(votes: Counter[str]) -> tuple[str, int, float] | None:
    """What most assertions expect, how many there are, and its share; None on a tie."""
    (best, top), *others = votes.most_common(2)
    if others and others[0][1] == top:
        return None
    return best, votes.total(), top / votes.total()


def _stored(output: str | None) -> dict[str, Any]:
    """An output of the labels file as the fields of an execution."""
    if output is None or output.startswith("E"):
        return {"status": "error", "detail": (output or "E")[1:] or "error"}
    if output.startswith("T"):
        return {"status": "timeout", "detail": "cpu"}
    value = _encoded(output[1:])
    return {"status": "error", "detail": "unsupported_value"} if value is None else {"status": "ran", "output": value}


def _encoded(text: str) -> str | None:
    special = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
    try:
        return encode(special[text] if text in special else ast.literal_eval(text))
    except (ValueError, SyntaxError, Unsupported):
        return None


def _prompt(text: str, source: str, reference: str | None = None) -> dict[str, Any]:
    messages: list[Message] = [{"role": "user", "content": text}]
    key = prompt_id(messages)
    return {"prompt_id": key, "messages": messages, "reference": reference, "sources": [source], "licences": ["MIT"],
            "group": key}


def _response(prompt: str, model: str, sample: int, text: str) -> dict[str, Any]:
    return {"response_id": response_id(prompt, "import", model, sample), "prompt_id": prompt, "origin": "import",
            "role": "candidate", "model": model, "strategy": "import", "round": 0, "parents": [], "criteria": [],
            "critiques": [], "sample": sample, "text": text, "text_digest": text_digest(text)}


def _program(prompt: str, response: str, source: str, entry: str) -> dict[str, Any]:
    return {"response_id": response, "prompt_id": prompt, "program_id": program_id("python", source, entry),
            "language": "python", "entry": entry, "source": source, "found": "completion"}


def _table(table: Any, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(table.rows(rows)))
