"""Names by option: what a model finds becomes placeholders too, and a model that is missing is told."""

import importlib.util
import json
from pathlib import Path

import pytest

from feedback.chatlogs.gather import gather
from privacy.finding import Finding
from privacy.names import presidio
from privacy.people import Salt
from privacy.scrub import Scrub
from schemas.errors import ConfigError


def annas(text: str) -> list[Finding]:
    """A model that knows one name and one street."""
    return [Finding(kind, text.index(word), text.index(word) + len(word))
            for kind, word in (("NAME", "Anna"), ("ADDRESS", "3 Mill Lane")) if word in text]


def test_what_a_model_finds_becomes_a_placeholder_beside_the_others() -> None:
    told = "Anna, anna@example.com, lives at 3 Mill Lane."
    assert Scrub(annas).text(told) == ("<NAME_1>, <EMAIL_1>, lives at <ADDRESS_1>.", {"NAME", "EMAIL", "ADDRESS"})
    assert Scrub().text(told)[0] == "Anna, <EMAIL_1>, lives at 3 Mill Lane."


def test_logs_are_read_with_it(tmp_path: Path) -> None:
    record = {"messages": [{"role": "user", "content": "I am Anna."}, {"role": "assistant", "content": "Hello, Anna."}]}
    (tmp_path / "log.jsonl").write_text(json.dumps(record))
    read = gather([str(tmp_path / "log.jsonl")], Salt(b"k" * 32), finder=annas)
    assert read.messages.sort("depth")["text"].to_list() == ["I am <NAME_1>.", "Hello, <NAME_1>."]


@pytest.mark.skipif(importlib.util.find_spec("presidio_analyzer") is not None, reason="presidio-analyzer is installed")
def test_a_missing_package_is_told_with_its_remedy() -> None:
    with pytest.raises(ConfigError, match="pip install presidio-analyzer"):
        Scrub(presidio()).text("I am Anna.")
