"""The system-call filters of the sandbox: which calls they allow, and that a program has less than its fork server."""

import pytest

from feedback.testcases.sandbox import isolation, kernel, syscalls
from feedback.testcases.sandbox.codec import decode, encode
from feedback.testcases.sandbox.job import Job, Program
from feedback.testcases.sandbox.runner import Sandbox


@pytest.mark.parametrize("machine", sorted(syscalls.ARCHITECTURES))
def test_the_filter_of_each_processor_is_short_and_jumps_forward(machine: str) -> None:
    program = syscalls.assemble(machine)
    assert len(program) % 8 == 0
    assert len(program) // 8 < 4096


def test_the_filter_allows_no_call_that_reaches_beyond_the_process() -> None:
    forbidden = {"execve", "execveat", "fork", "vfork", "kill", "tkill", "tgkill", "ptrace", "socket", "connect",
                 "bind", "shmget", "unlink", "rename", "chmod", "mount", "bpf", "io_uring_setup", "prctl",
                 "memfd_create"}
    assert not forbidden & set(syscalls.NUMBERS)


@pytest.mark.skipif(isolation.strict_misses() is not None, reason=f"{isolation.strict_misses()}")
def test_a_program_may_not_do_what_only_its_fork_server_may() -> None:
    column = list(syscalls.ARCHITECTURES).index(kernel.machine())
    servers = [numbers[column] for numbers in (*syscalls.SERVER.values(), *syscalls.FOLDERS.values())]
    fork = [syscalls.NUMBERS["clone"][column], syscalls.CHILD, 0, 0, 0, 0]
    tried = [fork, *([number, -1, -1, -1, -1, -1] for number in servers)]
    source = """
import ctypes
def f(calls):
    libc = ctypes.CDLL(None, use_errno=True)
    return [(libc.syscall(*map(ctypes.c_long, call)), ctypes.get_errno()) for call in calls]"""
    with Sandbox(workers=1) as sandbox:
        ((_, (ran,)),) = sandbox.run([Job(Program("python", source, "f"), "call", (encode([tried]),))])
    assert decode(ran.output or "") == [(-1, 1)] * len(tried)
