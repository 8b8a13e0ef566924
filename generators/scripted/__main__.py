"""The scripted server's command line: python -m generators.scripted."""

import argparse
import asyncio
import gc
import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import uvloop

from generators.scripted.script import DEMO, Script, load_script
from generators.scripted.server import serve
from generators.scripted.stage import Stage
from schemas.errors import ConfigError


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    options = _parser().parse_args(arguments)
    gc.set_threshold(100_000)  # the ledger only grows: looking through it again and again is a fifth of the time
    try:
        script = DEMO if options.script == "demo" else load_script(Path(options.script))
        names = ("latency_ms", "jitter_ms", "slots", "overload", "seed", "key")
        given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
        script = replace(script, **given, ledger=script.ledger and not options.no_ledger)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, suppress(KeyboardInterrupt):
            runner.run(_until_told(script, options.port, options.stop_with_parent))
    except (ConfigError, OSError) as error:
        sys.exit(f"the scripted server cannot start: {error}")


async def _until_told(script: Script, port: int, stop_with_parent: bool) -> None:
    stop = asyncio.Event()
    if stop_with_parent:
        try:
            asyncio.get_running_loop().add_reader(0, _stop_at_end_of_input, stop)
        except PermissionError:
            raise ConfigError("--stop-with-parent needs a pipe as standard input, to see it close") from None
    await serve(script, port, _announce, stop)


def _stop_at_end_of_input(stop: asyncio.Event) -> None:
    if not os.read(0, 4096):
        stop.set()


def _announce(_: Stage, port: int) -> None:
    sys.stdout.write(f"listening on http://127.0.0.1:{port}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m generators.scripted", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--script", default="demo", help="demo, or a TOML file; the options below override it")
    parser.add_argument("--seed", type=int, help="the plant's seed")
    parser.add_argument("--latency-ms", type=float)
    parser.add_argument("--jitter-ms", type=float)
    parser.add_argument("--slots", type=int, help="requests worked on at once")
    parser.add_argument("--overload", choices=("queue", "429"), help="what becomes of requests beyond the slots")
    parser.add_argument("--key", help="the key that requests must carry")
    parser.add_argument("--no-ledger", action="store_true", help="keep counts only")
    parser.add_argument("--stop-with-parent", action="store_true", help="end when standard input closes")
    return parser


if __name__ == "__main__":
    main()
