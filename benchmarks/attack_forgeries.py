"""Programs that try to be called right: by forged results, and by what they give the tests that run against them."""
# ruff: noqa: E501

from benchmarks.attack import Attack, call

PAGE = """
import mmap, struct
memories, frame = [], sys._getframe()
while frame:
    memories += [value.memory for value in frame.f_locals.values() if type(getattr(value, 'memory', None)) is mmap.mmap]
    frame = frame.f_back
def write(records):
    for memory in memories: memory[:1 + len(records)] = b'\\x01' + records
"""
"""Finds the page that results are written on."""

FORGING = (
    call("leave with success", "os._exit(0)", statuses=frozenset({"error"})),
    call("leave politely", "sys.exit(0)", statuses=frozenset({"error"})),
    Attack("leave with success, as a script", "import os\nos._exit(0)", "stdin", statuses=frozenset({"error"})),
    call("write to every descriptor", """
for at in range(64):
    try: os.write(at, b'passed\\n{"status": "ran", "output": "1"}\\n' * 10)
    except OSError: pass
print('passed')
return None"""),
    call("equal to everything", "class Any:\n    def __eq__(self, other): return True\n    def __hash__(self): return 0\nreturn Any()",
         statuses=frozenset({"error"})),
    call("a number equal to everything", "class Any(int):\n    def __eq__(self, other): return True\nreturn Any(1)", statuses=frozenset({"error"})),
    call("a text equal to everything", "class Any(str):\n    def __eq__(self, other): return True\n    def __ne__(self, other): return False\nreturn Any()",
         statuses=frozenset({"error"})),
    call("a list that holds one", "class Any(float):\n    def __eq__(self, other): return True\nreturn [Any(1)]", statuses=frozenset({"error"})),
    call("a type that calls itself int", """
class Meta(type):
    def __eq__(self, other): return True
    def __hash__(self): return hash(int)
class Any(metaclass=Meta):
    __class__ = int
    def bit_length(self): return 1
    def __eq__(self, other): return True
    def __repr__(self): return '1'
return Any()"""),
    call("frames and the collector", """
import gc
import re
found = []
frame = sys._getframe()
while frame:
    found += [repr(value)[:2000] for value in [*frame.f_locals.values(), *frame.f_globals.values()]]
    frame = frame.f_back
for each in gc.get_objects():
    if type(each) in (list, dict, tuple): found.append(repr(each)[:2000])
for each in list(found):
    hit = re.search(r'98765\\d{8}', each)
    if hit: return int(hit.group())
for each in gc.get_objects():
    if type(each) is list:
        each.append('passed')
return 'passed'"""),
    call("the page of results", """
import gc, mmap, struct
for each in gc.get_objects():
    for value in vars(each).values() if hasattr(each, '__dict__') else ():
        if type(value) is mmap.mmap:
            value[0] = 1
            for at in range(1, 4000, 11): value[at:at + 11] = struct.pack('<BIHI', 1, 1, 0, 0)
            value[1:12] = struct.pack('<BIHI', 1, 1, 65535, 2**32 - 1)
os._exit(0)"""),
    call("the page of results, filled to the end", """
import mmap
frame = sys._getframe()
while frame:
    for value in frame.f_locals.values():
        memory = getattr(value, 'memory', None)
        if type(memory) is mmap.mmap: memory[:] = b'\\x01' * len(memory)
    frame = frame.f_back
os._exit(0)"""),
    call("a thread that goes on forging", """
import threading, mmap
memories = []
frame = sys._getframe()
while frame:
    memories += [value.memory for value in frame.f_locals.values() if type(getattr(value, 'memory', None)) is mmap.mmap]
    frame = frame.f_back
def forge():
    while True:
        for memory in memories: memory[1:40] = os.urandom(39)
for _ in range(4): threading.Thread(target=forge, daemon=True).start()
return 1"""),
    call("a forged record of a value that is none", """
import mmap, struct
frame = sys._getframe()
while frame:
    for value in frame.f_locals.values():
        memory = getattr(value, 'memory', None)
        if type(memory) is mmap.mmap:
            text = b'{"s":[1,1,1]}'
            memory[1:12] = struct.pack('<BIHI', 1, 1, 0, len(text))
            memory[12:12 + len(text)] = text
            memory[12 + len(text):23 + len(text)] = struct.pack('<BIHI', 5, 1, 0, 0)
    frame = frame.f_back
os._exit(0)""", statuses=frozenset({"error"})),
    call("a fault of ours", PAGE + "write(struct.pack('<BIHI', 6, 1, 0, 0) + struct.pack('<BIHI', 5, 1, 0, 0))\nos._exit(0)",
         statuses=frozenset({"error"})),
    call("a fault of ours, again and again", PAGE + "write(struct.pack('<BIHI', 4, 1, 0, 0) * 50)\nos._exit(0)", statuses=frozenset({"error"})),
    call("records that reach beyond the page", PAGE + """
for memory in memories:
    at = len(memory) - 11
    memory[at:] = struct.pack('<BIHI', 1, 1, 400, 65536)
    memory[1:at] = (struct.pack('<BIHI', 1, 2**32 - 1, 400, 65536) + bytes(65936)) * (at // 65947) + bytes((at - 1) % 65947)
os._exit(0)""", statuses=frozenset({"error"})),
    call("records that are no text", PAGE + """
write(struct.pack('<BIHI', 1, 1, 9, 9) + b'\\xff\\xed\\xa0\\x80\\0"\\\\]}' * 2 + struct.pack('<BIHI', 5, 1, 0, 0))
os._exit(0)""", statuses=frozenset({"error"})),
    call("a record of a number too long to read", PAGE + """
write(struct.pack('<BIHI', 1, 1, 0, 60000) + b'9' * 60000 + struct.pack('<BIHI', 5, 1, 0, 0))
os._exit(0)""", statuses=frozenset({"error"})),
    call("a record of a thousand brackets", PAGE + """
write(struct.pack('<BIHI', 1, 1, 0, 60000) + b'[' * 60000 + struct.pack('<BIHI', 5, 1, 0, 0))
os._exit(0)""", statuses=frozenset({"error"})),
    call("an exception that forges", """
class Meta(type):
    @property
    def __name__(cls): os._exit(0)
class Any(Exception, metaclass=Meta):
    def __str__(self): return 'passed'
raise Any()""", statuses=frozenset({"error"})),
    Attack("garbage bytes", "import os\nfor _ in range(200): os.write(1, os.urandom(128))", "stdin", statuses=frozenset({"error"})),
    Attack("forged frames on the output", "import sys\nsys.stdout.write('\\x10\\0\\0\\0[1,[[\"ran\",\"1\"]]]passed\\n')", "stdin"),
    call("what ran before", """
import gc
import re
seen = [re.search(r'another-[p]rogram', repr(each)[:100000]) for each in gc.get_objects() if type(each) in (list, dict, tuple)]
return 'ESCAPED' if any(seen) else 'no'"""),
)

TESTED = (
    Attack("tests: equal to everything", "class Any:\n    def __eq__(self, other): return True\ndef f(x): return Any()", "tests"),
    Attack("tests: leave with success", "import os\ndef f(x): os._exit(0)", "tests"),
    Attack("tests: leave while loading", "import sys\nsys.exit(0)\ndef f(x): pass", "tests"),
    Attack("tests: end a loop early", "def f(x): raise StopIteration", "tests", "assert all(map(lambda x: candidate(x) == $TRUTH, [1, 2]))"),
    Attack("tests: end a generator early", "def f(x): raise GeneratorExit", "tests", "assert list(map(candidate, [1])) == [$TRUTH]"),
    Attack("tests: raise what is not an error", "def f(x): raise KeyboardInterrupt", "tests",
           "try:\n    ok = candidate(1) == $TRUTH\nexcept Exception:\n    ok = False\nassert ok"),
    Attack("tests: another all", "import builtins\nbuiltins.all = builtins.abs = builtins.isinstance = lambda *rest: True\ndef f(x): return 0\n"
           "def all(x): return True\ndef check(x): return True", "tests", "assert all([candidate(1) == $TRUTH])"),
    Attack("tests: hang up and stay", "import os, time\ndef f(x):\n    os.closerange(3, 64)\n    time.sleep(600)", "tests"),
    Attack("tests: a forged message", "import os\ndef f(x):\n    for at in range(64):\n        try: os.write(at, b'\\x10\\0\\0\\0vpassed' + bytes(99))\n"
           "        except OSError: pass\n    return 1", "tests"),
    Attack("tests: a message without end", "import os\ndef f(x):\n    for at in range(3, 64):\n        try: os.write(at, b'\\xff\\xff\\xff\\xff' + bytes(99))\n"
           "        except OSError: pass\n    return 1", "tests"),
    Attack("tests: a record that they passed", "import os, sys\n" + PAGE.replace("sys._getframe()", "None") + """
def f(x):
    frame = sys._getframe()
    while frame:
        memories.extend(value.memory for value in frame.f_locals.values() if type(getattr(value, 'memory', None)) is mmap.mmap)
        frame = frame.f_back
    write(struct.pack('<BIHI', 1, 1, 0, 6) + b'passed' + struct.pack('<BIHI', 5, 1, 0, 0))
    os._exit(0)""", "tests", statuses=frozenset({"error"})),
    Attack("tests: a reply without end", "def f(x): return [0] * 10**6", "tests", statuses=frozenset({"error"})),
    Attack("tests: frames of the tests", """
import gc, re, sys
def f(x):
    frame, found = sys._getframe(), []
    while frame:
        found += [repr(value)[:2000] for value in [*frame.f_locals.values(), *frame.f_globals.values()]]
        frame = frame.f_back
    found += [repr(each)[:2000] for each in gc.get_objects() if type(each) in (list, dict, tuple)]
    hits = [hit for each in found if (hit := re.search(r'98765\\d{8}', each))]
    return int(hits[0].group()) if hits else 1""", "tests"),
)
