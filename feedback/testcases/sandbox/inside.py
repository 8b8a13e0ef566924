"""What happens in the confined process: load the program, call it or feed it, write what came out on the page.

Nothing here decides whether an output is right. The standard library only: this file is run inside the sandbox.
"""

import atexit
import builtins
import contextlib
import itertools
import opcode
import random
import re
import signal
import sys
import threading
import time
import types
from collections.abc import Callable
from typing import Any

from feedback.testcases.sandbox import codec, records
from feedback.testcases.sandbox.records import Page

FILE = "<program>"
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{4,}")


class Refused(Exception):
    """The program cannot be run on any input; the text is the detail."""


def limit_cpu(seconds: float) -> None:
    """Kill this process after so much more CPU time; the kernel's own limit stands behind it."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def prepare(source: str) -> None:
    """Give programs that may draw random numbers their own."""
    if "random" in source:
        random.seed()


def load(source: str, name: str) -> dict[str, Any]:
    """The program's namespace once its module has run; raises Refused where it does not compile or run."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    try:
        code = compile(source, FILE, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError) as error:
        raise Refused(f"compile_error: {described(error)}") from None
    try:
        exec(code, module.__dict__)
    except BaseException as error:
        raise Refused(described(error)) from None
    return module.__dict__


def entry_of(namespace: dict[str, Any], entry: str) -> Callable[..., Any]:
    """The function to call; raises Refused where the program has none of that name."""
    found = namespace.get(entry)
    if not callable(found):
        raise Refused(f"no_entry: the program defines no function {entry}")
    function: Callable[..., Any] = found
    return function


def call(page: Page, source: str, entry: str, inputs: list[str], cpu_s: float) -> None:
    """Call the program's function on each input, as long as no call can leave a trace for the next."""
    prepare(source)
    started = time.process_time()
    try:
        namespace = load(source, "candidate")
        function = entry_of(namespace, entry)
        alone = len(inputs) > 1 and not stateless(namespace)
    except Refused as refused:
        page.add(records.NEVER, str(refused), cpu_s=time.process_time() - started)
        return
    page.loaded()
    for place, text in enumerate(inputs):
        if place and alone:
            page.add(records.AGAIN)
            return
        if place:
            limit_cpu(cpu_s)
            started = time.process_time()
        answered = _answer(page, function, text, started)
        if not answered:
            page.add(records.AGAIN)
            return
    page.add(records.END, str(len(inputs)))


ORDINARY = """from typing import Any, Dict, List, Optional, Set, Tuple

def warm(numbers: List[int], texts: List[str], shares: List[float], table: Dict[str, int]) -> Tuple[int, int]:
    rows: List[List[int]] = [numbers]
    pairs: List[Tuple[int, int]] = []
    found: Optional[int] = None
    def last(text: str) -> str:
        return text[-1]
    for place, text in enumerate(texts):
        if text and place not in set(numbers):
            found = place + 1
    return sum(number for number in numbers if number % 2 == 0), len(rows), [*map(last, texts)], table
"""
"""A program like many."""


def warm(output_bytes: int) -> None:
    """Go the way of an ordinary program in the fork server, so that every child finds it trodden.

    Ten times, until the interpreter has specialized its code: what it writes into code and caches after a fork, each
    child pays for by the page.
    """
    inputs = ['[[1,2,3],["a","b"],[1.0,2.5],{"d":[["a",1]]}]', '[[],[],[],{"t":[]}]'] * 4
    for _ in range(10):
        page = Page(len(inputs), output_bytes)
        call(page, ORDINARY, "warm", inputs, 1000.0)
        page.memory.close()
        del sys.modules["candidate"]
    limit_cpu(0)


def arguments_of(text: str) -> list[Any]:
    """The positional arguments that an input stands for; raises Unsupported where it is none."""
    arguments = codec.decode(text, trusted=True)
    if type(arguments) is not list:
        raise codec.Unsupported("not a list of arguments")
    return arguments


def _answer(page: Page, function: Callable[..., Any], text: str, started: float) -> bool:
    """Write what the function does with one input; False where the process should not go on after it."""
    try:
        arguments = arguments_of(text)
    except codec.Unsupported as error:
        page.add(records.OURS, f"the input is no encoded list of arguments: {error}")
        return True
    try:
        output = codec.encode(function(*arguments), page.output_bytes).encode()
    except codec.Unsupported as error:
        page.add(records.ERROR, f"unsupported_value: {error}", cpu_s=time.process_time() - started)
    except BaseException as error:
        page.add(records.ERROR, described(error), cpu_s=time.process_time() - started)
        return not isinstance(error, MemoryError)
    else:
        page.add(records.RAN, "", output, time.process_time() - started)
    return True


def feed(page: Page, source: str, cpu_s: float) -> None:
    """Run the program as a script, standard input and output being in place."""
    prepare(source)
    started = time.process_time()
    try:
        _script(source)
    except Refused as refused:
        page.add(records.ERROR, str(refused), cpu_s=time.process_time() - started)
        return
    page.add(records.RAN, cpu_s=time.process_time() - started)
    page.add(records.END, "1")


def _script(source: str) -> None:
    """Run a script to its end as the interpreter would: its threads, its exit functions, its buffers."""
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = module
    try:
        code = compile(source, FILE, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError) as error:
        raise Refused(f"compile_error: {described(error)}") from None
    try:
        with contextlib.suppress(_Left):
            _until_exit(lambda: exec(code, module.__dict__))
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in {sys.stdout, sys.__stdout__}:
            if stream is not None and not stream.closed:
                stream.flush()
    except BaseException as error:
        raise Refused(described(error)) from None


class _Left(Exception):
    """The script left by sys.exit with success."""


def _until_exit(run: Callable[[], None]) -> None:
    try:
        run()
    except SystemExit as left:
        if left.code in (None, 0):
            raise _Left from None
        raise


def described(error: BaseException) -> str:
    """An exception in one line: its name, its message, the program's line; the same in every run."""
    try:
        if isinstance(error, MemoryError):
            return "memory"
        name, message, line = str(type(error).__name__)[:60], str(error)[:200], _line(error)
        text = f"{name}: {message}" if message else name
        return _ADDRESS.sub("0x", " ".join(text.split())) + (f" (line {line})" if line else "")
    except BaseException:
        return "an exception that cannot be read"


def _line(error: BaseException, file: str = FILE) -> int | None:
    if isinstance(error, SyntaxError):
        return None
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


_ATOMS = (int, float, complex, str, bytes, bool, type(None), type(...), types.ModuleType,
          types.BuiltinFunctionType, types.GenericAlias)
_LOCALS = frozenset(number for name, number in opcode.opmap.items() if name.startswith("LOAD_FAST"))
_GLOBALS = frozenset(opcode.opmap[name] for name in ("STORE_GLOBAL", "DELETE_GLOBAL"))
_ATTRIBUTE = opcode.opmap["STORE_ATTR"]


def stateless(namespace: dict[str, Any]) -> bool:
    """Whether nothing in a program's namespace can hold what an earlier call left, as far as can be seen.

    Programs with mutable globals or defaults, with caches, or that assign globals or attributes of anything but
    locals get a fresh process for each input.
    """
    name = namespace["__name__"]
    return all(_still(value, name) for key, value in namespace.items() if not key.startswith("__"))


def _still(value: Any, module: str) -> bool:
    if isinstance(value, types.FunctionType):
        return value.__module__ != module or (
            value.__closure__ is None and not value.__dict__ and _writes_only_locals(value.__code__)
            and all(_still(each, module) for each in (value.__defaults__ or ()))
            and all(_still(each, module) for each in (value.__kwdefaults__ or {}).values()))
    if isinstance(value, type):
        return value.__module__ != module or all(
            _still(held, module) for key, held in vars(value).items() if not key.startswith("__"))
    if type(value) is tuple:
        return all(_still(each, module) for each in value)
    return isinstance(value, _ATOMS) or type(value).__module__ == "typing"


def _writes_only_locals(code: types.CodeType) -> bool:
    operations = code.co_code[::2]
    attributes = _ATTRIBUTE in operations and any(operation == _ATTRIBUTE and before not in _LOCALS
                                                  for before, operation in itertools.pairwise(operations))
    return _GLOBALS.isdisjoint(operations) and not attributes and all(
        _writes_only_locals(each) for each in code.co_consts if isinstance(each, types.CodeType))
