"""Programs that try to leave a sandbox, to stay behind, to be called right, or to harm what runs beside them.

Each is a text with $CANARY (a folder anyone may write, with a file `secret` anyone may read), $PORT (a listening port),
$RUNNER (the process id of the one who runs it) filled in. A program that got what it wanted answers ESCAPED. None knows
the right answer: whatever is called right is a false pass.
"""
# ruff: noqa: E501

from benchmarks.attack import Attack, call
from benchmarks.attack_forgeries import FORGING, TESTED

STARVING = (
    call("fork bomb", "while True:\n    try: os.fork()\n    except OSError: return 'stopped'"),
    call("thread bomb", """
import threading
threads = []
try:
    for _ in range(100000):
        threads.append(threading.Thread(target=time.sleep, args=(30,), daemon=True)); threads[-1].start()
except RuntimeError: pass
return 'ESCAPED by %d threads' % len(threads) if len(threads) > 1000 else 'stopped'"""),
    call("thread bomb with small stacks", """
import threading
threading.stack_size(32768)
count = 0
try:
    for _ in range(100000):
        threading.Thread(target=time.sleep, args=(30,), daemon=True).start(); count += 1
except RuntimeError: pass
return 'ESCAPED by %d threads' % count if count > 1000 else 'stopped'"""),
    call("memory bomb", "held = []\nwhile True: held.append(bytearray(1 << 24))"),
    call("two GiB at once", "return 'ESCAPED' if len(bytearray(2 << 30)) else 0"),
    call("memory bomb in children", "for _ in range(8):\n    if os.fork() == 0: held = bytearray(900 << 20); time.sleep(30)"),
    call("disk fill", "with open('/tmp/fill', 'wb') as file:\n    while True: file.write(b'x' * (1 << 20))"),
    call("disk fill in the canary", "with open('$CANARY/fill', 'wb') as file: file.write(b'x' * (1 << 20))"),
    call("inode fill", "for at in range(10**6): open(f'$CANARY/{at}', 'w').close()"),
    call("memfd fill", "at = os.memfd_create('m')\nos.ftruncate(at, 1 << 34)\nreturn 'ESCAPED'"),
    call("infinite loop", "while True: pass", statuses=frozenset({"timeout"})),
    call("loop that stops its timer", "signal.setitimer(signal.ITIMER_PROF, 0)\nwhile True: pass",
         statuses=frozenset({"timeout"})),
    call("loop that ignores all signals", """
for each in range(1, 65):
    try: signal.signal(each, signal.SIG_IGN)
    except (OSError, ValueError): pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
while True: pass""", statuses=frozenset({"timeout"})),
    call("CPU burn in children", "for _ in range(8):\n    if os.fork() == 0:\n        while True: pass"),
    call("sleep", "time.sleep(3600)", slow=True, statuses=frozenset({"timeout"})),
    Attack("infinite output", "while True: print('y' * 1000)", "stdin", statuses=frozenset({"error"})),
    Attack("a sparse output", "import os\nos.pwrite(1, b'x', 1 << 40)", "stdin", statuses=frozenset({"error"})),
    call("deep recursion", "import sys\nsys.setrecursionlimit(10**9)\ndef g(): return [g()]\nreturn g()"),
    call("deep recursion in C", "import sys\nsys.setrecursionlimit(10**9)\nv = []\nfor _ in range(10**6): v = [v]\n"
         "return repr(v)[:5]"),
    call("a full standard error", "for _ in range(40): os.write(2, b'x' * 8192)\nreturn 1", slow=True, statuses=frozenset({"ran"})),
    call("full pipes", """
pipes = []
try:
    while True:
        pipes.append(os.pipe())
        os.set_blocking(pipes[-1][1], False)
        while os.write(pipes[-1][1], bytes(1 << 16)): pass
except BlockingIOError: pass
except OSError: return len(pipes)""", statuses=frozenset({"ran"})),
    call("a thread that goes on without the first", """
import threading
def spin():
    while True: pass
threading.Thread(target=spin).start()
system(60, 0)""", statuses=frozenset({"timeout"})),
    call("a thread that waits without the first", "import threading\nthreading.Thread(target=time.sleep, args=(600,)).start()\nsystem(60, 0)",
         slow=True, statuses=frozenset({"timeout"})),
    call("a huge integer as text", "sys.set_int_max_str_digits(0)\nreturn str(7 ** 10**8)",
         statuses=frozenset({"timeout", "error"})),
)

LEAVING = (
    call("sockets", """
import socket
def to(): socket.create_connection(('127.0.0.1', $PORT), 2).send(b'hello')
def listen(): socket.socket().listen()
def datagram(): socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', $PORT))
def local(): socket.socket(socket.AF_UNIX).connect('$CANARY/socket')
def raw(): socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
return tried(to=to, listen=listen, datagram=datagram, local=local, raw=raw)"""),
    call("a datagram through a pair", """
import socket
def pair(): socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'x', '$CANARY/socket')
def stream(): socket.socketpair()[0].sendto(b'x', '$CANARY/socket')
return tried(pair=pair, stream=stream)"""),
    call("read what others wrote", """
import pathlib
home = pathlib.Path('/root')
return tried(secret=lambda: open('$CANARY/secret').read(), passwd=lambda: open('/etc/passwd').read(),
    shadow=lambda: open('/etc/shadow').read(), folder=lambda: os.listdir('$CANARY'), root=lambda: os.listdir('/'),
    home=lambda: os.listdir(home), keys=lambda: os.listdir(home / '.ssh'), tmp=lambda: os.listdir('/var/tmp'))"""),
    call("read processes", """
parent = os.getppid()
return tried(own=lambda: open('/proc/self/environ').read(), parents=lambda: open(f'/proc/{parent}/environ').read(),
    runners=lambda: open('/proc/$RUNNER/environ').read(), line=lambda: open('/proc/$RUNNER/cmdline').read(),
    maps=lambda: open(f'/proc/{parent}/maps').read(), memory=lambda: open(f'/proc/{parent}/mem', 'rb'),
    own_memory=lambda: open('/proc/self/mem', 'r+b'), all=lambda: os.listdir('/proc'))"""),
    call("descriptors of other processes", """
parent, opened = os.getppid(), []
for process in {1, 2, 3, $RUNNER, *range(max(1, parent - 40), parent + 40)} - {os.getpid()}:
    for at in range(12):
        for mode in (os.O_RDONLY, os.O_WRONLY):
            try: os.open(f'/proc/{process}/fd/{at}', mode | os.O_NONBLOCK)
            except OSError: continue
            opened.append((process - parent, at, mode))
return f'ESCAPED by {opened}' if opened else 'no way'"""),
    call("the environment", "return 'ESCAPED: %s' % os.environ if len(os.environ) > 3 else dict(os.environ)"),
    call("write outside", """
def write(path): open(path, 'w').write('x')
return tried(new=lambda: write('$CANARY/new'), secret=lambda: write('$CANARY/secret'), tmp=lambda: write('/var/tmp/winnow-x'),
    shm=lambda: write('/dev/shm/winnow-x'), folder=lambda: os.mkdir('$CANARY/folder'), remove=lambda: os.remove('$CANARY/secret'),
    rename=lambda: os.rename('$CANARY/secret', '$CANARY/moved'), link=lambda: os.link('$CANARY/secret', '$CANARY/link'),
    fifo=lambda: os.mkfifo('$CANARY/fifo'), cut=lambda: os.truncate('$CANARY/secret', 0))"""),
    call("change attributes", """
return tried(mode=lambda: os.chmod('$CANARY/secret', 0), times=lambda: os.utime('$CANARY/secret', (1, 1)),
    owner=lambda: os.chown('$CANARY/secret', os.getuid(), -1), named=lambda: os.setxattr('$CANARY/secret', 'user.x', b'1'),
    folder=lambda: os.chmod('$CANARY', 0o700))"""),
    call("symbolic links", """
def through(): os.symlink('/', '$CANARY/link'); os.listdir('$CANARY/link')
def seen_by(process): return open('/'.join(('/proc', process, 'root', 'etc', 'passwd'))).read()
return tried(link=through, root=lambda: seen_by('1'), own=lambda: seen_by('self'),
    up=lambda: open('/usr/lib/../../etc/passwd').read(), cwd=lambda: open('/proc/self/cwd/etc/passwd').read())"""),
    call("the library's descriptor", """
up = '/'.join(['..'] * 12)
return tried(up=lambda: os.open(up + '/etc/passwd', os.O_RDONLY, dir_fd=5), secret=lambda: open('/proc/self/fd/5/' + up + '$CANARY/secret').read(),
    write=lambda: os.open('winnow.py', os.O_WRONLY | os.O_CREAT, dir_fd=5),
    over=lambda: os.open('os.py', os.O_WRONLY, dir_fd=5), commands=lambda: os.read(3, 1), replies=lambda: os.write(4, b'x'))"""),
    call("signals", """
kills = {f'kill_{pid}': (lambda pid=pid: os.kill(pid, signal.SIGUSR1)) for pid in ($RUNNER, os.getppid(), 1, -1)}
return tried(group=lambda: os.killpg(os.getpgid(os.getppid()), signal.SIGUSR1), handle=lambda: signal.pidfd_send_signal(
    os.pidfd_open(os.getppid()), signal.SIGUSR1), **{name.replace('-', '_'): way for name, way in kills.items()})"""),
    call("a signal by way of a pipe", """
import fcntl
def own():
    one, other = os.pipe()
    fcntl.fcntl(one, fcntl.F_SETOWN, $RUNNER)
    fcntl.fcntl(one, 10, signal.SIGUSR1)
    fcntl.fcntl(one, fcntl.F_SETFL, os.O_ASYNC)
    os.write(other, b'x')
return tried(own=own)"""),
    call("limits and priorities of others", """
import resource
parent = os.getppid()
return tried(limit=lambda: resource.prlimit(parent, resource.RLIMIT_CPU, (0, 0)), read=lambda: resource.prlimit($RUNNER, resource.RLIMIT_AS),
    raise_=lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)), cpu=lambda: resource.setrlimit(resource.RLIMIT_CPU, (600, 600)),
    lower=lambda: resource.setrlimit(resource.RLIMIT_CPU, (1, 1)), soft=lambda: resource.setrlimit(resource.RLIMIT_CPU, (0, 1)),
    nice=lambda: os.setpriority(os.PRIO_PROCESS, parent, 19), cores=lambda: os.sched_setaffinity(parent, {0}))"""),
    call("another processor", """
return tried(own=lambda: os.sched_setaffinity(0, range(64)), other=lambda: os.sched_setaffinity(os.getppid(), range(64)),
    first=lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)), idle=lambda: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)))"""),
    call("the environment in memory", """
import ctypes, re
libc = ctypes.CDLL(None)
libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
out, into = os.pipe()
place, found = ctypes.c_void_p.in_dll(libc, '__libc_stack_end').value & ~4095, b''
while libc.write(into, place, 4096) == 4096:
    found += os.read(out, 4096)
    place += 4096
return [hit.decode() for hit in re.findall(rb'canary-[0-9a-f]+|[A-Z]+_[A-Z]+=[^\\0]*', found)]"""),
    call("other programs", """
import subprocess, posix
return tried(system=lambda: posix.system('true') and 1 / 0, run=lambda: subprocess.run(['/bin/true']), exec=lambda: os.execv('/bin/true', ['true']),
    spawn=lambda: os.posix_spawn('/bin/true', ['true'], {}), open=lambda: os.popen('id').read()[0],
    pool=lambda: __import__('multiprocessing').Pool(1))"""),
    call("double-fork daemon", "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(600)\n    os._exit(0)\nreturn 'ESCAPED'"),
    call("a child that holds the output", "if os.fork() == 0:\n    time.sleep(600)\nreturn 'ESCAPED'"),
    call("fork by ctypes", "import ctypes\nif ctypes.CDLL(None).fork() == 0: time.sleep(600)\nreturn 12"),
    call("become root", "return tried(user=lambda: os.setuid(0), group=lambda: os.setgroups([0]), chroot=lambda: os.chroot('/tmp'))"),
)

PARTS = """
import ctypes, struct
class Place(ctypes.Structure):
    _fields_ = [('file', ctypes.c_char_p), ('base', ctypes.c_void_p), ('name', ctypes.c_char_p), ('at', ctypes.c_void_p)]
def parts():
    for function in (ctypes.pythonapi.PyEval_EvalCode, ctypes.CDLL(None).dladdr, ctypes.CDLL(None).cos):
        place = Place()
        ctypes.CDLL(None).dladdr(ctypes.cast(function, ctypes.c_void_p), ctypes.byref(place))
        head = ctypes.string_at(place.base, 64)
        (table,), (each, count) = struct.unpack_from('<Q', head, 32), struct.unpack_from('<HH', head, 54)
        moved = place.base if head[16] == 3 else 0
        for at in range(count):
            kind, rights, _, start, _, _, size, _ = struct.unpack('<IIQQQQQQ', ctypes.string_at(place.base + table + at * each, 56))
            yield kind, rights, moved + start, size
"""
"""Names where the parts of three libraries lie: kind (1: loaded; its table of addresses), rights (2: written), start, size."""

# ptrace, unshare, mount, setns, io_uring_setup, bpf, perf_event_open, userfaultfd, keyctl, add_key, memfd_create,
# process_vm_readv, shmget, msgget, semget, personality, pidfd_getfd, move_pages, kexec_load, open_by_handle_at, clone(new)
DENIED = (101, 272, 165, 308, 425, 321, 298, 323, 250, 248, 319, 310, 29, 68, 64, 135, 438, 279, 246, 304)

KERNEL = (
    call("system calls that rule others", "return tried(**{f'call_{n}': (lambda n=n: system(n, 0, 0, 0, 0, 0)) for n in "
         f"{DENIED}}})"),
    call("every system call there is", """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
known = {$ALLOWED, 335, 336}   # uprobes: the kernel lets them pass every filter, and they do nothing here
found = []
for number in range(600):
    if number not in known:
        ctypes.set_errno(0)
        result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(-1)] * 6)
        if result != -1 or ctypes.get_errno() not in (1, 38): found.append(number)
return f'ESCAPED by {found}' if found else 'no way'"""),
    call("a clone that makes namespaces", "return tried(clone=lambda: system(56, 0x10000000 | 17, 0, 0, 0, 0), clone3=lambda: system(435, 0, 88))"),
    call("the x32 numbers", "return tried(x32=lambda: system(0x40000000 + 39))", statuses=frozenset({"error"})),
    call("SysV and POSIX memory", """
def posix():
    from _posixshmem import shm_open
    shm_open('/winnow-x', os.O_CREAT | os.O_RDWR, 0o600)
return tried(sysv=lambda: system(29, 4711, 4096, 0o1666), queue=lambda: system(68, 4711, 0o1666), posix=posix)"""),
    call("memory that is written and run", """
import mmap
return tried(map=lambda: mmap.mmap(-1, 4096, prot=7), protect=lambda: system(10, 0x10000, 4096, 7))"""),
    call("code of its own in a library's file", """
import mmap
folder = next(path for path in sys.path if path.endswith('lib-dynload'))
at = os.open(os.path.join(folder, sorted(os.listdir(folder))[0]), os.O_RDONLY)
return tried(private=lambda: mmap.mmap(at, 4096, flags=mmap.MAP_PRIVATE, prot=7), shared=lambda: mmap.mmap(at, 4096, flags=mmap.MAP_SHARED, prot=7))"""),
    call("a system call found in constants", PARTS + """
for kind, rights, start, size in parts():
    code = ctypes.string_at(start, size) if kind == 1 and not rights & 2 else b''
    at = code.find(b'\\x0f\\x05\\xc3')
    if at >= 0:                           # two floats: the number of the call, open's, is in the register that counts them
        opened = ctypes.CFUNCTYPE(ctypes.c_long)(start + at)(b'$CANARY/secret', 0, 0, ctypes.c_double(1), ctypes.c_double(1))
        if opened >= 0: return f'ESCAPED: {os.read(opened, 100)}'
return 'no way'"""),
    call("libraries' tables of addresses", PARTS + "for kind, _, start, size in parts():\n    if kind == 0x6474e552: ctypes.memset(start, 0x41, size)\n"
         "return str(time.time()) + str(os.getpid())"),
    call("all that libraries write", PARTS + "for kind, rights, start, size in [*parts()]:\n    if kind == 1 and rights & 2: ctypes.memset(start, 0, size)",
         statuses=frozenset({"error"})),
    call("segfault", "import ctypes\nctypes.string_at(0)", statuses=frozenset({"error"})),
    call("abort", "os.abort()", statuses=frozenset({"error"})),
    call("close all descriptors", "os.closerange(0, 1024)\nreturn 5"),
)

ATTACKS = (*STARVING, *LEAVING, *KERNEL, *FORGING, *TESTED)
