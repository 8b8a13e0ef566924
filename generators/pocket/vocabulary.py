"""A model's tokenizer: chat turns into tokens by its template, tokens into bytes."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from schemas.errors import ConfigError


class Vocabulary:
    """What a model folder says about text."""

    def __init__(self, folder: Path) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._about: dict[str, Any] = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
            self._template = _template(folder, self._about)
        except Exception as error:  # the tokenizers library raises bare Exception
            raise ConfigError(f"{folder}: the tokenizer cannot be read: {error}") from None

    def encode(self, turns: Sequence[Mapping[str, Any]], continued: bool = False) -> list[int]:
        """The tokens of a conversation, up to where the reply begins: after its last turn's words where `continued`.

        ValueError where the template refuses the turns, or does not show the words of the last one as they are.
        """
        named = {name: _text(value) for name, value in self._about.items() if name.endswith("_token")}
        try:
            text = self._template.render(messages=turns, add_generation_prompt=not continued, **named)
        except TemplateError as error:
            raise ValueError(f"the chat template refuses the messages: {error}") from None
        if continued:
            before, found, _ = text.rpartition(turns[-1]["content"])
            if not found:
                raise ValueError("the chat template changes the words of the last message, so that no reply can carry "
                                 "them on")
            text = before + found
        tokens: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return tokens

    @cached_property
    def pieces(self) -> list[bytes]:
        """Each token's bytes; none for special tokens, which no reply shows."""
        special = {number for number, token in self._tokenizer.get_added_tokens_decoder().items() if token.special}
        count = self._tokenizer.get_vocab_size()
        return [b"" if number in special else _bytes(self._tokenizer.id_to_token(number) or "")
                for number in range(count)]


def _template(folder: Path, about: Mapping[str, Any]) -> Any:
    """The chat template, in the sandbox and with the settings that Hugging Face gives it."""
    path = folder / "chat_template.jinja"
    source = path.read_text(encoding="utf-8") if path.exists() else about["chat_template"]
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = _refuse
    return environment.from_string(source)


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def _text(token: Any) -> Any:
    return token["content"] if isinstance(token, dict) else token


def _bytes(token: str) -> bytes:
    """The bytes of a byte-level token, each of which is written as one visible character."""
    return bytes(_BYTE_OF[sign] for sign in token) if all(sign in _BYTE_OF for sign in token) else token.encode()


def _byte_signs() -> dict[str, int]:
    """GPT-2's alphabet: printable bytes stand for themselves, the others follow from 256 on."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(sign): byte for sign, byte in [*zip(shown, shown, strict=True),
                                               *((256 + place, byte) for place, byte in enumerate(hidden))]}


_BYTE_OF = _byte_signs()
