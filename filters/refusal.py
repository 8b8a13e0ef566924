"""Does an answer refuse? A list of phrasings in a text file, matched at the answer's beginning only.

A pattern list is blunt but everybody can read why a row was dropped. It knows English openings, and only those: a
story in which somebody says "I can't help you", a refusal after a paragraph of answer, or one in another language,
pass.
"""

from pathlib import Path

import polars as pl

_SLOTS = {
    "{sorry}": r"(?:(?:(?:i'm |i am |we're |we are )?(?:very |so |really |truly |deeply )?sorry"
               r"(?: (?:for|about) [^.,]{0,40})?"
               r"|(?:i |my )?(?:sincerely )?apolog(?:ize|ise|ies)(?: for [^.,]{0,40})?|unfortunately|regrettably|no"
               r"|i (?:understand|appreciate|see|know) [^.]{0,120}|thank you for [^.]{0,120})"
               r"[,.;!—–-]* ?(?:but |however,? )?)",
    "{cannot}": r"(?:can't|cannot|can not|won't|will not|must not|am not able to|am unable to"
                r"|will not be able to|won't be able to|do not have the ability to|don't have the ability to)",
    "{do}": r"(?:(?:in good conscience |directly |ethically )?(?:assist|comply|fulfill?|provide|generate|create|write"
            r"|produce|engage|participate|support|endorse|promote|facilitate|discuss|share|respond to|continue with"
            r"|give (?:you|medical|legal|financial|instructions|advice|out)|offer (?:advice|guidance|instructions)"
            r"|answer (?:that|this|your)|do (?:that|this|so)"
            r"|help (?:you|anyone)|help(?: (?:with|to|do|create|make|write|plan|find|in|on|out|by)\b|[.,!]|$)))",
}
_HEAD = 400
"""A refusal begins within so many characters."""


def _pattern() -> str:
    lines = Path(__file__).with_name("refusals_en.txt").read_text(encoding="utf-8").splitlines()
    phrasings = [line for line in lines if line and not line.startswith("#")]
    joined = "|".join(f"(?:{phrasing})" for phrasing in phrasings)
    for slot, words in _SLOTS.items():
        joined = joined.replace(slot, words)
    return f"^(?:{joined})"


REFUSAL = _pattern()
"""All phrasings as one expression."""


def refusals(texts: pl.Series) -> pl.Series:
    """The words with which each text refuses, in lower case; null where it does not."""
    head = pl.col("text").str.strip_chars_start(" \t\r\n*_#>").str.slice(0, _HEAD).str.to_lowercase()
    plain = head.str.replace_all("[’‘`]", "'").str.replace_all(r"\s{2,}|[^\S ]", " ")
    words = plain.str.replace(r"\bi'm (not able|unable)", "i am ${1}").str.extract(REFUSAL, 0)
    return texts.alias("text").to_frame().select(words)["text"]
