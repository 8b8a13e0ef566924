"""vLLM as a managed server: an engine's [engines.NAME.vllm] table as the command that serves it. Imports no vLLM.

    [engines.own]
    model = "own"
    weights = "models/own"

    [engines.own.vllm]
    python = "~/vllm/bin/python"
    dtype = "bfloat16"
    max_model_len = 8192

Names are vLLM's own: each becomes the option of `vllm serve` of that name, so that every setting of every version can
be said here, and vLLM itself refuses what it does not know.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from schemas.errors import ConfigError

_MODULE = "vllm.entrypoints.cli.main"
_OURS = {
    "host": "servers listen on 127.0.0.1", "port": "a free one is chosen", "model": "it is a field of the engine",
    "model_tag": "write weights, a field of the engine", "served_model_name": "it is the engine's model",
    "revision": "it is a field of the engine", "gpu_memory_utilization": "write gpu_share, a field of the engine",
    "api_key": "a key must not stand in a command, which others can read; only this machine reaches the server",
}
_DEFAULTS: dict[str, Any] = {"seed": 0, "enable_prefix_caching": True, "disable_uvicorn_access_log": True}
"""Said although most are vLLM's own defaults, so that what a build records is what was served."""
_WITHOUT_GPU: dict[str, Any] = {"enable_chunked_prefill": False}
"""On a CPU, vLLM 0.32 ends with "CPU Generator does not use offset" once it reads the prompt of a request with a seed
in parts, and ours all have one."""


def command(where: str, model: str, weights: str, revision: str | None, gpu_share: float | None,
            settings: Mapping[str, Any], *, gpu: bool) -> tuple[str, ...]:
    """The command that serves weights as `model`, {port} being filled in when it starts.

    Runs vLLM in the interpreter `python`, else the `vllm` on the PATH. `revision` is that of a hub id, None for a
    local folder. `gpu` is false for a vLLM that runs on the CPU. ConfigError, beginning with `where`, for settings that
    are ours or have no form on a command line.
    """
    given = {**_DEFAULTS, **({} if gpu else _WITHOUT_GPU), **settings}
    python = given.pop("python", None)
    if python is not None and not isinstance(python, str):
        raise ConfigError(f'{where}: python = {python!r} is no path; write python = "/path/to/vllm/bin/python"')
    program = [str(Path(python).expanduser()), "-m", _MODULE] if python else ["vllm"]
    head = [*program, "serve", weights, "--host", "127.0.0.1", "--port", "{port}", "--served-model-name", model]
    if revision is not None:
        head += ["--revision", revision]
    if gpu_share is not None:
        head += ["--gpu-memory-utilization", f"{gpu_share:g}"]
    return (*head, *(part for name, value in given.items() for part in _option(where, name, value)))


def at_once(settings: Mapping[str, Any] | None) -> int | None:
    """How many requests the vLLM of these settings answers at once, where they say it."""
    number = {name.replace("-", "_"): value for name, value in (settings or {}).items()}.get("max_num_seqs")
    return number if type(number) is int and number > 0 else None


def _option(where: str, name: str, value: Any) -> Iterator[str]:
    plain = name.replace("-", "_")
    if plain in _OURS:
        raise ConfigError(f"{where}: '{name}' cannot be set: {_OURS[plain]}; remove it")
    option = plain.replace("_", "-")
    if isinstance(value, bool):
        yield f"--{option}" if value else f"--no-{option}"
    elif isinstance(value, str | int | float):
        yield from (f"--{option}", str(value))
    elif isinstance(value, dict):
        yield from (f"--{option}", json.dumps(value, sort_keys=True))
    elif isinstance(value, list) and value and all(isinstance(item, str | int | float) for item in value):
        yield from (f"--{option}", *map(str, value))
    else:
        raise ConfigError(f"{where}: {name} = {value!r} has no form on a command line; write a text, a number, true, "
                          "false, a list or a table")
