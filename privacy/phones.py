"""Telephone numbers, checked: a country's code and length, or the way a country writes them, or words that say so."""

import re
from collections.abc import Iterator

from privacy.context import near
from privacy.finding import Finding

_GAP = r"[ .()/-]{0,3}"
_CANDIDATE = re.compile(
    r"[+(0-9](?<![A-Za-z0-9_.$€£#^].)(?<![^*][*].)(?<![0-9][ +/:-].)(?:(?<=[(])\+?[0-9]|(?<=\+)[0-9]|(?<=[0-9]))"
    rf"(?:{_GAP}[0-9]){{6,16}}(?!(?!x[0-9])[A-Za-z0-9_%]|[.:/][0-9])")
_CODES = re.compile(r"\+?(?:00)?(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|"
                    r"2[1-689][0-9]|3[578][0-9]|42[0-9]|5[09][0-9]|6[789][0-9]|8[0578][0-9]|9[679][0-9])")
_FORMS = (
    re.compile(r"(?:\+?1[ .-]?)?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}([.-]))[2-9][0-9]{2}[ .-][0-9]{4}"),
    re.compile(r"(?:1[ .-])?\(?[1-9][0-9]{2}\)?[ -][0-9]{3}-[0-9]{4}"),
    re.compile(r"(?:1 )?[2-9][0-9]{2} [2-9][0-9]{2} [0-9]{4}"),
    re.compile(r"\(?0[1-9][0-9]{0,3}\)?[ /-][0-9]{3,4}[ -]?[0-9]{3,5}"),
    re.compile(r"0[1-9](?:[ .-][0-9]{2}){4}"),
    re.compile(r"0[1-9][0-9]{8,9}"),
    re.compile(r"[6-9][0-9]{4}[ -][0-9]{5}"),
    re.compile(r"\(?0[1-9][0-9]{0,3}\)?[ /-][0-9]{3}[ -][0-9]{2}[ -][0-9]{2}"),
    re.compile(r"3[2-9][0-9] [0-9]{3} [0-9]{4}"),
    re.compile(r"\([1-9][0-9]\) 9?[0-9]{4}-[0-9]{4}"),
    re.compile(r"1[3-9][0-9] [0-9]{4} [0-9]{4}"),
    re.compile(r"8[ -]?\(?[3-9][0-9]{2}\)?[ -][0-9]{3}-[0-9]{2}-[0-9]{2}"),
)
"""North America; the same as people make it up; 0 and an area's code; France; mobiles in Europe; India; Sweden,
Switzerland, Turkey; mobiles in Italy; Brazil; mobiles in China; Russia."""
_WORDS = re.compile(
    r"phone|\bph\b|\btel\b|\btel[.:]|telef|\bcall(?:ed|ing)?\b|mobile|\bcell|\bfax\b|whats ?app|\bsms\b|\breach|contact"
    r"|\btext (?:me|him|her|us)|my number|\bring\b|\bdial|handy|m[oó]vil|celular|hotline|\bsignal\b|\bpager|rufnummer",
    re.IGNORECASE)
_LABEL = re.compile(r"(?:phone|mobile|\bcell|\bfax|\btel|\bph\b)[a-z]*(?:[ _-]?(?:number|num|no))?[\"'.]{0,3}"
                    r"\s{0,2}(?:is|:|=|#)?\s{0,2}[\"']?$", re.IGNORECASE)
"""What stands right before a number that it names."""
_DATE = re.compile(r"(?:19|20)[0-9]{2}[-./ ]?[01][0-9][-./ ]?[0-3][0-9](?![0-9]{2}[^0-9])"
                   r"|[0-3]?[0-9][-./][0-3]?[0-9][-./](?:[0-9]{2}){1,2}(?![0-9])")
_SEPARATED = re.compile(r"[ .()/-]")
_NOT_DIGITS = re.compile(r"[^0-9]")
_FEWEST, _MOST, _ALONE = 8, 15, 9


def phones(text: str) -> Iterator[Finding]:
    """Numbers with a country's code, numbers in a country's own form, numbers after words like phone and call."""
    for match in _CANDIDATE.finditer(text):
        start = match.start() + (match[0][0] == "(" and ")" not in match[0])  # a bracket around more than the area
        if _is_phone(text[start:match.end()], text, start):
            yield Finding("PHONE", start, match.end())


def _is_phone(written: str, text: str, start: int) -> bool:
    digits = _NOT_DIGITS.sub("", written)
    if len(digits) > _MOST + 2 or len(set(digits)) == 1:
        return False
    if written.startswith(("+", "(+")):
        return _FEWEST <= len(digits) <= _MOST and _CODES.match(digits) is not None
    if _DATE.match(written):
        return False
    if written.startswith("00"):
        return len(digits) > _FEWEST + 2 and _CODES.match(digits) is not None and (
            _SEPARATED.search(written) is not None or near(_WORDS, text, start))
    if any(form.fullmatch(written) for form in _FORMS):
        return True
    if len(digits) > _MOST:
        return False
    if len(digits) >= _ALONE or _SEPARATED.search(written) is not None:
        return near(_WORDS, text, start)
    return near(_LABEL, text, start)
