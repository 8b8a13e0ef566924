"""What a judge reads: prompt templates filled once per aspect, then joined with a conversation and its answers.

The tags around conversation, answers, aspect, scale and reference are the wire format that judges (and the scripted
server) rely on. A text that imitates one of them is neutralised: the `<` of such a tag becomes `&lt;`, so that no
answer can close its own block and speak as the judge's instructions.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import ascii_uppercase
from typing import Literal

import polars as pl

from feedback.jury.parse import Scale
from schemas.criteria import CRITERIA, criterion_id
from schemas.errors import ConfigError
from schemas.messages import Message

PROMPTS = Path(__file__).with_name("prompts")
RUBRICS = PROMPTS / "rubrics"

_TAG = re.compile(r"<(?=\s*/?\s*(?:conversation|turn|tools|answer|aspect|scale|reference)\b)", re.IGNORECASE)
_SLOT = re.compile(r"\{\{(\w+)\}\}")

Reference = bool | Literal["checklist"]
"""Whether a prompt's reference is shown: as an answer known to be good, or as a list of what the user wants."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A judge's instructions for one aspect, all said but the conversation, the reference and the answers."""

    name: str
    """The aspect, and how it is asked: `helpfulness, rate_together, with reference`."""
    pieces: tuple[str, ...]
    """Literal text and slot names in turn, literal text first and last."""
    rubric: str
    """Digest of all of it (template, rubric, scale, whether a reference is shown): the id of its criteria row."""

    def fill(self, **texts: str) -> str:
        """The request's text; every slot must be given."""
        said = list(self.pieces)
        said[1::2] = [texts[slot] for slot in said[1::2]]
        return "".join(said)

    @property
    def text(self) -> str:
        """The wording, with its open slots as {{name}}."""
        return _joined(self.pieces)


def wording(template: str, aspect: str, rubric: str, scale: Scale | None, reference: Reference) -> Wording:
    """The template of that name with aspect, rubric and scale filled in."""
    grounding = "checklist" if reference == "checklist" else "reference"
    known = {"aspect": aspect, "rubric": neutral(rubric.strip()), "grounding": ""}
    if scale is not None:
        known["scale"] = f"{scale[0]:g} to {scale[1]:g}"
    pieces = _pieces(template)
    if reference:
        where = pieces.index("grounding", 1)
        pieces = (*pieces[: where - 1], *_around(pieces[where - 1], _pieces(grounding), pieces[where + 1]),
                  *pieces[where + 2:])
    settled = _settled(pieces, known)
    name = f"{aspect}, {template}, with {grounding}" if reference else f"{aspect}, {template}"
    return Wording(name, settled, criterion_id("rubric", name, _joined(settled)))


def rubric_text(aspect: str, rubric: "str | Path | Mapping[str, str | Path] | None") -> str:
    """The rubric of an aspect: the user's text or file (for all aspects, or by aspect), else the one we ship."""
    own = rubric.get(aspect) if isinstance(rubric, Mapping) else rubric
    if isinstance(own, str):
        return own
    path = own or RUBRICS / f"{aspect}.txt"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        if own is not None:
            raise ConfigError(f"rubric of aspect {aspect!r}: cannot read {path} ({error.strerror})") from None
    shipped = ", ".join(sorted(found.stem for found in RUBRICS.glob("*.txt")))
    raise ConfigError(f"aspect {aspect!r} has no rubric; use one of {shipped}, or give its text: "
                      f"rubric={{{aspect!r}: '...'}}")


def conversation(messages: Iterable[Message], tools: str | None = None) -> str:
    """A prompt's turns as a judge sees them, with the tools on offer first."""
    turns = [f'<turn role="{turn["role"]}">\n{neutral(turn["content"] or "")}\n</turn>' for turn in messages]
    return "\n".join([f"<tools>\n{neutral(tools)}\n</tools>", *turns] if tools else turns)


def answers(texts: Sequence[str]) -> str:
    """Answers, already neutral, named A, B, C ... in the order given; there must be 26 at most."""
    return "\n".join([f'<answer name="{name}">\n{text}\n</answer>'
                      for name, text in zip(ascii_uppercase, texts, strict=False)])


def neutral(text: str) -> str:
    """The text with every imitation of our tags made harmless."""
    return _TAG.sub("&lt;", text) if "<" in text else text


@cache
def _pieces(template: str) -> tuple[str, ...]:
    return tuple(_SLOT.split((PROMPTS / f"{template}.txt").read_text(encoding="utf-8")))


def _around(before: str, inner: Sequence[str], after: str) -> list[str]:
    """The inner pieces between two literal texts, with the seams closed."""
    return [before + inner[0], *inner[1:-1], inner[-1] + after]


def _settled(pieces: Sequence[str], known: Mapping[str, str]) -> tuple[str, ...]:
    """The pieces with the known slots filled; filled text is never searched for slots again."""
    said = [pieces[0]]
    for slot, literal in zip(pieces[1::2], pieces[2::2], strict=True):
        if slot in known:
            said[-1] += known[slot] + literal
        else:
            said += [slot, literal]
    return tuple(said)


def _joined(pieces: Sequence[str]) -> str:
    return "".join(f"{{{{{piece}}}}}" if number % 2 else piece for number, piece in enumerate(pieces))


def check_reference(caller: str, reference: object) -> None:
    """ConfigError where a reference is to be shown as what it cannot be."""
    if not isinstance(reference, bool) and reference != "checklist":
        raise ConfigError(f"{caller}: reference={reference!r} must be True, False or 'checklist'")


def criteria(wordings: Iterable[Wording]) -> pl.DataFrame:
    """The wordings as CRITERIA rows."""
    rows = [{"criterion_id": said.rubric, "kind": "rubric", "name": said.name, "scope": "judgments", "text": said.text}
            for said in wordings]
    return pl.DataFrame(pl.from_arrow(CRITERIA.rows(rows))).sort("criterion_id")
