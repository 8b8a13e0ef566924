"""Which confinement to use: what this kernel can do, what was asked for, and what to say where it cannot be had."""

import platform
import shutil
from collections.abc import Sequence

from feedback.testcases.sandbox import kernel, syscalls
from schemas.errors import ConfigError, SandboxError

ISOLATIONS = ("strict", "namespaced", "bubblewrap", "command", "unprotected")


def chosen(asked: str | None, command: bool) -> str:
    """The isolation to run under; raises ConfigError for an unknown one, SandboxError where the kernel cannot."""
    if asked is not None and asked not in ISOLATIONS:
        raise ConfigError(f"isolation {asked!r} is none of {', '.join(ISOLATIONS)}")
    if command:
        if asked not in (None, "command"):
            raise ConfigError(f"a command is its own isolation: leave out isolation={asked!r}")
        return "command"
    if asked == "command":
        raise ConfigError("isolation='command' needs the command that starts a container")
    if asked in (None, "strict"):
        missing = strict_misses()
        if missing:
            raise SandboxError(
                f"programs cannot be confined here: {missing}. Remedies: a Linux kernel of 5.13 or later with Landlock "
                "in its list of security modules (lsm=landlock,... on the kernel's command line); or a container: "
                "Sandbox(command=('docker', 'run', '--rm', '-i', '--network=none', 'python:3.11-slim')); or, only for "
                "programs you would run by hand, Sandbox(isolation='unprotected')")
        return "strict"
    return asked


def strict_misses() -> str | None:
    """What this machine lacks for isolation "strict"; None where it lacks nothing."""
    if platform.system() != "Linux":
        return f"{platform.system()} has neither Landlock nor seccomp"
    if kernel.machine() not in syscalls.ARCHITECTURES:
        return f"the system calls of {kernel.machine()} are not known to Winnow"
    if kernel.landlock_version() < 1:
        return f"kernel {platform.release()} has no Landlock, or it is switched off"
    return None


def prefix_of(isolation: str, command: Sequence[str]) -> tuple[str, ...]:
    """What a fork server is started by."""
    if isolation == "command":
        return tuple(command)
    if isolation != "bubblewrap":
        return ()
    found = shutil.which("bwrap")
    if found is None:
        raise SandboxError("isolation 'bubblewrap' needs the program bwrap: install the package bubblewrap, or use "
                           "isolation 'strict'")
    return ("env", "-i", found, "--ro-bind", "/", "/", "--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev",
            "--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL",
            "--die-with-parent", "--new-session", "--")
