"""Runs one command and ends it, with everything it started, when whoever asked for it is gone.

    python -I -S supervise.py PARENT_PID COMMAND...

Standard input is a pipe that the parent holds. When it closes, when the parent dies, or on SIGTERM, the command's
process group is asked to end, then killed, then every descendant that hides in a session of its own. A kill -9 of the
parent is seen as the pipe's end; a kill -9 of this process reaches the command as its parent-death signal. Runs by its
path, without Winnow's packages, so that it starts in a moment and works with any interpreter's command.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

GRACE_S = 10.0
"""How long the command may take to end by itself."""
_POLL_S = 0.2
_PDEATHSIG, _CHILD_SUBREAPER = 1, 36


def main() -> int:
    """Run the command; the exit status is the command's, 127 where it cannot run, 128 + 15 where it was ended."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    asked_to_stop, wake = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.write(wake, b"x"))
    _prctl(_CHILD_SUBREAPER, 1)
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_die_with_us)
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]}: {error.strerror}\n")
        return 127
    ended = None
    while ended is None and not _left_alone(asked_to_stop, parent):
        ended = child.poll()
    _end(child)
    return ended if ended is not None else 128 + signal.SIGTERM


def _die_with_us() -> None:
    _prctl(_PDEATHSIG, signal.SIGKILL)


def _left_alone(asked_to_stop: int, parent: int) -> bool:
    """Whether it is time to end: the pipe closed, a signal came, or the parent is another."""
    ready, _, _ = select.select([sys.stdin.fileno(), asked_to_stop], [], [], _POLL_S)
    return bool(ready) or os.getppid() != parent


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the command's group, kindly then not, and whatever hides elsewhere."""
    _signal_group(child.pid, signal.SIGTERM)
    patience = time.monotonic() + GRACE_S
    while child.poll() is None and time.monotonic() < patience:
        time.sleep(0.02)
    _signal_group(child.pid, signal.SIGKILL)
    child.wait()
    patience = time.monotonic() + GRACE_S
    while (left := _descendants(os.getpid())) and time.monotonic() < patience:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _reap()
        time.sleep(0.01)


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _descendants(root: int) -> list[int]:
    """Living descendants by /proc: as a subreaper we inherit every orphan of ours. Empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, ppid = entry.read_text().rpartition(")")[2].split()[:2]
            children.setdefault(int(ppid), []).extend([int(entry.parent.name)] if state != "Z" else [])
    found: list[int] = []
    queue = [root]
    while queue:
        queue += (more := children.get(queue.pop(), []))
        found += more
    return found


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _prctl(option: int, value: int) -> None:
    """Linux only; elsewhere the pipe and the process group do the work."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
