"""Designs in Verilog, by Icarus Verilog where it is installed; without it, what to install."""

import re
from pathlib import Path

import pytest

from feedback.testcases.sandbox import isolation
from feedback.testcases.sandbox.job import Job, Limits, Program, Ran
from feedback.testcases.verilog import Simulated, missing
from schemas.errors import ConfigError, SandboxError

simulates = [pytest.mark.skipif(reason is not None, reason=f"{reason}") for reason in (
    isolation.strict_misses(), missing())]
LIMITS = Limits(cpu_s=1, wall_s=300)
ADD = "module add(input [3:0] a, input [3:0] b, output [4:0] sum);\n  assign sum = a + b;\nendmodule\n"
TRIES = """module testbench;
  reg [3:0] a, b; wire [4:0] sum;
  add dut(.a(a), .b(b), .sum(sum));
  initial begin
    a = 3; b = 4; #1 $display("%0d", sum);
    a = 15; b = 15; #1 $display("%0d", sum);
    $finish;
  end
endmodule
"""
WIDER = TRIES.replace("a = 3; b = 4", "a = 9; b = 8")


def ran(design: str, *testbenches: str) -> list[Ran]:
    job = Job(Program("verilog", design), "stdin", testbenches or (TRIES,))
    ((back, found),) = Simulated(LIMITS).run([job])
    assert back is job
    return list(found)


def only(folder: Path, *names: str) -> str:
    """A PATH on which these commands are found, and no others."""
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_what_is_missing_is_told_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", only(tmp_path))
    assert missing() == "iverilog and vvp not installed: apt-get install iverilog"
    monkeypatch.setenv("PATH", only(tmp_path, "iverilog"))
    assert missing() == "vvp not installed: apt-get install iverilog"
    monkeypatch.setenv("PATH", only(tmp_path, "iverilog", "vvp"))
    assert missing() is None


class TestWhereItIsInstalled:
    """What needs the simulator."""

    pytestmark = simulates

    def test_a_design_is_simulated_with_each_testbench(self) -> None:
        assert [(each.status, each.output) for each in ran(ADD, TRIES, WIDER)] == [
            ("ran", "7\n30\n"), ("ran", "17\n30\n")]
        assert ran(ADD.replace("a + b", "a - b"))[0].output == "31\n0\n"

    def test_a_design_that_lacks_the_tools_is_refused_with_the_remedy(self, tmp_path: Path,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", only(tmp_path))
        with pytest.raises(SandboxError, match="apt-get install iverilog"):
            ran(ADD)

    @pytest.mark.parametrize(("design", "status", "detail"), [
        ("module add(input [3:0] a, input [3:0] b, output [4:0] sum);\n  assign sum = a +;\nendmodule",
         "error", "compile_error: program.v:2: syntax error"),
        ("module other; endmodule", "error", "compile_error: testbench.v:3: error: Unknown module type: add"),
        ('`include "/etc/passwd"\n' + ADD, "error", "compile_error"),
        (ADD.replace("assign", "initial forever ;\n  assign"), "timeout", "cpu"),
        (ADD.replace("assign", "always #1 ;\n  initial forever #1 $display(\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\");\n"
                     "  assign"), "error", "output_limit"),
        (ADD.replace("assign", 'initial $fatal(1, "no");\n  assign'), "error", "exit_status: 1"),
    ])
    def test_each_way_to_fail_has_its_name_and_no_file_leaks(self, design: str, status: str, detail: str) -> None:
        endless = TRIES.replace("$finish;", "").replace("15; #1", "15; #100000000")
        (found,) = ran(design, endless if detail == "output_limit" else TRIES)
        assert (found.status, found.output) == (status, None)
        assert (found.detail or "").startswith(detail)
        assert "root:" not in str(found)

    def test_a_design_reads_no_file_of_the_machine_and_leaves_none(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("told")
        secret.chmod(0o644)
        opens = "".join(f'$display("%0d", $fopen("{name}", "{how}") != 0); ' for name, how in (
            (secret, "r"), ("/etc/passwd", "r"), ("/proc/self/environ", "r"), ("left", "w"), ("/tmp/left", "w"),
            (tmp_path / "left", "w")))
        (found,) = ran(ADD.replace("assign", f"initial begin {opens} end\n  assign"))
        assert (found.output or found.detail or "").splitlines()[:6] == ["0"] * 6
        assert list(tmp_path.iterdir()) == [secret]

    def test_a_macro_of_the_design_does_not_change_the_testbench(self) -> None:
        assert ran("`define display write\n`define finish stop\n" + ADD)[0].output == "7\n30\n"
        shown = '$display("%0d", sum);'
        told = TRIES.replace(shown, f"`ifdef WRONG $display(0); `else {shown} `endif")
        assert ran("`define WRONG\n" + ADD, told)[0].output == "7\n30\n"

    def test_a_design_that_prints_a_verdict_only_spoils_its_output(self) -> None:
        claims = ADD.replace("assign", 'initial begin $display("PASS"); $finish; end\n  assign')
        assert ran(claims)[0].output != ran(ADD)[0].output

    def test_the_same_design_prints_the_same_in_every_run(self) -> None:
        throws = TRIES.replace("a = 3; b = 4", "a = $random; b = $urandom")
        first, second = ran(ADD, throws, throws)
        assert first.output == second.output
        assert re.fullmatch(r"strict/iverilog-\d+\.\d+/\w+/\w{24}", Simulated(LIMITS).environment)
        assert Simulated(LIMITS).environment != Simulated().environment

    def test_programs_in_other_languages_and_calls_are_refused(self) -> None:
        with pytest.raises(ConfigError, match="kind stdin for a program in verilog"):
            list(Simulated().run([Job(Program("verilog", ADD), "call", ("[]",))]))
        with pytest.raises(ConfigError, match="one in c"):
            list(Simulated().run([Job(Program("c", ADD), "stdin", ("",))]))
