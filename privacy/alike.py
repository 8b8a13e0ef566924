"""Signs that look like those of ASCII, or stand for them: a text of the same length in which they are."""

import re
import unicodedata
from functools import cache

_LOOK_ALIKE = dict(zip("аеорсухіјѕһԁԛԝАВЕЗКМНОРСТУХІЈЅαορνΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
                       "aeopcyxijshdqwABE3KMHOPCTYXIJSaopvABEZHIKMNOPTYX", strict=True))
"""Letters of Cyrillic and Greek."""
_LAST = 0x20000


def plain(text: str) -> str:
    """The text with wide, bold and raised signs, digits of other scripts, dashes and spaces as ASCII has them."""
    signs, table = _table()
    return signs.sub(lambda sign: table.get(sign[0], sign[0]), text)


@cache
def _table() -> tuple[re.Pattern[str], dict[str, str]]:
    """Any of the signs (of those past U+FFFF, others too: such a class is quicker), and what each stands for."""
    known = {sign: plain for sign in map(chr, range(0x80, _LAST)) if (plain := _ascii(sign))} | _LOOK_ALIKE
    near = "".join(sign for sign in known if ord(sign) < 0x10000)
    return re.compile(f"[{near}]|[\U00010000-{chr(_LAST)}]"), known


def _ascii(sign: str) -> str:
    """The one sign of ASCII that a sign stands for; empty where there is none."""
    if sign.isdecimal():
        return str(unicodedata.decimal(sign))
    kind = unicodedata.category(sign)
    if kind in ("Pd", "Zs"):
        return "-" if kind == "Pd" else " "
    if unicodedata.decomposition(sign).startswith("<"):
        same = unicodedata.normalize("NFKC", sign)
        return same if len(same) == 1 and same.isascii() and same.isprintable() else ""
    return "-" if sign == "\u2212" else ""
