"""The engines file: what it gives, and what every mistake in it says."""

from dataclasses import replace
from pathlib import Path

import pytest

from generators.engines import Budget, Engine, engine_named, key_of, load_budget, load_engines
from schemas.errors import ConfigError

FULL = """
[engines.small]
url = "http://127.0.0.1:8000/v1/"
model = "org/small"
revision = "abc"
key_env = "SMALL_KEY"
price_in = 1
price_out = 2.5
max_concurrency = 8
timeout_s = 30
gpu = true
licence = "apache-2.0"
params = { temperature = 0.7, max_tokens = 64 }

[engines.served]
model = "org/large"
command = ["vllm", "serve", "org/large"]

[budget]
usd = 5
tokens = 1000
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "engines.toml"
    path.write_text(text)
    return path


def test_a_full_file_gives_every_field(tmp_path: Path) -> None:
    path = write(tmp_path, FULL)
    engines = load_engines(path)
    assert list(engines) == ["small", "served"]
    assert engines["small"] == Engine(
        name="small", url="http://127.0.0.1:8000/v1", model="org/small", revision="abc", key_env="SMALL_KEY",
        price_in=1, price_out=2.5, max_concurrency=8, timeout_s=30, gpu=True, licence="apache-2.0",
        params={"temperature": 0.7, "max_tokens": 64},
    )
    assert engines["served"].command == ("vllm", "serve", "org/large")
    assert engines["served"].url is None
    assert load_budget(path) == Budget(usd=5, tokens=1000)


def test_a_file_without_a_budget_has_none(tmp_path: Path) -> None:
    assert load_budget(write(tmp_path, '[engines.a]\nurl = "http://x"\nmodel = "m"\n')) is None


@pytest.mark.parametrize(("text", "told"), [
    ('[engines.a]\nmodel = "m"\n', ["[engines.a]", "'url' is missing", "url = "]),
    ('[engines.a]\nurl = "http://x"\n', ["[engines.a]", "'model' is missing", "model = "]),
    ('[engines.a]\nurl = "http://x"\nmodel = "m"\nlicense = "mit"\n', ["'license'", "did you mean 'licence'"]),
    ('[engines.a]\nurl = "http://x"\nmodel = "m"\nprice_in = "1"\n', ["price_in = '1'", "a number", "price_in = 0.5"]),
    ('[engines.a]\nurl = "http://x"\nmodel = "m"\ngpu = 1\n', ["gpu = 1", "true or false"]),
    ('[engines.a]\nurl = "http://x"\nmodel = "m"\nmax_concurrency = true\n', ["max_concurrency", "a whole number"]),
    ('[engines.a]\nurl = "http://x"\nmodel = "m"\nmax_concurrency = 0\n', ["max_concurrency = 0", "1 or more"]),
    ('[engines.a]\nurl = "http://x"\nmodel = "m"\nprice_in = -1\n', ["price_in = -1", "negative"]),
    ('[engines.a]\nurl = "http://x"\nmodel = "m"\ntimeout_s = 0\n', ["timeout_s = 0", "seconds"]),
    ('[engines.a]\nurl = "localhost:8000"\nmodel = "m"\n', ["not an http address", "http://127.0.0.1:8000/v1"]),
    ('[engines.a]\nurl = "http://x:99999/v1"\nmodel = "m"\n', ["not an http address"]),
    ('[engines.a]\nurl = "http://[::1/v1"\nmodel = "m"\n', ["not an http address"]),
    ('[engines.a]\nurl = "http://x/v 1"\nmodel = "m"\n', ["not an http address"]),
    ('[engines.a]\nurl = "http://x/v1/chat/completions"\nmodel = "m"\n', ["/chat/completions", "base"]),
    ('[engines.a]\nurl = "http://x"\nmodel = "m"\nparams = { n = 4 }\n', ["params", "'n'", "remove it"]),
    ('[engines.a]\nurl = "http://x"\nmodel = "m"\ncommand = []\n', ["command is empty"]),
    ('[engines."human:x"]\nurl = "http://x"\nmodel = "m"\n', ["human:"]),
    ('[engines]\na = 3\n', ["[engines.a] is not a table"]),
    ('[engine.a]\nurl = "http://x"\n', ["unknown table [engine]", "did you mean 'engines'"]),
    ('', ["no engine", "[engines.NAME]"]),
    ('[engines.a\n', ["not TOML"]),
])
def test_every_mistake_names_the_file_the_place_and_what_to_write(tmp_path: Path, text: str, told: list[str]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load_engines(path)
    for part in [str(path), *told]:
        assert part in str(error.value)


def test_a_mistake_in_the_budget_is_told(tmp_path: Path) -> None:
    engine = '[engines.a]\nurl = "http://x"\nmodel = "m"\n'
    with pytest.raises(ConfigError, match=r"\[budget\].*did you mean 'usd'"):
        load_budget(write(tmp_path, f"{engine}[budget]\nusdd = 3\n"))
    with pytest.raises(ConfigError, match=r"\[budget\]: usd = -3 is negative"):
        load_budget(write(tmp_path, f"{engine}[budget]\nusd = -3\n"))


def test_a_missing_file_is_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="winnow init"):
        load_engines(tmp_path / "engines.toml")


def test_a_key_written_into_the_file_is_refused_without_being_shown(tmp_path: Path) -> None:
    for field in ('key_env = "sk-secret-123"', 'url = "http://user:sk-secret-123@x"', 'url = "http://x?k=sk-secret-123"'):
        rest = '' if field.startswith("url") else 'url = "http://x"\n'
        with pytest.raises(ConfigError) as error:
            load_engines(write(tmp_path, f'[engines.a]\n{rest}model = "m"\n{field}\n'))
        assert "sk-secret-123" not in str(error.value)
        assert "key_env" in str(error.value)


def test_an_unknown_engine_is_told_with_the_closest_name() -> None:
    engines = {"llama-8b": Engine(name="llama-8b", model="m")}
    with pytest.raises(ConfigError, match=r"sample asks for engine 'lama-8b'.*did you mean 'llama-8b'"):
        engine_named(engines, "lama-8b", "sample")


def test_a_key_is_read_when_asked_for_and_a_missing_one_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(name="a", model="m", url="http://x", key_env="WINNOW_TEST_KEY")
    monkeypatch.delenv("WINNOW_TEST_KEY", raising=False)
    with pytest.raises(ConfigError, match="WINNOW_TEST_KEY"):
        key_of(engine)
    monkeypatch.setenv("WINNOW_TEST_KEY", " secret\n")
    assert key_of(engine) == "secret"
    assert "secret" not in repr(engine)
    assert key_of(replace(engine, key_env=None)) is None
    monkeypatch.setenv("WINNOW_TEST_KEY", "sec\nret")
    with pytest.raises(ConfigError) as error:
        key_of(engine)
    assert "sec\n" not in str(error.value)


def test_the_cost_is_null_where_price_or_tokens_are_unknown() -> None:
    engine = Engine(name="a", model="m", price_in=2.0, price_out=10.0)
    assert engine.cost(1_000_000, 100_000) == pytest.approx(3.0)
    assert engine.cost(None, 5) is None
    assert replace(engine, price_out=None).cost(1, 1) is None
