"""A worker process that compares answers by algebra; workers.py starts it and talks to it in lines of JSON.

    python -m feedback.testcases.maths.worker PARENT_PID SECONDS

It may take SECONDS of CPU, not of wall, for each text and each pair: then the kernel ends it, wherever it hangs, and a
busy machine changes no verdict. It dies with its parent. Before each piece of work it says what begins.
"""

import contextlib
import ctypes
import json
import logging
import os
import resource
import signal
import sys
from functools import partial

from feedback.testcases.maths import algebra
from feedback.testcases.maths.equal import Equal, judge
from feedback.testcases.maths.form import Form

MEMORY = 2 << 30
"""Bytes of address space."""
_PDEATHSIG = 1


def main() -> None:
    """Answer one line by one line until standard input ends."""
    parent, seconds = int(sys.argv[1]), float(sys.argv[2])
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable(logging.CRITICAL)
    import math_verify  # noqa: F401  # before the first clock starts

    for line in sys.stdin.buffer:
        gold, answer, strict = json.loads(line)
        verdict = judge(gold, answer, partial(_compared, seconds), strict)
        signal.setitimer(signal.ITIMER_PROF, 0)
        _say({"verdict": verdict})


def _compared(seconds: float, one: Form, other: Form) -> Equal:
    for form in (one, other):
        _begin(form.text, seconds)
        with contextlib.suppress(Exception):
            algebra.alone(form)
    _begin(None, seconds)
    return algebra.compared(one, other)


def _begin(text: str | None, seconds: float) -> None:
    """Say which text, or that the pair, is next, and give it the whole of its time."""
    _say({"begins": text})
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _say(message: dict[str, str | None]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
