"""Where a text gives its answer: the last boxed, else the last ####, else the last "answer is", or a choice's letter.

No answer is None and never a wrong one: a box that is cut off or empty is no answer, and neither is a box before it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["maths", "choice"]
Rule = Literal["boxed", "hashes", "answer_is", "choice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it was written, without the words around it."""

    text: str
    rule: Rule
    """What found it."""


_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*")
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_MOST_BOXES = 64
_BARE = re.compile(r"\\[A-Za-z]+|[^\s$\\{}.,;]+")
_BETWEEN = re.compile(r"(?:[\s$,;.]|\\[()\[\],;]|\\q?quad|\\text\s*\{\s*(?:and|or),?\s*\}|\b(?:and|or)\b)*")
_HASHES = re.compile(r"####[ \t]*([^\n]*)")
_STATED = re.compile(
    r"(?:\banswers?(?:\s*\*\*)?\s*(?:\bis\b|\bare\b|:|=)|^[ \t]*A:)(?:\s*\*\*)?[ \t]*:?[ \t]*(?:\n[ \t]*)?",
    re.IGNORECASE | re.MULTILINE)
_DENIED = re.compile(r"(?:not|n't|unknown|unclear|that|wrong|incorrect|correct)\b", re.IGNORECASE)
_MATHS = re.compile(r"\*{0,2}\s*(?:\$(?=\S)([^$\n]*[^$\s\\])\$(?!\d)|\\\((.*?)\\\)|\\\[(.*?)\\\])")
_SENTENCE_END = re.compile(r"(?:\.|!|\?)(?:\s|\*|$)|\bI hope\b|,\s(?:so|which|because|since|as)\b")
_LETTER = re.compile(
    r"(?:\\(?:text|textbf|mathrm|mathbf)\s*\{)?\s*\\?[(\[]?\s*(?:\\(?:text|textbf|mathrm|mathbf)\s*\{\s*)?([A-J])"
    r"(?![A-Za-z0-9'’])")
_ALONE = re.compile(r"^[\s*]*[(\[]?([A-J])[)\].:]?[\s*]*$", re.MULTILINE)
_BRACKETED = re.compile(r"\(([A-J])\)")


def extract(text: str, kind: Kind = "maths") -> Answer | None:
    r"""The answer that a text ends in, or None where it gives none.

    For `maths`, in this order: the last \boxed or \fbox (boxes that only commas, "and" or "or" divide are one list);
    the rest of the line after the last ####; what follows the last "answer is", "Answer:" or "A:" at the start of a
    line, up to the end of the sentence. For `choice` these places are read for a letter A to J, then the last line
    that is only a letter, then the last letter in round brackets.
    """
    found = _boxed(text) if _BOX.search(text) else _hashes(text) if "####" in text else _stated(text)
    if kind == "maths":
        return found
    return _choice(text, found)


def _boxed(text: str) -> Answer | None:
    """The last box, joined with those right before it."""
    *before, last = _BOX.finditer(text)
    _, content = _content(text, last.end())
    if content is None:
        return None
    joined, begins = [content], last.start()
    for box in reversed(before[-_MOST_BOXES:]):
        end, content = _content(text, box.end())
        if content is None or end > begins or not _BETWEEN.fullmatch(text, end, begins):
            break
        joined, begins = [content, *joined], box.start()
    return _answer(", ".join(dict.fromkeys(joined)), "boxed")


def _content(text: str, start: int) -> tuple[int, str | None]:
    """Where a box ends and what it holds; None where its brace is never closed."""
    if not text.startswith("{", start):
        bare = _BARE.match(text, start)
        return (bare.end(), bare[0]) if bare else (start, None)
    depth = 0
    for mark in _BRACES.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(mark[0], 0)
        if depth == 0:
            return mark.end(), text[start + 1:mark.start()]
    return len(text), None


def _hashes(text: str) -> Answer | None:
    *_, last = _HASHES.finditer(text)
    return _answer(last[1], "hashes")


def _stated(text: str) -> Answer | None:
    """What the last "answer is" says, to the end of its sentence."""
    ends = [match.end() for match in _STATED.finditer(text) if not _DENIED.match(text, match.end())]
    if not ends:
        return None
    rest = text[ends[-1]:].partition("\n")[0]
    if maths := _MATHS.match(rest):
        return _answer(next(group for group in maths.groups() if group is not None), "answer_is")
    end = _SENTENCE_END.search(rest)
    return _answer(rest[: end.start()] if end else rest, "answer_is")


def _choice(text: str, found: Answer | None) -> Answer | None:
    if found:
        letter = _LETTER.match(found.text)
        return Answer(text=letter[1], rule=found.rule) if letter else None
    letters = [match[1] for match in _letters(text)]
    return Answer(text=letters[-1], rule="choice") if letters else None


def _letters(text: str) -> Iterator[re.Match[str]]:
    alone = list(_ALONE.finditer(text))
    return iter(alone) if alone else _BRACKETED.finditer(text)


def _answer(text: str, rule: Rule) -> Answer | None:
    trimmed = text.strip().strip("*").strip()
    return Answer(text=trimmed, rule=rule) if trimmed else None
