"""What runs the programs of a language: the sandbox, the system's compilers, or the simulator of Verilog."""

from contextlib import AbstractContextManager, nullcontext

from feedback.testcases import compiled, verilog
from feedback.testcases.execute import Execute, Runner
from feedback.testcases.sandbox.isolation import chosen, prefix_of
from schemas.errors import ConfigError, SandboxError


def opened(language: str, operator: Execute) -> AbstractContextManager[Runner]:
    """An open runner under the operator's limits."""
    if language == "python":
        from feedback.testcases.sandbox.runner import Sandbox

        return Sandbox(limits=operator.limits, isolation=operator.isolation, workers=operator.workers)
    if language == "verilog":
        return nullcontext(verilog.Simulated(operator.limits))
    return nullcontext(compiled.Compiled(operator.limits))


def check_runner(language: str, operator: Execute) -> None:
    """Raise SandboxError where programs of a language cannot be run here, ConfigError where they never are so."""
    if language == "python":
        prefix_of(chosen(operator.isolation, command=False), ())
        return
    if operator.isolation not in (None, "strict"):
        raise ConfigError(f"execute: isolation={operator.isolation!r} is for Python; programs in {language} are "
                          "confined as 'strict', so leave isolation out")
    chosen("strict", command=False)
    if reason := verilog.missing() if language == "verilog" else compiled.missing(language):
        raise SandboxError(f"programs in {language} cannot be run here: {reason}")
