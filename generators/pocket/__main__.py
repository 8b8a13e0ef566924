"""The pocket server's command line: python -m generators.pocket --port 8000."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

import uvloop

from generators.pocket.pool import Ended
from generators.pocket.server import MODELS, serve
from schemas.errors import ConfigError


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    options = _parser().parse_args(arguments)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_told(options))
    except (ConfigError, Ended, OSError) as error:
        sys.exit(f"the pocket server ends: {error}")


async def _until_told(options: argparse.Namespace) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if options.stop_with_parent:
        try:
            loop.add_reader(0, _stop_at_end_of_input, stop)
        except PermissionError:
            raise ConfigError("--stop-with-parent needs a pipe as standard input, to see it close") from None
    await serve(options.models, options.port, options.workers, _announce, stop)


def _stop_at_end_of_input(stop: asyncio.Event) -> None:
    if not os.read(0, 4096):
        stop.set()


def _announce(port: int) -> None:
    sys.stdout.write(f"listening on http://127.0.0.1:{port}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m generators.pocket", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--models", type=Path, default=MODELS, help="a folder of model folders; default: the family")
    parser.add_argument("--workers", type=int, help="processes that compute; default: one for each core, up to 4")
    parser.add_argument("--stop-with-parent", action="store_true", help="end when standard input closes")
    return parser


if __name__ == "__main__":
    main()
