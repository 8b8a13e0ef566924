"""What the Linux kernel does for us, by ctypes and without privileges: Landlock, seccomp, prctl, raw system calls.

The standard library only: this file is also run inside the sandbox.
"""

import ctypes
import errno
import os
import struct
from functools import cache
from typing import Any

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
SET_PDEATHSIG, SET_DUMPABLE, SET_SECCOMP, SET_NO_NEW_PRIVS = 1, 4, 22, 38
FILTER_MODE = 2
CLONE, SIGCHLD = {"x86_64": 56, "aarch64": 220}, 17
GETPPID, PRCTL, PRLIMIT = ({"x86_64": 110, "aarch64": 173}, {"x86_64": 157, "aarch64": 167},
                           {"x86_64": 302, "aarch64": 261})
SETITIMER, DUP3, CLOSE_RANGE = {"x86_64": 38, "aarch64": 103}, {"x86_64": 292, "aarch64": 24}, 436
PPOLL = {"x86_64": 271, "aarch64": 73}
CPU, FILE_BYTES, CORE, TASKS, FILES, MEMORY = 0, 1, 4, 6, 7, 9
"""What prlimit limits. The module that has these would be in every fork, which each of its mappings makes dearer."""
LAST, PROCESS_TIME = 0x7FFFFFFF, 2
"""The last descriptor there can be; the timer that runs while a process computes, of the three that setitimer sets."""

EXECUTE, READ_FILE, READ_DIR = 1 << 0, 1 << 2, 1 << 3
FS_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many file-system rights each Landlock version that added some knows."""
NET_RIGHTS = 0b11
SCOPES = 0b11

# A plain ctypes.CDLL would let go of the interpreter's lock, which a system call that forks must not.
_libc = ctypes.PyDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class KernelError(OSError):
    """The kernel refused something the sandbox stands on."""


@cache
def machine() -> str:
    """The processor's name, as syscalls.NUMBERS knows it."""
    name = os.uname().machine.lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)


Call = tuple[Any, ...]
"""A system call with its arguments, as ctypes takes them."""


def prepared(number: int, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> Call:
    """A call to be made later, by a child: it then makes no objects, and pays for few of the pages they lie on."""
    return tuple(ctypes.c_long(value) if isinstance(value, int) else value for value in (number, *arguments))


syscall = _libc.syscall
"""Makes a call; negative where the kernel refuses."""


def perform(made: Call) -> int:
    """Make a system call; raises KernelError."""
    result: int = syscall(*made)
    if result < 0:
        code = ctypes.get_errno()
        raise KernelError(code, f"system call {made[0].value}: {errno.errorcode.get(code, code)}")
    return result


def call(number: int, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """A raw system call; raises KernelError."""
    return perform(prepared(number, *arguments))


_FORK = prepared(CLONE.get(machine(), -1), SIGCHLD, 0, 0, 0, 0)
DIE = prepared(PRCTL.get(machine(), -1), SET_PDEATHSIG, 9, 0, 0, 0)
PARENT = prepared(GETPPID.get(machine(), -1))


def fork() -> int:
    """Fork without Python's hooks, which cost as much as the fork: this process has one thread and nothing to mend."""
    return perform(_FORK)


def prctl(option: int, value: int, third: int = 0) -> None:
    """The prctl system call; raises KernelError."""
    call(PRCTL[machine()], option, value, third, 0, 0)


def die_with_parent(parent: int) -> None:
    """Be killed when the parent dies, also when it died before this call."""
    perform(DIE)
    if perform(PARENT) not in (parent, 0):       # 0: the parent stands outside of this process's namespace
        os._exit(1)


def limiting(kind: int, value: int) -> Call:
    """The call that limits this process in something for good."""
    both = ctypes.create_string_buffer(struct.pack("QQ", value, value), 16)
    return prepared(PRLIMIT.get(machine(), -1), 0, kind, both, None)


def hung(descriptor: int) -> bool:
    """Whether the other side of a descriptor is gone. The module that has poll would be in every fork."""
    asked = ctypes.create_string_buffer(struct.pack("ihh", descriptor, 0, 0), 8)
    return call(PPOLL[machine()], asked, 1, bytes(16), None, 0) > 0


def timing(seconds: float) -> Call:
    """The call that kills this process after so much CPU time."""
    whole, rest = divmod(round(seconds * 1e6), 1_000_000)
    return prepared(SETITIMER.get(machine(), -1), PROCESS_TIME,
                    ctypes.create_string_buffer(struct.pack("4q", 0, 0, whole, rest), 32), None)


def copying(descriptor: int, to: int) -> Call:
    """The call that copies a descriptor to another number."""
    return prepared(DUP3.get(machine(), -1), descriptor, to, 0)


def closing(first: int, last: int) -> Call:
    """The call that closes descriptors."""
    return prepared(CLOSE_RANGE, first, last, 0)


def landlock_version() -> int:
    """The kernel's Landlock version; 0 where it has none."""
    try:
        return call(CREATE_RULESET, None, 0, 1)
    except KernelError:
        return 0


def restrict_files(readable: list[int], folders: list[int] | None = None, programs: list[int] | None = None,
                   executable: list[int] | None = None) -> None:
    """Confine this process for good: files may be read beneath `readable` only, and everything done in `folders`.

    Both are open directories. `programs` are open files that may be run, `executable` directories whose files may.
    Where the kernel knows how, TCP and signals or abstract sockets to others go too.
    """
    version = landlock_version()
    handled = (1 << max(count for since, count in FS_RIGHTS.items() if since <= version)) - 1
    attributes = struct.pack("QQQ", handled, NET_RIGHTS if version >= 4 else 0, SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = call(CREATE_RULESET, attributes, size, 0)
    rules = [(folder, READ_FILE | READ_DIR) for folder in readable] + [(folder, handled) for folder in folders or []]
    rules += [(program, EXECUTE | READ_FILE) for program in programs or []]
    rules += [(folder, EXECUTE | READ_FILE | READ_DIR) for folder in executable or []]
    for folder, rights in rules:
        call(ADD_RULE, ruleset, 1, struct.pack("=Qi", rights, folder), 0)
    call(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def filtering(program: bytes) -> Call:
    """The call that filters this process's system calls for good; `program` is from syscalls.assemble or last."""
    code = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code)), 16)
    _kept.append(code)
    return prepared(PRCTL.get(machine(), -1), SET_SECCOMP, FILTER_MODE, header, 0, 0)


_kept: list[ctypes.Array[ctypes.c_char]] = []


UNSHARE, CAPSET, MOUNT_SETATTR = {"x86_64": 272, "aarch64": 97}, {"x86_64": 126, "aarch64": 91}, 442
NEW_MOUNTS, NEW_REST = 0x20000, 0x10000000 | 0x20000 | 0x4000000 | 0x8000000 | 0x20000000 | 0x40000000
"""Mounts; and user, mounts, host name, shared memory, processes, network."""


def leave_namespaces() -> None:
    """Enter namespaces of our own, in which all files are read-only and children have numbers of their own."""
    user, group = os.getuid(), os.getgid()
    prctl(SET_DUMPABLE, 1)                    # else the maps below belong to root
    call(UNSHARE[machine()], NEW_REST)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123
            file.write(text)
    mount(None, "/", None, 0x4000 | 0x40000)            # all of it, private
    call(MOUNT_SETATTR, -100, b"/\0", 0x8000, struct.pack("QQQQ", 1 | 2 | 4, 0, 0, 0), 32)   # ro, nosuid, nodev


def own_folder(path: str, megabytes: int) -> None:
    """Mount an empty folder that only this process sees, and go there."""
    call(UNSHARE[machine()], NEW_MOUNTS)
    mount("winnow", path, "tmpfs", 2 | 4 | 8, f"size={megabytes}m,nr_inodes=1024,mode=0700")
    os.chdir(path)


def drop_capabilities() -> None:
    """Give up every right over the namespaces."""
    call(CAPSET[machine()], struct.pack("II", 0x20080522, 0), struct.pack("6I", *[0] * 6))


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """The mount system call; raises KernelError."""
    texts = [None if text is None else text.encode() for text in (source, target, kind, options)]
    if _libc.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3]) < 0:
        code = ctypes.get_errno()
        raise KernelError(code, f"mounting {target}: {errno.errorcode.get(code, code)}")
