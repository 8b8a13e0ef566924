"""The fork server: two Pythons that have everything loaded, that the kernel confines, and that fork for each batch.

The second, forked before the first job was read, reads jobs on descriptor 3 and runs programs. The first runs test
programs, which know what is expected: memory is copied by a fork, so whoever runs programs must never have held what is
expected of them. Of a job with tests the second reads the mark, the first all else; the second lends it programs.
Children shed what is left, are held by seccomp and rlimits, and are reaped before the next job.
"""

import _socket
import gc
import os
import sys
from typing import Any

from feedback.testcases.sandbox import gaps, inside, kernel, mappings, records, stand_in
from feedback.testcases.sandbox.children import CHANNEL, Children, Death, Result, died, result
from feedback.testcases.sandbox.confine import Confinement, preload
from feedback.testcases.sandbox.frames import (
    COMMANDS,
    REPLIES,
    Hung,
    exactly,
    read_frame,
    write_all,
    write_frame,
)

KILL, GONE = b"k", b"g"
"""What the first says to the second when tests are over: kill the program; it hung up, so it may be dying by itself."""
TESTS = b"t"
"""The mark of a job with a test program."""
STREAM = (_socket.AF_UNIX, _socket.SOCK_STREAM, 0)
"""The servers' sockets. They are the C module's: `socket` loads a dozen modules more, which every fork would carry."""


def main(config: dict[str, Any]) -> None:
    """Load what programs need, confine this process, fork the second server, and serve until the runner hangs up."""
    limits = config["limits"]
    confinement = Confinement(config["isolation"], limits)
    preload()
    inside.warm(limits["output_bytes"])
    mappings.settle()
    try:
        confinement.enter()
        write_frame(REPLIES, {"python": ".".join(map(str, sys.version_info[:3])), "isolation": confinement.name})
    except OSError as error:
        write_frame(REPLIES, {"refused": f"{error.strerror or error}"})
        return
    os.dup2(0, 2)                             # one pipe for all programs: once full, it would stop each that complains
    gc.collect()
    gc.disable()
    gc.freeze()
    filled = gaps.fill()  # noqa: F841 - kept as long as this process serves
    children = Children(confinement, limits)
    first = os.getpid()
    ours, theirs = _socket.socketpair(*STREAM)
    if kernel.fork() == 0:
        kernel.die_with_parent(first)
        ours.close()
        serve(lambda own: jobs(own, theirs), children)
        os._exit(0)
    theirs.close()
    serve(lambda own: tests(own, ours), children)


def serve(work: Any, children: Children) -> None:
    """Do one job after another until the other side hangs up."""
    try:
        while True:
            work(children)
    except Hung:
        return


def jobs(children: Children, partner: _socket.socket) -> None:
    """The second server's job: run a program, or lend programs to tests until the first server is done with them."""
    if exactly(COMMANDS, 1) == TESTS:
        write_frame(partner.fileno(), True)
        while asked := read_frame(partner.fileno()):
            lend(children, partner, *asked)
        return
    number, kind, source, entry, inputs = read_frame(COMMANDS)
    write_frame(REPLIES, [number, children.run(kind, source, entry, inputs)])


def lend(children: Children, partner: _socket.socket, source: str, entry: str) -> None:
    """Let a program answer the calls that come through a channel, until told that the tests are over."""
    channel = received(partner)
    page = children.page(1)
    pid = children.fork(lambda: stand_in.serve(CHANNEL, page, source, entry, children.cpu_s), channel=channel)
    os.close(channel)
    try:
        over = exactly(partner.fileno(), 1)
    except Hung:
        children.reap(pid)
        raise
    death = (children.ended(pid, 1.0) if over == GONE else None) or children.reap(pid)
    _, found = page.read(1)
    never = found[0][1] if found and found[0][0] == records.NEVER else None
    write_frame(partner.fileno(), [never, death.status, death.cpu_s, death.killed])


def received(partner: _socket.socket) -> int:
    """The descriptor that the first server sends."""
    _, ((_, _, data),), _, _ = partner.recvmsg(1, _socket.CMSG_LEN(4))
    return int.from_bytes(data, sys.byteorder)


def sent(partner: _socket.socket, descriptor: int) -> None:
    """Send a descriptor to the second server."""
    partner.sendmsg([b"c"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptor.to_bytes(4, sys.byteorder))])


def tests(children: Children, partner: _socket.socket) -> None:
    """The first server's job: run tests against programs that the second lends."""
    read_frame(partner.fileno())
    number, _, source, entry, inputs = read_frame(COMMANDS)
    write_frame(REPLIES, [number, [test(children, partner, source, entry, text) for text in inputs]])
    write_frame(partner.fileno(), None)


def test(children: Children, partner: _socket.socket, source: str, entry: str, tests: str) -> Result:
    """The result of a test program against a program."""
    write_frame(partner.fileno(), [source, entry])
    page = children.page(1)
    ours, theirs = _socket.socketpair(*STREAM)
    sent(partner, theirs.fileno())
    theirs.close()
    pid = children.fork(lambda: stand_in.test(CHANNEL, page, tests, entry, children.cpu_s), channel=ours.fileno())
    death = children.wait(pid)
    ours.close()
    _, found = page.read(1)
    gone = bool(found) and found[0][1].startswith(stand_in.GONE)
    write_all(partner.fileno(), GONE if gone else KILL)
    never, status, cpu_s, killed = read_frame(partner.fileno())
    return tested(found, never, death, Death(status, cpu_s, killed), children.cpu_s)


def tested(found: list[records.Record], never: str | None, tester: Death, program: Death, cpu_s: float) -> Result:
    """What the two processes of a test say together."""
    cpu_ms = (tester.cpu_s + program.cpu_s) * 1000
    if never:
        return "error", None, never, cpu_ms
    if [record[0] for record in found] == [records.RAN, records.END] and tester.status == 0:
        status, output, detail, _ = result(found[0])
        return status, output, detail, cpu_ms
    if found and found[0][0] in (records.ERROR, records.OURS):
        status, output, detail, _ = result(found[0])
        if detail == stand_in.GONE and os.WIFSIGNALED(program.status) and not program.killed:
            status, output, detail, _ = died(program, cpu_s)
        return status, output, detail, cpu_ms
    return died(tester, cpu_s)
