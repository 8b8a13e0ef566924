"""Opens the Dagster UI on the instance that `winnow build` writes to: `make ui`, or `python -m pipelines.ui`."""

import os
import signal
import socket
import sys
from pathlib import Path

from rich.console import Console

from assets.home import Home
from assets.runs import bury_dead_runs, open_instance
from schemas.errors import ConfigError, WinnowError

CHECKOUT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"


def main() -> None:
    """Prepare the instance, then become `dagster dev`; Ctrl-C stops it and all it started."""
    console = Console(stderr=True)
    try:
        port = free_port(os.environ.get("PORT", "3000"))
        home = prepare(console)
    except WinnowError as error:
        console.print(f"{type(error).__name__}: {error}", style="red", highlight=False, markup=False)
        sys.exit(1)
    console.print(f"Dagster UI: http://{HOST}:{port} in about half a minute; Ctrl-C stops it", highlight=False)
    # A shell that starts us in the background has SIGINT ignored, Dagster copies that to SIGTERM: only -9 would help.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.chdir(CHECKOUT)  # Dagster resolves workspace.yaml's working_directory against the current folder
    os.environ |= {"WINNOW_HOME": str(home.root), "DAGSTER_HOME": str(home.dagster)}
    os.execv(sys.executable, [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-h", HOST, "-p", port])


def prepare(console: Console) -> Home:
    """Create the instance before anything parallel opens it, and bury the runs of dead processes."""
    home = Home.find()
    with open_instance(home.dagster) as instance:
        for run_id in bury_dead_runs(instance):
            console.print(f"run {run_id[:8]} was killed: marked as failed, its pool slots are free again")
    return home


def free_port(wanted: str) -> str:
    """The port, if nothing listens on it."""
    if not wanted.isdigit() or not 0 < int(wanted) < 65536:
        raise ConfigError(f"PORT={wanted} is no port; say for example PORT=3001 make ui")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, int(wanted)))
        except OSError as error:
            raise ConfigError(f"port {wanted} of {HOST} cannot be used ({error.strerror}); "
                              f"say for example PORT={int(wanted) + 1} make ui") from None
    return wanted


if __name__ == "__main__":
    main()
