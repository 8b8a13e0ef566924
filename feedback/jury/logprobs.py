"""The probability behind a verdict, from the log-probabilities of its first token."""

import json
import re
from math import exp, isfinite
from typing import Any


def p_first(logprobs: str | None) -> float | None:
    """The probability that the first shown wins: P(A) / (P(A) + P(B)) over the first token of the verdict.

    `logprobs` is the chat API's logprobs object as JSON, asked for with top_logprobs of 2 or more (5 leaves room for
    tie). A letter among no alternatives counts as 0. None where nothing was asked, the verdict's token is not
    found, or neither letter is among its alternatives. As in On-policy Self-Judgment (2024) and PairS (2024).
    """
    tokens = _tokens(logprobs)
    pieces = [str(token.get("token", "")) for token in tokens]
    found = re.search(r'"verdict"\s*:\s*"', "".join(pieces))
    if found is None:
        return None
    start = found.end()
    for token, piece in zip(tokens, pieces, strict=True):
        if start < len(piece):
            return _mass(token, piece[:start])
        start -= len(piece)
    return None


def _tokens(logprobs: str | None) -> list[dict[str, Any]]:
    try:
        found = json.loads(logprobs) if logprobs else None
    except ValueError:
        return []
    content = found.get("content") if isinstance(found, dict) else None
    return [token for token in content if isinstance(token, dict)] if isinstance(content, list) else []


def _mass(token: dict[str, Any], before: str) -> float | None:
    """P(A) / (P(A) + P(B)) among a token's alternatives; `before` is what the token holds ahead of the verdict."""
    mass = {"A": 0.0, "B": 0.0}
    for other in token.get("top_logprobs") or ():
        said = other.get("logprob") if isinstance(other, dict) else None
        if not isinstance(said, int | float) or not isfinite(said):
            continue
        text = str(other.get("token", ""))
        letter = text[len(before):].rstrip('"} \n\t') if text.startswith(before) else ""
        if letter in mass:
            mass[letter] += exp(min(0.0, said))
    total = mass["A"] + mass["B"]
    return mass["A"] / total if total > 0 else None
