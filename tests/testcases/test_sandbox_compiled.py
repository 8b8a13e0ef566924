"""Programs in C and C++, by the system's compiler where there is one."""

import pytest

from feedback.testcases.compiled import Compiled, findings, missing
from feedback.testcases.confined import Folder, launch, printed
from feedback.testcases.sandbox import isolation
from feedback.testcases.sandbox.job import Job, Limits, Program, Ran
from schemas.errors import ConfigError, SandboxError

pytestmark = [pytest.mark.skipif(reason is not None, reason=f"{reason}") for reason in (
    isolation.strict_misses(), missing("c"), missing("cpp"))]
LIMITS = Limits(cpu_s=1, wall_s=300)
ADD = """#include <stdio.h>
int main(void) { int a, b; if (scanf("%d %d", &a, &b) != 2) return 3; printf("%d\\n", a + b); return 0; }"""


def ran(source: str, *texts: str, language: str = "c") -> list[Ran]:
    job = Job(Program(language, source), "stdin", texts or ("",))  # type: ignore[arg-type]
    ((back, found),) = Compiled(LIMITS).run([job])
    assert back is job
    return list(found)


def test_a_c_program_is_compiled_once_and_run_on_each_text() -> None:
    assert [(each.status, each.output, each.detail) for each in ran(ADD, "1 2", "x", "-4 4")] == [
        ("ran", "3\n", None), ("error", None, "exit_status: 3"), ("ran", "0\n", None)]


def test_a_cpp_program_has_its_standard_library() -> None:
    source = """#include <iostream>
#include <map>
int main() { std::map<std::string, int> seen; std::string word; while (std::cin >> word) ++seen[word];
  for (auto& [name, count] : seen) std::cout << name << count << '\\n'; }"""
    assert ran(source, "b a b", language="cpp")[0].output == "a1\nb2\n"


@pytest.mark.parametrize(("source", "status", "detail"), [
    ("int main(void) { return x; }", "error", "compile_error: program.c:1"),
    ('#include "/etc/passwd"\nint main(void) {}', "error", "compile_error"),
    ('__asm__(".incbin \\"/etc/passwd\\"");\nint main(void) {}', "error", "compile_error"),
    ("int main(void) { volatile int *p = 0; return *p; }", "error", "crashed: SIGSEGV"),
    ("int main(void) { for (;;); }", "timeout", "cpu"),
    ("#include <stdio.h>\nint main(void) { for (;;) puts(\"xxxxxxxxxxxxxxxxxxxxxxxx\"); }", "error", "output_limit"),
])
def test_each_way_to_fail_has_its_name_and_no_file_leaks(source: str, status: str, detail: str) -> None:
    (found,) = ran(source)
    assert (found.status, found.output) == (status, None)
    assert (found.detail or "").startswith(detail)
    assert "root:" not in str(found)


def test_a_compiled_program_reaches_nothing() -> None:
    source = """#include <stdio.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/stat.h>
int main(void) {
  printf("%d %d %d %d ", fork(), socket(2, 1, 0), execl("/bin/true", "true", (char *)0), kill(getppid(), 0));
  printf("%d %d %d", open("/etc/passwd", O_RDONLY), open("left", O_CREAT | O_RDWR, 0600), chmod("/tmp", 0));
  return 0; }"""
    assert ran(source)[0].output == "-1 -1 -1 -1 -1 -1 -1"


def test_what_does_not_start_is_no_fault_of_a_program() -> None:
    with Folder() as folder:
        broken = folder / "program"
        broken.write_bytes(b"\x7fELF, it says")
        broken.chmod(0o755)
        for command, why in ((str(broken), "Exec format error"), (str(folder / "none"), "No such file")):
            found = printed(launch([command], folder, LIMITS, program=command), LIMITS)
            assert (found.status, found.output) == ("sandbox_error", None)
            assert why in (found.detail or "")


def test_a_program_cannot_say_that_it_did_not_start() -> None:
    source = """#include <unistd.h>
int main(void) { for (int each = 3; each < 1024; each++) write(each, "OSError: no", 11); return 1; }"""
    assert [(each.status, each.detail) for each in ran(source)] == [("error", "exit_status: 1")]


def test_what_the_compiler_and_the_analyser_find_is_told_by_line() -> None:
    source = """#include <stdlib.h>
int main(void) {
  int unused;
  char *p = malloc(4);
  free(p);
  free(p);
  return 0; }"""
    found = findings(Program("c", source))
    assert ("compiler", "-Wunused-variable", 3) in {(each.tool, each.rule, each.line) for each in found}
    assert {each.line for each in found if each.tool != "compiler"} >= {6}
    assert findings(Program("c", "int main(void) { return 0; }\n")) == []


def test_what_cannot_be_run_is_told() -> None:
    assert "verilog" in str(missing("verilog"))
    with pytest.raises(SandboxError, match="verilog"):
        list(Compiled().run([Job(Program("verilog", "module m; endmodule"), "stdin", ("",))]))
    with pytest.raises(ConfigError, match="standard input"):
        list(Compiled().run([Job(Program("c", ADD, "f"), "call", ("[]",))]))
