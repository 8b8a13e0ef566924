"""What shows in the shape of a turn: a pasted error message, code."""

import polars as pl

ERRORS = (
    r"Traceback \(most recent call last\)", r'File "[^"\n]+", line [0-9]+', r"Exception in thread", r"npm ERR!",
    r"(?m)^[ \t]*(?:Uncaught |Unhandled )?(?:[a-zA-Z_][a-zA-Z0-9_.]*)?(?:Error|Exception)(?::|[ \t]*$)",
    r"(?m)^[ \t]*at [a-zA-Z0-9_$.<>]+\([^)\n]*:[0-9]+\)", r"\berror(?: TS[0-9]+|\[E[0-9]+\]|:? C[0-9]{4})\b",
    r"(?m)^[^\s:]+:[0-9]+(?::[0-9]+)?: (?:fatal )?error: ", r"(?i)\bsegmentation fault\b", r"(?m)^panic: ",
    r"(?m)^thread '[^'\n]+' panicked at", r"(?m)^(?:bash|sh|zsh): [^\n]+: command not found",
)
"""How the error messages of programs begin, in the form of Rust's regular expressions."""
_CODE = (
    r"(?m)^[ \t]*(?:(?:def|class|import|from|return|elif|else:|for |while |if |try:|except|with |print\(|"
    r"assert |const |let |var |function |public |private |static |#include|using |select |insert |update |@|//|/\*|\*/|"
    r"```)[^\n]*|[^\n]*[;{}]|[^\n]*\)[ \t]*:?|[a-zA-Z0-9_.\[\]'\"]+ ?[-+*/]?= ?[^=\n]+|[\])}]+,?)[ \t]*$"
)
"""A line of code, as far as a line shows it."""


def pasted_error(text: pl.Expr) -> pl.Expr:
    """The first words that an error message of a program begins with; null where there are none."""
    return text.str.extract("(" + "|".join(f"(?:{one})" for one in ERRORS) + ")").str.strip_chars()


def code_ratio(text: pl.Expr) -> pl.Expr:
    """The share of lines that look like code, 0 to 1."""
    lines = text.str.count_matches(r"(?m)^[^\n]*\S[^\n]*$")
    return pl.when(lines > 0).then((text.str.count_matches(_CODE) / lines).clip(0, 1)).otherwise(0.0)
