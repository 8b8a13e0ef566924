"""What a scripted server plays: its models, its pace, its faults; the demo script, and scripts read from TOML.

Faults are drawn as `generators.plant` says, from the digest of a request's body without its seed:

    never_answer, never_parse   draw(s, "never_answer" or "never_parse", digest): the same on every try
    malformed                   draw(s, "malformed", digest, request seed): a re-ask, having a new seed, draws again
    500, 429, hang, cut         draw(s, "transport", digest, request seed, times this very body came before), laid
                                along [0, 1) in this order: most vanish on the next try
    pace                        latency_ms + jitter_ms * (2 * draw(s, "pace", digest, request seed, times) - 1)
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from generators.plant import Model, draw
from schemas.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Which share of requests goes wrong, and how; all are shares in [0, 1]."""

    error_500: float = 0.0
    """Answered with 500; drawn anew on each try."""
    error_429: float = 0.0
    """Answered with 429 and Retry-After; drawn anew on each try."""
    hang: float = 0.0
    """Never answered, the connection staying open: the client's timeout must end it; drawn anew on each try."""
    cut: float = 0.0
    """The connection closes in the middle of the body; drawn anew on each try."""
    malformed: float = 0.0
    """Status 200, but not the asked format: a judge's broken JSON, a generator's empty text; drawn for each seed."""
    never_parse: float = 0.0
    """As malformed, for every seed of the same request."""
    never_answer: float = 0.0
    """500 for ever."""

    def transport(self, seed: int, digest: str, request_seed: int, times: int) -> str:
        """The fault of this try: 500, 429, hang, cut, never_answer, or empty where the reply goes out."""
        if self.never_answer and draw(seed, "never_answer", digest) < self.never_answer:
            return "never_answer"
        shares = (("500", self.error_500), ("429", self.error_429), ("hang", self.hang), ("cut", self.cut))
        if not any(share for _, share in shares):
            return ""
        left = draw(seed, "transport", digest, request_seed, times)
        for name, share in shares:
            if left < share:
                return name
            left -= share
        return ""

    def content(self, seed: int, digest: str, request_seed: int) -> str:
        """The fault of this reply's content: never_parse, malformed, or empty where it is as asked."""
        if self.never_parse and draw(seed, "never_parse", digest) < self.never_parse:
            return "never_parse"
        if self.malformed and draw(seed, "malformed", digest, request_seed) < self.malformed:
            return "malformed"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What a scripted server plays."""

    models: tuple[Model, ...]
    seed: int = 0
    """The plant's seed: another seed, other errors, noise and faults."""
    latency_ms: float = 0.0
    """How long a request takes once it has a slot."""
    jitter_ms: float = 0.0
    """The latency varies evenly by up to this much either way."""
    slots: int | None = None
    """How many requests are worked on at once; None: no limit."""
    overload: Literal["queue", "429"] = "queue"
    """What becomes of requests beyond the slots."""
    retry_after_s: float = 0.05
    """What a 429 asks the client to wait."""
    hang_s: float = 600.0
    """How long a hanging request is held before its connection is closed."""
    key: str | None = field(default=None, repr=False)
    """The key that requests must carry; others get 401."""
    ledger: bool = True
    """Whether to note every request; counts are kept either way."""
    faults: Faults = Faults()

    def model(self, name: object) -> Model | None:
        """The model of this name."""
        return next((model for model in self.models if model.name == name), None)

    def pace_s(self, digest: str, request_seed: int, times: int) -> float:
        """How many seconds this request takes once it has a slot."""
        if not self.jitter_ms:
            return self.latency_ms / 1000
        swing = 2 * draw(self.seed, "pace", digest, request_seed, times) - 1
        return max(0.0, self.latency_ms + self.jitter_ms * swing) / 1000


DEMO = Script(
    models=(
        Model(name="scripted-small", skill=0.35, verbosity=0.5, voice=0),
        Model(name="scripted-medium", skill=0.65, verbosity=0.3, voice=1),
        Model(name="scripted-large", skill=0.9, verbosity=0.2, voice=2),
        Model(name="judge-steady", noise=0.5, voice=3, skill=0.95),
        Model(name="judge-first", noise=1.5, position_bias=1.5, voice=4),
        Model(name="judge-wordy", noise=2.0, length_bias=0.4, voice=5),
        Model(name="judge-even", noise=1.0, tie=2.0, voice=3),
    ),
)
"""Three generators of rising skill; four judges: steady, favouring the first, loving words, tying."""


def load_script(path: Path) -> Script:
    """A script from TOML: Script's fields at the top, then [faults], then one [models.NAME] table for each model.

    ConfigError names the file, the table, the field and what is allowed there.
    """
    try:
        raw = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give the path of a script in TOML") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None
    models = raw.pop("models", None)
    if not isinstance(models, dict) or not models:
        raise ConfigError(f"{path}: has no models; add a table [models.NAME], for example with skill = 0.8")
    faults = Faults(**_known(Faults, raw.pop("faults", {}), f"{path} [faults]"))
    cast = [Model(name=name, **_known(Model, table, f"{path} [models.{name}]")) for name, table in models.items()]
    script = Script(models=tuple(cast), **_known(Script, raw, str(path)))
    return replace(script, faults=faults)


def _known(kind: type, table: Mapping[str, Any], where: str) -> dict[str, Any]:
    types = {f.name: f.type for f in fields(kind) if f.name not in ("name", "models", "faults")}
    for name, value in table.items():
        if name not in types:
            raise ConfigError(f"{where}: there is no field '{name}'; write one of {', '.join(sorted(types))}")
        if wrong := _wrong(value, types[name], kind is Faults):
            raise ConfigError(f"{where}: {name} = {value!r} is not {wrong}")
    return dict(table)


def _wrong(value: object, kind: Any, share: bool) -> str:
    """What the value should be, in words; empty where it is that."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float:
        if not number:
            return "a number"
        return "a share between 0 and 1" if share and not 0 <= value <= 1 else ""  # type: ignore[operator]
    if get_origin(kind) is Literal:
        return "" if value in get_args(kind) else f"one of {', '.join(get_args(kind))}"
    if kind is bool:
        return "" if isinstance(value, bool) else "true or false"
    if kind is str or kind == str | None:
        return "" if isinstance(value, str) else "a text"
    return "" if number and isinstance(value, int) else "a whole number"
