"""The page on which processes report: the next process finds nothing of the last one on it."""

import pytest

from feedback.testcases.sandbox import isolation, records
from feedback.testcases.sandbox.codec import decode, encode
from feedback.testcases.sandbox.job import Job, Program
from feedback.testcases.sandbox.records import Page
from feedback.testcases.sandbox.runner import Sandbox

MESSAGE = """
import sys
def page():
    frame = sys._getframe()
    while "page" not in frame.f_locals or callable(frame.f_locals["page"]):
        frame = frame.f_back
    return frame.f_locals["page"].memory
def leave(text):
    memory = page()
    for place in range(4096, len(memory) - 4096, 4096):
        memory[place:place + len(text)] = text.encode()
    return len(memory)
def find(text):
    return page().find(text.encode())
"""


def test_a_wiped_page_is_empty_wherever_it_was_written() -> None:
    page = Page(3, 5000)
    page.loaded()
    page.add(records.RAN, "", b"x" * 5000)
    page.memory[page.size - 1] = 7
    page.wipe()
    assert page.read(3) == (False, [])
    assert page.memory[:] == bytes(page.size)


@pytest.mark.skipif(isolation.strict_misses() is not None, reason=f"{isolation.strict_misses()}")
def test_a_program_finds_nothing_that_another_left_on_the_page() -> None:
    secret = "left-for-the-next"
    jobs = [Job(Program("python", MESSAGE, entry), "call", (encode([secret]),)) for entry in ("leave", "find")]
    with Sandbox(workers=1) as sandbox:
        said = {job.program.entry: rans[0] for job, rans in sandbox.run(jobs)}
    assert decode(said["leave"].output or "") > 65_536, said
    assert decode(said["find"].output or "") == -1
