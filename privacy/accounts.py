"""Numbers of accounts and people that can be checked: IBANs, payment cards, United States social security numbers."""

import re
from collections.abc import Iterator

from privacy.context import near
from privacy.finding import Finding

_IBAN = re.compile(r"[A-Za-z]{2}(?:(?<![A-Za-z0-9]..)|(?<=IBAN..))[0-9]{2}(?:[ .\n-]?[A-Za-z0-9]){11,30}")
_COUNTRIES = {
    15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV",
    29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
}
"""How long the IBANs of a country are (the registry of SWIFT)."""
_LENGTHS = {country: length for length, countries in _COUNTRIES.items() for country in countries.split()}
_CARD = re.compile(
    r"[2-6](?<![A-Za-z0-9_].)(?<![0-9]\..)(?:[0-9]{7} [0-9]{8}(?=\D|$)"
    r"|[0-9]{3}([ ./_-]?|  )[0-9]{4}\1[0-9]{4}\1[0-9]{1,4}(?P<more>\1[0-9]{1,3})?"
    r"|(?<=3)[47][0-9]{2}([ ./_-]?)[0-9]{6}\3[0-9]{5}|(?<=3)[0689][0-9]{2}([ ./_-]?)[0-9]{6}\4[0-9]{4})"
    r"(?![A-Za-z0-9_]|[.-][0-9])")
_BRANDS = re.compile(
    r"4[0-9]{12}(?:[0-9]{3})?(?:[0-9]{3})?|(?:5[1-5]|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{10,14}"
    r"|3[47][0-9]{13}|3(?:0[0-5]|[689][0-9])[0-9]{11}|(?:6011|65[0-9]{2}|64[4-9][0-9])[0-9]{12,15}"
    r"|35[2-8][0-9]{13,16}|62[0-9]{14,17}|(?:50|5[6-9]|6[0-9])[0-9]{14,17}")
_SSN = re.compile(r"[0-8](?<![A-Za-z0-9_].)(?<![0-9][.-].)(?<!0(?=00))(?<!6(?=66))[0-9]{2}([ .-]?)(?!00)[0-9]{2}\1"
                  r"(?!0000)[0-9]{4}(?![A-Za-z0-9_]|[.-][0-9])")
_SOCIAL = re.compile(r"\bssn\b|social[ -]?sec|\bss ?(?:#|no\b|number)|\bsoc\b", re.IGNORECASE)
_SEPARATORS = re.compile(r"[ ./_-]")


def ibans(text: str) -> Iterator[Finding]:
    """International bank account numbers of a known country's length whose checksum holds (ISO 13616)."""
    for match in _IBAN.finditer(text):
        length = _LENGTHS.get(match[0][:2].upper())
        places = [place for place, sign in enumerate(match[0]) if sign not in " .\n-"]
        if length is None or len(places) < length:
            continue
        code = "".join(match[0][place] for place in places[:length]).upper()
        if int("".join(str(int(sign, 36)) for sign in code[4:] + code[:4])) % 97 == 1:
            yield Finding("IBAN", match.start(), match.start() + places[length - 1] + 1)


def cards(text: str) -> Iterator[Finding]:
    """Payment card numbers: a brand's beginning and length, in the usual groups or none, and Luhn's checksum."""
    for match in _CARD.finditer(text):
        ends = (match.end(), match.start("more")) if match["more"] else (match.end(),)
        for end in ends:  # of nineteen digits, or of sixteen and something else after them
            if _is_card(_SEPARATORS.sub("", match.string[match.start():end])):
                yield Finding("CARD", match.start(), end)
                break


def _is_card(digits: str) -> bool:
    return _BRANDS.fullmatch(digits) is not None and _luhn(digits) and len(set(digits)) > 1


def _luhn(digits: str) -> bool:
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0


def social_security(text: str) -> Iterator[Finding]:
    """Nine digits written 3-2-4 with dashes; otherwise grouped, or not at all, only where the text speaks of one."""
    for match in _SSN.finditer(text):
        if match[1] == "-" or near(_SOCIAL, text, match.start()):
            yield Finding("SSN", *match.span())
