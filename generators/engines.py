"""Engines: the model servers of a project, read from its engines file.

[engines.small]
url = "http://127.0.0.1:8000/v1"
model = "Qwen/Qwen3-4B-Instruct"
params = { temperature = 1.0, max_tokens = 1024 }

[budget]
usd = 5.0
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from generators import vllm
from generators.weights import local, weights_digest
from schemas.errors import ConfigError

_TEXT, _WHOLE, _NUMBER, _FLAG = "a text in quotes", "a whole number", "a number", "true or false"
_TABLE, _LIST, _SETTINGS = "a table of request parameters", "a list of texts", "a table of vLLM's settings"
_SAMPLES = {_TEXT: '"..."', _WHOLE: "8", _NUMBER: "0.5", _FLAG: "true", _TABLE: "{ temperature = 1.0 }",
            _LIST: '["vllm", "serve", "..."]', _SETTINGS: '{ dtype = "bfloat16" }'}
_FIELDS: dict[str, str] = {
    "url": _TEXT, "model": _TEXT, "revision": _TEXT, "key_env": _TEXT, "currency": _TEXT, "licence": _TEXT,
    "price_in": _NUMBER, "price_out": _NUMBER, "timeout_s": _NUMBER, "max_concurrency": _WHOLE,
    "gpu": _FLAG, "gpu_share": _NUMBER, "seeded": _FLAG, "params": _TABLE, "command": _LIST, "weights": _TEXT,
    "vllm": _SETTINGS,
}
_EXAMPLES = {"url": 'url = "http://127.0.0.1:8000/v1"', "model": 'model = "the name the server knows"'}
_BUDGET = {"usd": _NUMBER, "tokens": _WHOLE}
BOUNDS = ("max_completion_tokens", "max_tokens")
"""The two names of a request's bound on what is written."""
OURS = {
    "n": "samples are asked one by one", "seed": "seeds come from the request's id", "stream": "replies come whole",
    "model": "it is a field of the engine", "messages": "they come from the prompts",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One model at one server that speaks the OpenAI chat API."""

    name: str
    model: str
    """The model's name at the server."""
    url: str | None = None
    """Base URL, usually ending in /v1; absent where `command` starts the server."""
    revision: str | None = None
    """Revision or weights digest; part of the request's id, so that other weights are asked anew."""
    weights: str | None = None
    """What a server of ours loads: a path on this machine, or the id of a hub."""
    key_env: str | None = None
    """Name of the environment variable that holds the key; the value is read when a request is sent."""
    price_in: float | None = None
    """Price of a million prompt tokens."""
    price_out: float | None = None
    """Price of a million completion tokens."""
    currency: str = "USD"
    max_concurrency: int = 256
    """The most requests in flight; fewer where the server answers no more for more."""
    timeout_s: float = 120.0
    """Seconds after which a request counts as failed and is tried again."""
    gpu: bool = False
    """Whether the server needs the GPU of this machine."""
    gpu_share: float | None = None
    """The part of the GPU's memory that a server of ours needs; None: all of it."""
    seeded: bool = True
    """Whether a seed is sent; false for servers that refuse one."""
    params: dict[str, Any] = field(default_factory=dict)
    """Default request parameters; an operator's own win."""
    licence: str | None = None
    """The licence of what the model writes."""
    command: tuple[str, ...] | None = None
    """The command of a server that we start and stop ourselves."""
    vllm: Mapping[str, Any] | None = None
    """vLLM's settings, where `command` was made of them."""

    def cost(self, prompt_tokens: int | None, completion_tokens: int | None) -> float | None:
        """The price of that many tokens, in `currency`; None where a price or a count is unknown."""
        if None in (prompt_tokens, completion_tokens, self.price_in, self.price_out):
            return None
        return (prompt_tokens * self.price_in + completion_tokens * self.price_out) / 1e6  # type: ignore[operator]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most that one run may newly spend; replies from the store are free."""

    usd: float | None = None
    tokens: int | None = None
    """Prompt and completion tokens together."""


def load_engines(path: Path) -> dict[str, Engine]:
    """The engines of a file by name, in the file's order; any mistake is a ConfigError that says what to write."""
    tables = _read(path).get("engines")
    if not isinstance(tables, dict) or not tables:
        raise ConfigError(f'{path}: there is no engine; write a table [engines.NAME] with url and model, '
                          f'for example {_EXAMPLES["url"]}')
    return {name: _engine(path, name, table) for name, table in tables.items()}


def load_budget(path: Path) -> Budget | None:
    """The [budget] table of the engines file, or None."""
    table = _read(path).get("budget")
    if table is None:
        return None
    where = f"{path}: [budget]"
    _check_fields(where, table, _BUDGET)
    for name, value in table.items():
        if value < 0:
            raise ConfigError(f"{where}: {name} = {value} is negative; write 0 or more")
    return Budget(**table)


def engine_named(engines: Mapping[str, Engine], name: str, asked_by: str) -> Engine:
    """The engine of that name; an unknown one is a ConfigError that names who asked and what there is."""
    if name in engines:
        return engines[name]
    raise ConfigError(f"{asked_by} asks for engine '{name}', which the engines file does not have"
                      f"{_closest(name, engines)}; it has {', '.join(sorted(engines)) or 'none'}")


def key_of(engine: Engine) -> str | None:
    """The engine's key, read from the environment now; a variable that is missing or unusable is a ConfigError."""
    if engine.key_env is None:
        return None
    key = os.environ.get(engine.key_env, "").strip()
    if not key:
        raise ConfigError(f"engine '{engine.name}': the environment variable {engine.key_env} is not set; "
                          f"export {engine.key_env}=... or remove key_env where the server needs no key")
    if not key.isascii() or not key.isprintable():
        raise ConfigError(f"engine '{engine.name}': the environment variable {engine.key_env} holds characters that "
                          "no key has; copy the key again")
    return key


def _read(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such engines file; `winnow init` writes one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: this is not TOML: {error}") from None
    for name in found:
        if name not in ("engines", "budget"):
            raise ConfigError(f"{path}: unknown table [{name}]{_closest(name, ('engines', 'budget'))}; "
                              "write [engines.NAME] or [budget]")
    return found


def _engine(path: Path, name: str, table: Any) -> Engine:
    where = f"{path}: [engines.{name}]"
    _check_fields(where, table, _FIELDS)
    if name.startswith("human:") or not name.strip():
        raise ConfigError(f"{where}: an engine must have a name that does not begin with 'human:'")
    needed = ("model",) if "command" in table or "vllm" in table else ("model", "url")
    for field_name in needed:
        if not table.get(field_name, "").strip():
            raise ConfigError(f"{where}: field '{field_name}' is missing; write {_EXAMPLES[field_name]}")
    _check_values(where, table)
    given = dict(table)
    if "url" in given:
        given["url"] = given["url"].rstrip("/")
    return Engine(name=name, **_with_server(path, name, given))


def _with_server(path: Path, name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The fields with where the weights lie, their digest, and the command that serves them."""
    if "vllm" in given:
        given.setdefault("weights", given["model"])
        given.setdefault("gpu", True)
    found = local(given["weights"], path.parent) if "weights" in given else None
    if found is not None:
        given["weights"] = str(found)
        given.setdefault("revision", weights_digest(found))
    if "vllm" in given:
        given["command"] = vllm.command(
            f"{path}: [engines.{name}.vllm]", given["model"], given["weights"],
            None if found else given.get("revision"), given.get("gpu_share"), given["vllm"], gpu=given["gpu"])
    if "command" in given:
        weights = given.get("weights", "{weights}")
        given["command"] = tuple(part.replace("{weights}", weights) for part in given["command"])
    return given


def _check_fields(where: str, table: Any, known: Mapping[str, str]) -> None:
    if not isinstance(table, dict):
        raise ConfigError(f"{where} is not a table; write it as a table with {', '.join(known)}")
    for name, value in table.items():
        if name not in known:
            raise ConfigError(f"{where}: unknown field '{name}'{_closest(name, known)}; known are {', '.join(known)}")
        if not _is(value, known[name]):
            raise ConfigError(f"{where}: {name} = {_shown(name, value)} is not {known[name]}; "
                              f"write {_EXAMPLES.get(name, f'{name} = ' + _SAMPLES[known[name]])}")


def _check_values(where: str, table: dict[str, Any]) -> None:
    if "url" in table:
        _check_url(where, table["url"])
    for name in ("price_in", "price_out"):
        if table.get(name, 0) < 0:
            raise ConfigError(f"{where}: {name} = {table[name]} is negative; write the price of a million tokens")
    if table.get("max_concurrency", 1) < 1:
        raise ConfigError(f"{where}: max_concurrency = {table['max_concurrency']} is less than 1; write 1 or more")
    if table.get("timeout_s", 1) <= 0:
        raise ConfigError(f"{where}: timeout_s = {table['timeout_s']} is not more than 0; write seconds, e.g. 120")
    if not table.get("command", ["x"]):
        raise ConfigError(f'{where}: command is empty; write command = ["vllm", "serve", "..."]')
    if not 0 < table.get("gpu_share", 1) <= 1:
        raise ConfigError(f"{where}: gpu_share = {table['gpu_share']} is no part of the GPU's memory; write a number "
                          "above 0, up to 1")
    for other in ("url", "command"):
        if "vllm" in table and other in table:
            raise ConfigError(f"{where}: {other} and the table vllm both say where the model runs; keep one")
    for name in table.get("params", {}):
        if name in OURS:
            raise ConfigError(f"{where}: params must not hold '{name}': {OURS[name]}; remove it")
    key_env = table.get("key_env", "KEY")
    if not key_env.replace("_", "").isalnum() or not key_env.isascii() or key_env[0].isdigit():
        raise ConfigError(f"{where}: key_env is not the name of an environment variable; write the variable's name, "
                          'for example key_env = "OPENAI_API_KEY", never the key itself')


def _check_url(where: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigError(f"{where}: url is not an http address; write {_EXAMPLES['url']}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(f"{where}: url must hold no key, user name or query; write {_EXAMPLES['url']} and name the "
                          "variable that holds the key in key_env")
    if parts.path.rstrip("/").endswith("/chat/completions"):
        raise ConfigError(f"{where}: url ends in /chat/completions; write the base alone, {_EXAMPLES['url']}")


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind is _FLAG
    if kind is _TEXT:
        return isinstance(value, str)
    if kind is _WHOLE:
        return isinstance(value, int)
    if kind is _NUMBER:
        return isinstance(value, int | float)
    if kind in (_TABLE, _SETTINGS):
        return isinstance(value, dict)
    return kind is _LIST and isinstance(value, list) and all(isinstance(item, str) for item in value)


def _shown(name: str, value: Any) -> str:
    return "(hidden)" if name == "key_env" else repr(value)[:60]


def _closest(name: str, known: Any) -> str:
    found = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean '{found[0]}'?)" if found else ""


_UNSET = {f.name for f in fields(Engine)} - _FIELDS.keys() - {"name"}
assert not _UNSET, f"engine fields the file cannot set: {_UNSET}"
