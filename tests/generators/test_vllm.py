"""vLLM's table as a command: what vLLM is told, what it may not be told, and which weights a build says it used."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generators.client import collect
from generators.engines import Engine, load_engines
from generators.store import ReplyStore
from generators.vllm import at_once
from generators.weights import weights_digest
from schemas.errors import ConfigError
from tests.generators.loopback import Loopback, Sent, any_text, asks, said
from tests.generators.loopback import engine as served

OWN = '[engines.own]\nmodel = "own"\n'


def engine(folder: Path, text: str) -> Engine:
    file = folder / "engines.toml"
    file.write_text(text)
    [found] = load_engines(file).values()
    return found


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A model's folder beside the engines file."""
    folder = tmp_path / "models" / "own"
    (folder / ".cache").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"\0" * 100)
    (folder / "config.json").write_text("{}")
    (folder / "README.md").write_text("a card")
    (folder / ".cache" / "note").write_text("hidden")
    return folder


def test_settings_become_the_options_of_vllm_serve(tmp_path: Path) -> None:
    found = engine(tmp_path, '[engines.own]\nmodel = "org/own"\nrevision = "abc"\ngpu_share = 0.45\n'
                   '[engines.own.vllm]\ndtype = "bfloat16"\nmax_model_len = 4096\n'
                   'tensor_parallel_size = 2\nenable_prefix_caching = false\n'
                   'seed = 7\nenforce_eager = true\nhf_overrides = { b = 1, a = "x" }\nallowed_origins = ["p", "q"]\n')
    assert found.command == (
        "vllm", "serve", "org/own", "--host", "127.0.0.1", "--port", "{port}", "--served-model-name", "org/own",
        "--revision", "abc", "--gpu-memory-utilization", "0.45", "--seed", "7", "--no-enable-prefix-caching",
        "--disable-uvicorn-access-log", "--dtype", "bfloat16", "--max-model-len", "4096", "--tensor-parallel-size", "2",
        "--enforce-eager", "--hf-overrides", '{"a": "x", "b": 1}', "--allowed-origins", "p", "q")
    assert found.gpu
    assert found.vllm is not None
    assert found.vllm["dtype"] == "bfloat16"


def test_seed_and_prefix_cache_are_said_even_where_they_are_not_set(tmp_path: Path) -> None:
    command = " ".join(engine(tmp_path, f"{OWN}vllm = {{}}\n").command or ())
    assert "--seed 0 --enable-prefix-caching" in command


def test_a_prompt_is_read_whole_on_a_cpu_where_parts_and_seeds_do_not_go_together(tmp_path: Path) -> None:
    def options(text: str) -> tuple[str, ...]:
        return engine(tmp_path, OWN + text).command or ()

    assert "--no-enable-chunked-prefill" in options("gpu = false\nvllm = {}\n")
    assert "--no-enable-chunked-prefill" not in options("vllm = {}\n")
    assert "--enable-chunked-prefill" in options("gpu = false\nvllm = { enable_chunked_prefill = true }\n")


def test_a_vllm_of_ours_gets_at_once_as_many_requests_as_it_says_it_answers_at_once(
        loopback: Callable[..., Loopback], replies: ReplyStore) -> None:
    all_there = asyncio.Event()

    async def answer(sent: Sent) -> dict[str, Any]:
        if server.in_flight == 100:
            all_there.set()
        try:
            await asyncio.wait_for(all_there.wait(), 60)
        except TimeoutError:
            all_there.set()  # they do not come: the others need not wait
        return said("yes")

    server = loopback(answer)
    collect(asks(100), served(server, vllm={"max_num_seqs": 100}), replies, any_text)
    assert server.most_in_flight == 100


@pytest.mark.parametrize(("settings", "number"), [
    ({"max_num_seqs": 128}, 128), ({"max-num-seqs": 8}, 8), ({"max_num_seqs": "many"}, None), ({}, None), (None, None)])
def test_how_many_it_answers_at_once_is_known_where_the_settings_say_it(settings: Any, number: int | None) -> None:
    assert at_once(settings) == number


def test_an_interpreter_of_its_own_runs_vllm(tmp_path: Path) -> None:
    command = engine(tmp_path, f'{OWN}gpu = false\n[engines.own.vllm]\npython = "~/x/bin/python"\n').command or ()
    assert command[:4] == (str(Path("~/x/bin/python").expanduser()), "-m", "vllm.entrypoints.cli.main", "serve")
    assert not engine(tmp_path, f"{OWN}gpu = false\nvllm = {{}}\n").gpu


@pytest.mark.parametrize(("settings", "told"), [
    ('port = 8000', "a free one is chosen"),
    ('served-model-name = "x"', "it is the engine's model"),
    ('gpu_memory_utilization = 0.4', "write gpu_share"),
    ('api_key = "sk-secret"', "a key must not stand in a command"),
    ('python = 3', "python = 3 is no path"),
    ('dtype = []', "has no form on a command line"),
])
def test_a_setting_that_is_not_vllms_is_refused_with_its_remedy(tmp_path: Path, settings: str, told: str) -> None:
    with pytest.raises(ConfigError, match=r"engines.own.vllm") as caught:
        engine(tmp_path, f"{OWN}[engines.own.vllm]\n{settings}\n")
    assert told in str(caught.value)
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(("text", "told"), [
    (f'{OWN}url = "http://127.0.0.1:1/v1"\nvllm = {{}}\n', "url and the table vllm"),
    (f'{OWN}command = ["x"]\nvllm = {{}}\n', "command and the table vllm"),
    (f"{OWN}vllm = {{}}\ngpu_share = 1.5\n", "no part of the GPU's memory"),
    (f'{OWN}vllm = {{}}\nweights = "./absent"\n', "there is no file or folder"),
    (f'{OWN}url = "http://127.0.0.1:1/v1"\nweights = "absent.gguf"\n', "there is no file or folder"),
    (f"{OWN}vllm = 3\n", "a table of vLLM's settings"),
])
def test_a_table_that_says_two_things_or_nothing_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        engine(tmp_path, text)
    assert told in str(caught.value)


def test_weights_on_this_disk_give_their_digest_as_revision(tmp_path: Path, own: Path) -> None:
    text = f'{OWN}weights = "models/own"\nvllm = {{}}\n'
    found = engine(tmp_path, text)
    assert found.revision == weights_digest(own)
    assert found.weights == str(own)
    assert "--revision" not in (found.command or ())
    assert (found.command or ())[:3] == ("vllm", "serve", str(own))
    (own / "model.safetensors").write_bytes(b"\0" * 99 + b"\1")
    assert engine(tmp_path, text).revision != found.revision



def test_a_revision_that_is_given_wins_over_the_digest(tmp_path: Path, own: Path) -> None:
    assert engine(tmp_path, f'{OWN}revision = "v2"\nweights = "models/own"\nvllm = {{}}\n').revision == "v2"


def test_weights_that_any_server_loads_can_be_named_and_stand_in_its_command(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    found = engine(tmp_path, f'{OWN}weights = "model.gguf"\ncommand = ["llama-server", "-m", "{{weights}}"]\n')
    assert found.command == ("llama-server", "-m", str(tmp_path / "model.gguf"))
    assert found.revision == weights_digest(tmp_path / "model.gguf")


def test_the_digest_is_of_names_and_bytes_and_not_of_places_cards_or_hidden_files(own: Path, tmp_path: Path) -> None:
    first = weights_digest(own)
    (own / "README.md").write_text("another card")
    (own / ".cache" / "note").write_text("other")
    own.rename(tmp_path / "elsewhere")
    assert weights_digest(tmp_path / "elsewhere") == first
    (tmp_path / "elsewhere" / "config.json").rename(tmp_path / "elsewhere" / "renamed.json")
    assert weights_digest(tmp_path / "elsewhere") != first
    with pytest.raises(ConfigError, match="no files of a model"):
        weights_digest(tmp_path / "models")


def test_large_files_are_read_once_and_again_when_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINNOW_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("generators.weights._LARGE", 4)
    read: list[str] = []
    real = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, kind: read.append(file.name) or real(file, kind))
    weights = tmp_path / "model.gguf"
    weights.write_bytes(b"one one")
    first = weights_digest(weights)
    assert weights_digest(weights) == first
    assert len(read) == 1
    weights.write_bytes(b"two two")
    os.utime(weights, ns=(1, 1))
    assert weights_digest(weights) != first
    assert len(read) == 2
    (tmp_path / "home" / "weights.json").write_text("not JSON")
    assert weights_digest(weights) != first
