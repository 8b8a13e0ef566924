"""The system calls a confined program may make, as a seccomp filter. What is not named is refused.

Refused, among others: fork, exec, sockets, signals to anyone, ptrace, mounts, namespaces, shared memory, keyrings,
changing any file or its attributes, mappings that can be both written and executed, and another limit of CPU time: who
is killed by a lower one would look like killed from outside. Threads need stacks of 8 MiB at least, so that the
address-space limit bounds their number too.
"""

import struct
from collections.abc import Iterable

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, EAGAIN, ENOSYS = 1, 11, 38

# name: number on x86_64, on aarch64 (None: that processor has no such call)
NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "open": (2, None), "close": (3, 57), "stat": (4, None), "fstat": (5, 80),
    "lstat": (6, None), "poll": (7, None), "lseek": (8, 62), "mmap": (9, 222), "mprotect": (10, 226),
    "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "ioctl": (16, 29), "pread64": (17, 67), "pwrite64": (18, 68), "readv": (19, 65),
    "writev": (20, 66), "access": (21, None), "pipe": (22, None), "select": (23, None), "sched_yield": (24, 124),
    "mremap": (25, 216), "madvise": (28, 233), "dup": (32, 23), "dup2": (33, None), "pause": (34, None),
    "nanosleep": (35, 101), "getitimer": (36, 102), "alarm": (37, None), "setitimer": (38, 103),
    "getpid": (39, 172), "sendto": (44, 206), "recvfrom": (45, 207), "shutdown": (48, 210),
    "socketpair": (53, 199), "clone": (56, 220), "exit": (60, 93), "uname": (63, 160), "fcntl": (72, 25),
    "getcwd": (79, 17), "chdir": (80, 49), "readlink": (89, None), "gettimeofday": (96, 169),
    "getrlimit": (97, 163), "getrusage": (98, 165), "sysinfo": (99, 179), "times": (100, 153), "getuid": (102, 174),
    "getgid": (104, 176), "geteuid": (107, 175), "getegid": (108, 177), "getppid": (110, 173), "getpgrp": (111, None),
    "rt_sigpending": (127, 136), "rt_sigtimedwait": (128, 137), "rt_sigsuspend": (130, 133),
    "sigaltstack": (131, 132), "gettid": (186, 178), "time": (201, None), "futex": (202, 98),
    "sched_getaffinity": (204, 123), "epoll_create": (213, None), "getdents64": (217, 61),
    "set_tid_address": (218, 96), "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115), "exit_group": (231, 94), "epoll_wait": (232, None), "epoll_ctl": (233, 21),
    "openat": (257, 56), "newfstatat": (262, 79), "readlinkat": (267, 78), "faccessat": (269, 48),
    "pselect6": (270, 72), "ppoll": (271, 73), "set_robust_list": (273, 99), "epoll_pwait": (281, 22),
    "eventfd2": (290, 19), "epoll_create1": (291, 20), "dup3": (292, 24), "pipe2": (293, 59), "prlimit64": (302, 261),
    "getrandom": (318, 278), "statx": (332, 291), "rseq": (334, 293), "clone3": (435, 435), "close_range": (436, 436),
    "faccessat2": (439, 439),
}
FILES: dict[str, tuple[int | None, int | None]] = {
    "flock": (73, 32), "fsync": (74, 82), "fdatasync": (75, 83), "truncate": (76, 45), "ftruncate": (77, 46),
    "rename": (82, None), "mkdir": (83, None), "rmdir": (84, None), "creat": (85, None), "link": (86, None),
    "unlink": (87, None), "symlink": (88, None), "chmod": (90, None), "fchmod": (91, 52), "umask": (95, 166),
    "mkdirat": (258, 34), "unlinkat": (263, 35), "renameat": (264, 38), "linkat": (265, 37), "symlinkat": (266, 36),
    "fchmodat": (268, 53), "utimensat": (280, 88), "fallocate": (285, 47), "renameat2": (316, 276),
}
"""What changes files, for isolations that give a program a folder and mount all else read-only."""
START: dict[str, tuple[int | None, int | None]] = {"execve": (59, 221), "arch_prctl": (158, None)}
"""What starting a compiled program takes; Landlock says which file may be started."""
SERVER: dict[str, tuple[int | None, int | None]] = {
    "sendmsg": (46, 211), "recvmsg": (47, 212), "wait4": (61, 260), "kill": (62, 129), "prctl": (157, 167),
    "memfd_create": (319, 279),
}
"""What fork servers do besides, and forking."""
FOLDERS: dict[str, tuple[int | None, int | None]] = {
    "capset": (126, 91), "mount": (165, 40), "unshare": (272, 97), "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445), "landlock_restrict_self": (446, 446),
}
"""What fork servers do to give their children a folder."""
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

THREAD, CHILD = 0x3D0F00, 17
"""The flags with which the C library starts a thread, and kernel.fork a process; and nothing else."""
STACK, STACK_BYTES = 0x20000, 8 << 20
CONTROLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""Reading a terminal's settings and size, FIONREAD, FIONBIO, close-on-exec."""
COMMANDS = (0, 1, 2, 3, 4, 1030)
"""fcntl: duplicating and flags. F_SETOWN and F_SETSIG would let the kernel send signals to others."""

_LOAD, _EQUAL, _ABOVE, _SOME, _JUMP, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x05, 0x06

Step = tuple[int, int, int, int]


def assemble(machine: str, files: bool = False, start: bool = False, server: bool = False) -> bytes:
    """The filter for a processor, with FILES, START, or what a server does; raises KeyError for one that is not known.

    The filter of a fork server holds its children too; `last` takes from them what the server has and they may not.
    """
    column = list(ARCHITECTURES).index(machine)
    steps: list[Step] = [
        (_LOAD, 0, 0, 4), (_EQUAL, 1, 0, ARCHITECTURES[machine]), (_RETURN, 0, 0, KILL),
        (_LOAD, 0, 0, 0), (_ABOVE, 0, 1, 0x40000000), (_RETURN, 0, 0, KILL),   # the second set of numbers, x32
    ]
    named = {**NUMBERS, **(FILES if files else {}), **(START if start else {})}
    conditions = CONDITIONS
    if server:
        named |= {**SERVER, **(FOLDERS if files else {})}
        conditions = {**CONDITIONS, "clone": _one_of(0, [THREAD, CHILD]), "prlimit64": _one_of(0, [0])}
    bodies = {number: conditions.get(name, [_give(ALLOW)]) for name, numbers in named.items()
              if (number := numbers[column]) is not None}
    return _packed(steps + _tree(sorted(bodies.items()), _refuse()))


def last(machine: str) -> bytes:
    """The filter by which a fork server's child gives up what only the server may do: small, so cheap to install."""
    column = list(ARCHITECTURES).index(machine)
    bodies = {number: [_refuse()] for numbers in (*SERVER.values(), *FOLDERS.values())
              if (number := numbers[column]) is not None}
    for name in ("clone", "prlimit64"):
        number = NUMBERS[name][column]
        assert number is not None
        bodies[number] = CONDITIONS[name]
    return _packed([(_LOAD, 0, 0, 0), *_tree(sorted(bodies.items()), _give(ALLOW))])


def _packed(steps: Iterable[Step]) -> bytes:
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def _tree(bodies: list[tuple[int, list[Step]]], otherwise: Step) -> list[Step]:
    """A binary search for the number: the kernel walks the filter once for every call there is, at each install."""
    if len(bodies) == 1:
        number, body = bodies[0]
        return [(_EQUAL, 0, len(body), number), *body, otherwise]
    middle = len(bodies) // 2
    low, high = _tree(bodies[:middle], otherwise), _tree(bodies[middle:], otherwise)
    return [(_ABOVE, 0, 1, bodies[middle][0]), (_JUMP, 0, 0, len(low)), *low, *high]


def _give(verdict: int) -> Step:
    return _RETURN, 0, 0, verdict


def _refuse(code: int = EPERM) -> Step:
    return _give(ERRNO | code)


def _argument(index: int, high: bool = False) -> Step:
    return _LOAD, 0, 0, 16 + 8 * index + 4 * high


def _one_of(index: int, values: Iterable[int]) -> list[Step]:
    """Allow when the argument is one of the values."""
    tests = [step for value in values for step in ((_EQUAL, 0, 1, value), _give(ALLOW))]
    return [_argument(index), *tests, _refuse()]


def _without(index: int, bits: int) -> list[Step]:
    """Refuse when the argument has any of the bits; else go on."""
    return [_argument(index), (_SOME, 0, 1, bits), _refuse()]


_WRITE, _EXEC, _ANONYMOUS = 2, 4, 0x20
CONDITIONS: dict[str, list[Step]] = {
    "clone": _one_of(0, [THREAD]),
    "clone3": [_refuse(ENOSYS)],              # the C library then falls back to clone, which we can read
    "ioctl": _one_of(1, CONTROLS),
    "fcntl": _one_of(1, COMMANDS),
    "prlimit64": [
        _argument(0), (_EQUAL, 1, 0, 0), _refuse(),                               # of this process; any but CPU time,
        _argument(1), (_EQUAL, 1, 0, 0), _give(ALLOW),
        _argument(2), (_EQUAL, 1, 0, 0), _refuse(),                               # which may be read, by no new one
        _argument(2, high=True), (_EQUAL, 1, 0, 0), _refuse(), _give(ALLOW),
    ],
    "mprotect": [*_without(2, _EXEC), _give(ALLOW)],
    "mmap": [
        _argument(2), (_SOME, 0, 4, _EXEC), (_SOME, 2, 0, _WRITE), _argument(3), (_SOME, 0, 1, _ANONYMOUS), _refuse(),
        _argument(3), (_SOME, 1, 0, STACK), _give(ALLOW),
        _argument(1, high=True), (_EQUAL, 1, 0, 0), _give(ALLOW),
        _argument(1), (_ABOVE, 0, 1, STACK_BYTES), _give(ALLOW), _refuse(EAGAIN),
    ],
    "socketpair": [
        _argument(0), (_EQUAL, 1, 0, 1), _refuse(),
        _argument(1), (0x54, 0, 0, 0xF), (_EQUAL, 1, 0, 1), _refuse(), _give(ALLOW),
    ],
    "sendto": [
        _argument(4), (_EQUAL, 1, 0, 0), _refuse(),
        _argument(4, high=True), (_EQUAL, 1, 0, 0), _refuse(), _give(ALLOW),
    ],
}
