"""Programs out of responses: from code fences, from bare code, or from a completion of the prompt's own code."""

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from feedback.testcases.called import tested
from generators.made import Made
from schemas import PROGRAMS
from schemas.errors import ConfigError, SchemaError
from schemas.funnel import count
from schemas.messages import Message
from schemas.programs import LANGUAGES, program_id

FENCES = {
    "python": ("", "python", "py", "python3"), "c": ("", "c"), "cpp": ("", "cpp", "c++", "cc"),
    "verilog": ("", "verilog", "v", "systemverilog"),
}
"""What a fence of each language may be called."""

_FENCE = re.compile(r"^[ \t]*```[ \t]*([\w+#-]*)[^\n]*\n(.*?)(?:^[ \t]*```[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_LOOKS_LIKE_CODE = re.compile(r"^(?:(?:async )?def \w+ ?\(|class \w+|import \w|from \w[\w.]* import |#include)",
                              re.MULTILINE)
_MODULE = re.compile(r"^[ \t]*module \w+", re.MULTILINE)
_DEF = re.compile(r"^(?:async )?def (\w+)", re.MULTILINE)
_DEFINES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
_TURN = re.compile(r"^[^\s#)\]}]", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Finds programs; see `programs`."""

    language: str
    entry: str | None
    kind: str

    def __call__(self, prompts: pl.DataFrame, responses: pl.DataFrame) -> Made:
        """The PROGRAMS rows, sorted by response_id; a response without code is dropped as "no code"."""
        known = {prompt: (_said(messages), entry_of(messages, meta, self.entry) if self.kind == "call" else None)
                 for prompt, messages, meta in prompts.select("prompt_id", "messages", "meta").iter_rows()}
        lost = responses.filter(~pl.col("prompt_id").is_in(list(known)))
        if lost.height:
            raise SchemaError(f"responses: {lost.height} row(s) answer a prompt that is not given, such as "
                              f"{lost['response_id'].sort()[0]}")
        dropped = Counter[str]()
        table = pl.DataFrame(pl.from_arrow(PROGRAMS.rows(self._rows(responses, known, dropped)))).sort("response_id")
        return Made(table, count("programs", "responses", responses.height, out=table.height, dropped=dropped))

    def find(self, text: str, prompt: str = "", entry: str | None = None) -> tuple[str, str] | None:
        """The source of a response's program and where it was found; None where there is no code."""
        fences = [body for name, body in _FENCE.findall(text) if name.lower() in FENCES[self.language] and body.strip()]
        if fences:
            return self._of_fences(fences, prompt, entry), "fence"
        if _FENCE.search(text) and not text[:1].isspace() and parsed(text) is None:
            return None                              # what it fences is in another language, or no code
        if self.language != "python":
            bare = _MODULE if self.language == "verilog" else _LOOKS_LIKE_CODE
            return (text, "bare") if bare.search(text) else None
        begun = _begun(prompt, entry)
        if begun and not _DEF.search(text.split("\n", 1)[0]):
            return _completed(begun, text, entry), "completion"
        if _LOOKS_LIKE_CODE.search(text) or (self.kind == "stdin" and _is_code(text)):
            return text, "bare"
        return None

    def _of_fences(self, fences: Sequence[str], prompt: str, entry: str | None) -> str:
        """The last fence that defines the entry, else all of them where they do together, else the last."""
        if self.language != "python" or entry is None:
            return fences[-1]
        joined = "\n\n".join(fences)
        begun = _begun(prompt, entry)
        tries = [*reversed(fences), joined, *([begun + fences[-1]] if begun else [])]
        return next((source for source in tries if entry in defined(source)), fences[-1])

    def _rows(self, responses: pl.DataFrame, known: dict[str, tuple[str, str | None]],
              dropped: Counter[str]) -> Iterator[dict[str, Any]]:
        for response, prompt, text in responses.select("response_id", "prompt_id", "text").iter_rows():
            said, entry = known[prompt]
            found = self.find(text, said, entry)
            if found is None:
                dropped["no code"] += 1
                continue
            source, where = found
            if self.kind == "call" and entry is None:
                entry = next(reversed(defined(source)), None) or "main"
            yield {"response_id": response, "prompt_id": prompt, "program_id": program_id(self.language, source, entry),
                   "language": self.language, "entry": entry, "source": source, "found": where}


def programs(language: str = "python", entry: str | None = "entry_point", kind: str = "call") -> Programs:
    """Find the program in each response.

    `kind` is how it will be run: "call" (a function is called) or "stdin" (it reads a text). `entry` is the field of
    the prompt's meta that names the function, or holds the tests that call it; where there is none, it is the last
    function that the prompt's own code begins, else the last that the response defines. Where a response has fences,
    the last one that defines the entry counts. Where the prompt is unfinished code and the response has no fence, the
    two are joined and cut where the completion stops to parse or begins to use what it defined (HumanEval, Chen et al.
    2021, stops at such lines). A program that does not parse is a program: running it fails. Raises ConfigError on what
    cannot be.
    """
    if language not in LANGUAGES:
        raise ConfigError(f"programs: no language is called {language!r}; use one of {', '.join(LANGUAGES)}")
    if kind not in ("call", "stdin"):
        raise ConfigError(f"programs: kind={kind!r} must be 'call' or 'stdin'")
    if kind == "call" and language != "python":
        raise ConfigError(f"programs: only python functions can be called; use kind='stdin' for {language}")
    return Programs(language=language, entry=entry, kind=kind)


def defined(source: str) -> list[str]:
    """Names of the functions that a source defines at its top level, in order; none where it does not parse."""
    tree = parsed(source)
    names: list[str] = []
    for node in tree.body if tree else []:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return names


def entry_of(messages: Sequence[Message], meta: str | None, field: str | None) -> str | None:
    """The function to call: what the prompt's meta says, else the last one that the prompt's own code begins.

    Where the field holds no name but tests, it is the function that they call.
    """
    named = meta_of(meta).get(field) if field else None
    if isinstance(named, list) or (isinstance(named, str) and len(named.split()) > 1):
        named = tested_by([named] if isinstance(named, str) else named)
    begun = _DEF.findall(_said(messages))
    return str(named) if named else begun[-1] if begun else None


def tested_by(tests: Iterable[Any]) -> str | None:
    """The function that most assertions of test programs call: see `tested`."""
    trees = map(parsed, (text for text in tests if isinstance(text, str)))
    return tested(tree for tree in trees if tree is not None)


def meta_of(meta: str | None, prompt: str = "a prompt") -> dict[str, Any]:
    """The fields of a prompt's meta; SchemaError where it holds no object."""
    found = json.loads(meta) if meta else {}
    if not isinstance(found, dict):
        raise SchemaError(f"prompts: meta of {prompt} is no JSON object")
    return found


def parsed(source: str) -> ast.Module | None:
    """The syntax tree of a source; None where it does not parse."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a doubtful escape in a model's code is not ours to report
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def code_of(messages: Sequence[Message]) -> str | None:
    """The code that a prompt begins, bare or in a fence, with a body where it lacks one; None where there is none."""
    said = _said(messages)
    tries = [said, *(body for name, body in _FENCE.findall(said) if name.lower() in FENCES["python"])]
    texts = (f"{text}\n{body}" for text in tries if _DEF.search(text) for body in ("", "    pass\n"))
    return next((text for text in texts if parsed(text) is not None), None)


def _said(messages: Sequence[Message]) -> str:
    return next((turn["content"] for turn in reversed(messages) if turn["role"] == "user"), "")


def _begun(prompt: str, entry: str | None) -> str | None:
    """The prompt as code that begins the entry, where it is such code."""
    if entry is None or not re.search(rf"^(?:async )?def {re.escape(entry)}\b", prompt, re.MULTILINE):
        return None
    return prompt if parsed(prompt + "\n    pass\n") else None


def _completed(begun: str, text: str, entry: str | None) -> str:
    """The prompt's code and its completion, cut at the latest place where it parses, and where it begins to act."""
    whole = begun + text
    turns = [begun + text[:turn.start()] for turn in _TURN.finditer(text) if turn.start() > 0]
    tree = parsed(whole)
    for source in reversed(turns) if tree is None else ():
        tree = parsed(source)
        if tree is not None:
            whole = source
            break
    return whole if tree is None else _until_it_acts(whole, tree, entry)


def _until_it_acts(source: str, tree: ast.Module, entry: str | None) -> str:
    """The source up to the first statement after the entry that neither defines nor imports: a use or a test of it."""
    names = [getattr(node, "name", None) for node in tree.body]
    after = tree.body[names.index(entry) + 1:] if entry in names else []
    acting = next((node for node in after if not isinstance(node, _DEFINES)), None)
    return source if acting is None else "".join(source.splitlines(keepends=True)[:acting.lineno - 1])


def _is_code(text: str) -> bool:
    tree = parsed(text)
    return tree is not None and any(not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call)
                                    for node in tree.body)
