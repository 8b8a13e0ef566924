"""attacks: programs that try to get out of the sandbox, to stay behind, or to be called right.

    python -m benchmarks.attacks [--isolation strict]

Every program of benchmarks/attack_programs.py is run, honest programs beside it in the same batch, as the user who
calls this and, where that is root, as a plain user too. Last line: a JSON object.

    attacks       programs run, over all users
    escapes       programs that reached a file, a process, the network or another program, or went beyond a limit
    survivors     processes that were there after the batch
    false_passes  programs whose output was called right; none of them knows what is
    harmed        honest programs beside them that did not give their result
"""

import argparse
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

from benchmarks.attack import Attack
from benchmarks.attack_programs import ATTACKS, STARVING
from feedback.testcases.sandbox import codec, kernel, syscalls
from feedback.testcases.sandbox.job import Job, Limits, Program, Ran
from feedback.testcases.sandbox.runner import Sandbox

CHECKOUT = Path(__file__).resolve().parents[1]
PLAIN_USER = 4242
QUICK = tuple(attack for attack in ATTACKS if attack not in STARVING)
LIMITS = Limits(cpu_s=0.5, memory_mb=256, wall_s=300.0)
WAITING = Limits(cpu_s=0.5, memory_mb=256, wall_s=2.0)
"""For attacks that wait: on a busy machine so short a wall may cost honest programs, so none run beside them."""
SUBREAPER = 36
PATIENCE_S = 30.0
HONEST = (
    Job(Program("python", "def f(x): return x * x", "f"), "call", (codec.encode([12]), codec.encode([13]))),
    Job(Program("python", "print(int(input()) * 2)"), "stdin", ("21\n",)),
    Job(Program("python", "def f(x): return x + 1", "f"), "tests", ("assert candidate(1) == 2",)),
)
RESULTS = (("144", "169"), ("42\n",), ("passed",))
TALKER = Job(Program("python", "def f(x): return 'secret-of-another-program'", "f"), "call", (codec.encode([1]),))


@dataclass(slots=True)
class Found:
    """What a run of all attacks showed, by name."""

    attacks: int = 0
    escapes: list[str] = field(default_factory=list)
    survivors: list[str] = field(default_factory=list)
    false_passes: list[str] = field(default_factory=list)
    harmed: list[str] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)
    """How each attack ended."""


def main() -> None:
    """Run everything and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--isolation", default=None)
    parser.add_argument("--user", type=int, help="run as this user only, and print everything found")
    parser.add_argument("--python", help="the interpreter that programs get")
    parser.add_argument("--quick", action="store_true", help="without the attacks that use up their time")
    options = parser.parse_args()
    if options.user is not None:
        become(options.user)
        print(json.dumps(asdict(run(options.isolation, options.python, QUICK if options.quick else ATTACKS))))
        return
    isolation = options.isolation
    everything = [apart(os.geteuid(), isolation)]
    show(f"as user {os.geteuid()}", everything[-1])
    if os.geteuid() == 0:
        python = reachable(PLAIN_USER)
        if python is None:
            print("not run as a plain user: no Python of 3.11 or later that one could start")
        else:
            everything.append(apart(PLAIN_USER, isolation, python))
            show(f"as user {PLAIN_USER}", everything[-1])
    print(json.dumps({
        "attacks": sum(found.attacks for found in everything),
        **{name: sum(len(getattr(found, name)) for found in everything)
           for name in ("escapes", "survivors", "false_passes", "harmed")}}))


def show(title: str, found: Found) -> None:
    """How each attack ended."""
    print(title)
    for name, end in found.ended.items():
        print(f"  {name:45} {end[:110]}")
    for name in ("escapes", "survivors", "false_passes", "harmed"):
        print(f"  {name}: {getattr(found, name)}")


def run(isolation: str | None = None, python: str | None = None, attacks: tuple[Attack, ...] = ATTACKS) -> Found:
    """All attacks as this user."""
    found = Found()
    kernel.prctl(SUBREAPER, 1)                # whoever outlives a fork server becomes a child of this process
    with canary() as place:
        for slow, limits in ((False, LIMITS), (True, WAITING)):
            batch = [each for each in attacks if each.slow == slow]
            if not batch:
                continue
            with Sandbox(limits=limits, isolation=isolation, workers=2, python=python) as sandbox:
                _batch(sandbox, batch, place, found, () if slow else HONEST)
                found.survivors += _left_beneath(sandbox)
            found.survivors += _orphans()
        found.escapes += place.disturbed()
    return found


def _batch(sandbox: Sandbox, attacks: list[Attack], place: "Canary", found: Found, honest: tuple[Job, ...]) -> None:
    """Run attacks between honest programs, and judge what they gave."""
    truths = {f"98765{secrets.randbelow(10**8):08}": attack for attack in attacks}
    jobs = {id(job): (attack, truth, job) for truth, attack in truths.items()
            for job in [_job(attack, truth, place, sandbox.isolation == "namespaced")]}
    mixed: list[Job] = []
    for _, _, job in jobs.values():
        mixed += [TALKER, job, *honest]
    came: list[tuple[Job, tuple[Ran, ...]]] = []
    for job, rans in sandbox.run(mixed):
        if id(job) in jobs:
            attack, truth, _ = jobs[id(job)]
            _judge(attack, truth, rans[0], place, found)
        elif job is not TALKER:
            came.append((job, rans))
    found.attacks += len(attacks)
    found.harmed += [f"{job.program.source}: {rans}" for job, rans in came
                     if tuple(ran.output for ran in rans) != RESULTS[HONEST.index(job)]]
    if len(came) != len(attacks) * len(honest):
        found.harmed.append("honest programs that never came back")


def _job(attack: Attack, truth: str, place: "Canary", files: bool) -> Job:
    filled = {"$CANARY": str(place.folder), "$PORT": str(place.port), "$RUNNER": str(os.getpid()),
              "$ALLOWED": ", ".join(map(str, _allowed(files)))}
    source, tests = attack.source, attack.tests.replace("$TRUTH", truth)
    for name, value in filled.items():
        source = source.replace(name, value)
    given = {"call": codec.encode([12]), "stdin": "12\n", "tests": tests}[attack.kind]
    return Job(Program("python", source, "f"), attack.kind, (given,))


def _allowed(files: bool) -> list[int]:
    column = list(syscalls.ARCHITECTURES).index(kernel.machine())
    named = {**syscalls.NUMBERS, **syscalls.FILES} if files else syscalls.NUMBERS
    return [number for numbers in named.values() if (number := numbers[column]) is not None]


def _judge(attack: Attack, truth: str, ran: Ran, place: "Canary", found: Found) -> None:
    said = f"{ran.output} {ran.detail}"
    found.ended[attack.name] = f"{ran.status}: {ran.detail if ran.output is None else ran.output!r}"
    if "ESCAPED" in said or place.secret in said or ran.status not in attack.statuses:
        found.escapes.append(f"{attack.name}: {ran.status} {said[:200]}")
    right = {"call": truth, "stdin": truth, "tests": "passed"}[attack.kind]
    if ran.status == "ran" and (ran.output or "").strip() == right:
        found.false_passes.append(attack.name)
    if ran.status == "ran" and attack.kind == "call" and codec.same_value(int(truth), codec.decode(ran.output or "")):
        found.false_passes.append(attack.name)


def _left_beneath(sandbox: Sandbox) -> list[str]:
    """What fork servers have running when all jobs are done."""
    left = []
    for worker in sandbox._pool:
        first = worker.process.pid
        for _ in range(2 * (sandbox.isolation == "bubblewrap")):     # it stays above, once outside and once inside
            first = int(_children(first)[0])
        servers = _children(first)
        left += [f"beneath {first}: {child}" for child in [*servers[1:], *_children(int(servers[0]))]]
    return left


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _orphans() -> list[str]:
    """Processes that came to this one because their parents are gone."""
    end = time.monotonic() + PATIENCE_S       # the kernel kills them when their parents die, and takes a moment
    while _children(os.getpid()) and time.monotonic() < end:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.05)
    return [f"orphan {child}: {Path(f'/proc/{child}/cmdline').read_text()[:60]}" for child in _children(os.getpid())]


@dataclass(slots=True)
class Canary:
    """What nobody may touch: a folder, a listening port and socket, signals to this process, shared segments."""

    folder: Path
    secret: str
    tcp: socket.socket
    unix: socket.socket
    datagrams: socket.socket
    before: str = ""
    signals: list[int] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where the TCP socket listens."""
        port: int = self.tcp.getsockname()[1]
        return port

    def state(self) -> str:
        """All that can be told about the folder and the kernel's shared segments."""
        paths = [self.folder, *sorted(self.folder.iterdir())]
        told = [(path.name, path.stat().st_mode, path.stat().st_uid, path.stat().st_mtime_ns, os.listxattr(path))
                for path in paths]
        strewn = [path for path in ("/dev/shm/winnow-x", "/var/tmp/winnow-x", "/tmp/fill") if Path(path).exists()]
        segments = [line.split()[0] for name in ("shm", "msg", "sem") for line in
                    (Path("/proc/sysvipc") / name).read_text().splitlines()[1:] if line.split()[0] == "4711"]
        return repr((told, (self.folder / "secret").read_text(), strewn, segments))

    def disturbed(self) -> list[str]:
        """What was touched."""
        found = [f"signal {number}" for number in self.signals]
        if self.state() != self.before:
            found.append(f"the canary changed: {self.before} became {self.state()}")
        for name in ("tcp", "unix", "datagrams"):
            try:
                listening: socket.socket = getattr(self, name)
                listening.recvfrom(1) if name == "datagrams" else listening.accept()
                found.append(f"a connection by {name}")
            except BlockingIOError:
                pass
        return found


@contextmanager
def canary() -> Iterator[Canary]:
    """A canary in a folder that anyone may read and write."""
    with tempfile.TemporaryDirectory(prefix="winnow-canary-", dir="/var/tmp") as name, socket.socket() as tcp, \
            socket.socket(socket.AF_UNIX) as unix, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        folder, secret = Path(name), f"canary-{secrets.token_hex(8)}"
        folder.chmod(0o777)
        (folder / "secret").write_text(secret)
        (folder / "secret").chmod(0o666)
        tcp.bind(("127.0.0.1", 0))
        datagrams.bind(("127.0.0.1", tcp.getsockname()[1]))
        unix.bind(str(folder / "socket"))
        (folder / "socket").chmod(0o777)
        for each in (tcp, unix):
            each.listen()
        for each in (tcp, unix, datagrams):
            each.setblocking(False)
        place = Canary(folder, secret, tcp, unix, datagrams)
        os.environ["WINNOW_CANARY"] = secret

        def heard(number: int, _: FrameType | None) -> None:
            place.signals.append(number)

        old = signal.signal(signal.SIGUSR1, heard)
        place.before = place.state()
        try:
            yield place
        finally:
            signal.signal(signal.SIGUSR1, old)
            del os.environ["WINNOW_CANARY"]


def reachable(user: int) -> str | None:
    """A Python that a user without rights can start; None where there is none."""
    for python in (os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            subprocess.run([python, "-S", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"], user=user,
                           group=user, extra_groups=[], check=True, capture_output=True, cwd="/")
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    return None


def apart(user: int, isolation: str | None = None, python: str | None = None, quick: bool = False) -> Found:
    """The attacks in a process of their own, which becomes that user first."""
    command = [sys.executable, "-m", "benchmarks.attacks", "--user", str(user), "--isolation", isolation or "strict"]
    command += ["--python", python] if python else []
    done = subprocess.run([*command, *["--quick"] * quick], cwd=CHECKOUT, stdout=subprocess.PIPE, check=True, text=True)
    return Found(**json.loads(done.stdout.splitlines()[-1]))


def become(user: int) -> None:
    """Give up root's rights, if these are root's."""
    if os.geteuid() == 0 and user != 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        kernel.prctl(kernel.SET_DUMPABLE, 1)      # so that /proc tells about this process


if __name__ == "__main__":
    main()
