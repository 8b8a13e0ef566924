"""Start one command confined: a compiler, which reads the system's programs, or a program, which reads what is named.

Run as a script, with its options as JSON in the one argument. The standard library only.
"""

import contextlib
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from feedback.testcases.sandbox import confine, kernel, syscalls

SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/alternatives")
"""Where compilers and what they load lie; nothing of a user's does."""


READY = b"r"
"""What is written on a pipe that the command does not get, once nothing of ours is left to fail but its start."""


def main(options: dict[str, Any]) -> None:
    """Become a throwaway user where this is root, confine, and become the command; tell on a pipe if that fails."""
    os.set_inheritable(options["ready"], False)
    try:
        become(options)
    except BaseException as error:
        os.write(options["ready"], f"{type(error).__name__}: {error}".encode())
        raise


def become(options: dict[str, Any]) -> None:
    """Confine this process, and become the command."""
    folder, program = options["folder"], options.get("program")
    kernel.die_with_parent(options["parent"])
    confine.become_nobody()
    os.chdir(folder)
    tasks = confine.tasks(os.geteuid()) + confine.HEADROOM
    for limit, value in (
            (resource.RLIMIT_CORE, 0), (resource.RLIMIT_CPU, options["cpu_s"]), (resource.RLIMIT_NPROC, tasks),
            (resource.RLIMIT_AS, options["memory_bytes"]), (resource.RLIMIT_FSIZE, options["file_bytes"])):
        resource.setrlimit(limit, (value, value))
    kernel.prctl(kernel.SET_NO_NEW_PRIVS, 1)
    kernel.die_with_parent(options["parent"])
    if program:
        named = [os.open(each, os.O_PATH | os.O_CLOEXEC) for each in (program, *options["reads"])]
        kernel.restrict_files([], programs=named)      # its loader is started; to start a library is to load it
        kernel.perform(kernel.filtering(syscalls.assemble(kernel.machine(), start=True)))
    else:
        system = [_opened(each) for each in SYSTEM if Path(each).is_dir()]
        kernel.restrict_files([], [_opened(folder)], executable=system)
    os.write(options["ready"], READY)
    os.execve(options["command"][0], options["command"], {"PATH": "/usr/bin:/bin", "TMPDIR": folder, "LC_ALL": "C"})


def _opened(folder: str) -> int:
    return os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(json.loads(sys.argv[1]))
