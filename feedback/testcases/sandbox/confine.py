"""How a fork server and its children are confined: what is set once, and what each child sets before it runs.

strict        Landlock (reading the standard library, nothing else), seccomp, rlimits; as root a throwaway user first
namespaced    the same in namespaces of its own: no network, no other process, all files read-only, and for each run an
              empty folder in memory to write in
wrapped       inside bubblewrap or a container: the same, but for what is missing there
unprotected   rlimits only, for kernels that cannot confine; runs only where it was asked for by name
"""

import contextlib
import os
import pwd
import sys
from importlib import import_module
from typing import Any

from feedback.testcases.sandbox import kernel, syscalls

LIBRARY = 5
FOLDER = "/tmp"
HEADROOM = 256
"""The kernel counts all tasks of a user: a plain user's threads in the sandbox may add so many to those there are."""
USERS = range(61_184, 65_520)
"""Where throwaway users are taken from: no distribution gives these numbers to anybody for long."""
PRELOADED = (
    "bisect", "collections.abc", "contextlib", "copy", "functools", "heapq", "itertools", "json", "math", "operator",
    "random", "re", "string", "threading", "time", "typing",
)
"""Loaded before any fork: what programs import often, or what costs a fork next to nothing. Each mapping and each ten
pages of memory cost every fork a microsecond; what is missing is loaded when a program imports it, for 0.5 to 8 ms."""


class Confinement:
    """One way of confining, entered once by the fork server and completed by each child."""

    def __init__(self, name: str, limits: dict[str, Any]) -> None:
        self.name = name
        self.limits = limits
        self.last: list[kernel.Call] = []
        self.tasks = 0
        self.own_folder = False

    def enter(self) -> None:
        """Shed every right that is not needed to fork; raises OSError."""
        runner = os.getppid()
        kernel.perform(kernel.limiting(kernel.CORE, 0))
        kernel.perform(kernel.limiting(kernel.FILES, self.limits["files"]))
        library = os.path.dirname(os.__file__)  # noqa: PTH120 - pathlib would be in every fork
        opened = os.open(library, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        os.dup2(opened, LIBRARY)
        if opened != LIBRARY:
            os.close(opened)
        self.tasks = tasks(os.geteuid()) + HEADROOM if os.geteuid() else self.limits["processes"] + 1
        self.own_folder = self.name == "namespaced"
        self.last = self.limit()
        if self.name == "unprotected":
            kernel.die_with_parent(runner)
            return
        wrapped = self.name == "wrapped"      # what wraps this confines it; what the kernel allows comes on top
        with contextlib.suppress(*[PermissionError] * wrapped):
            become_nobody()
        if self.own_folder:
            kernel.leave_namespaces()
        kernel.prctl(kernel.SET_NO_NEW_PRIVS, 1)
        kernel.prctl(kernel.SET_DUMPABLE, 0)      # else children, one user with it, open its pipes through /proc
        kernel.die_with_parent(runner)
        self.last.append(kernel.filtering(syscalls.last(kernel.machine())))
        if not self.own_folder and (not wrapped or kernel.landlock_version()):
            kernel.restrict_files([LIBRARY])
        kernel.perform(kernel.filtering(syscalls.assemble(kernel.machine(), files=self.own_folder, server=True)))
        if not os.access(library, os.R_OK | os.X_OK) or not os.access(os.__file__, os.R_OK):
            move_library(library, f"/proc/self/fd/{LIBRARY}")

    def hold(self) -> None:
        """Confine a child for good; nothing of the program has run yet."""
        if self.own_folder:
            self.give_folder()
        for each in self.last:
            kernel.perform(each)

    def limit(self) -> list[kernel.Call]:
        """The calls that limit what a child may use."""
        limits = self.limits
        written = max(limits["output_bytes"] + 1, limits["disk_mb"] << 20 if self.own_folder else 0)
        return [kernel.limiting(kind, value) for kind, value in (
            (kernel.CPU, int(limits["cpu_s"]) + 1), (kernel.MEMORY, limits["memory_mb"] << 20),
            (kernel.TASKS, self.tasks), (kernel.FILE_BYTES, written))]

    def give_folder(self) -> None:
        """A folder of the child's own, the one place where it may write."""
        kernel.own_folder(FOLDER, self.limits["disk_mb"])
        opened = os.open(FOLDER, os.O_PATH | os.O_DIRECTORY)
        kernel.restrict_files([LIBRARY], [opened])
        os.close(opened)
        kernel.drop_capabilities()


def preload() -> None:
    """Load what programs commonly import."""
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            import_module(name)


def become_nobody() -> None:
    """As root, become a user that owns nothing and has no name."""
    if os.geteuid() != 0:
        return
    user = unknown_user()
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def unknown_user() -> int:
    """A number that is nobody's. A child looks: what a look into the users' names loads stays in a process for good."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.write(tell, b"%d" % next(each for each in rotated(USERS, os.getpid()) if not known(each)))
        os._exit(0)
    os.close(tell)
    os.waitpid(child, 0)
    user = int(os.read(told, 16) or 0)
    os.close(told)
    if not user:
        raise OSError("no user that is nobody's was found")
    return user


def tasks(user: int) -> int:
    """How many processes and threads a user has."""
    total = 0
    for process in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{process}").st_uid == user:  # noqa: PTH116
                total += len(os.listdir(f"/proc/{process}/task"))  # noqa: PTH208
    return total


def rotated(users: range, by: int) -> list[int]:
    """The users, beginning somewhere else for each process."""
    start = by % len(users)
    return [*users[start:], *users[:start]]


def known(user: int) -> bool:
    """Whether a user has a name here."""
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def move_library(old: str, new: str) -> None:
    """Import from an open descriptor: the throwaway user may not walk the path to the library."""
    sys.path[:] = [path.replace(old, new, 1) if path.startswith(old) else path for path in sys.path]
    for module in list(sys.modules.values()):
        places = getattr(module, "__path__", None)
        if isinstance(places, list):
            places[:] = [path.replace(old, new, 1) for path in places]
    sys.path_importer_cache.clear()
