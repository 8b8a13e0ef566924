"""vLLM's own offline run, for benchmarks/engine.py: an LLM in this process that answers what standard input names.

    python offline.py SETTINGS

SETTINGS is a JSON object, the arguments of `vllm.LLM`. A line of input is a JSON list of requests: messages and
sampling parameters. A line of output is `ready` once, then for each line of input a JSON object: the seconds that
`LLM.chat` took and the tokens that came. Runs in vLLM's environment, without Winnow's packages.
"""

import importlib
import json
import os
import sys
import time
from typing import Any


def main() -> None:
    """Answer until the input ends."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # vLLM tells much on standard output
    vllm: Any = importlib.import_module("vllm")
    model = vllm.LLM(**json.loads(sys.argv[1]))
    print("ready", file=out, flush=True)
    for line in sys.stdin:
        requests = json.loads(line)
        messages = [request["messages"] for request in requests]
        params = [vllm.SamplingParams(**request["params"]) for request in requests]
        began = time.perf_counter()
        replies = model.chat(messages, params, use_tqdm=False)
        seconds = time.perf_counter() - began
        tokens = sum(len(reply.outputs[0].token_ids) for reply in replies)
        print(json.dumps({"seconds": seconds, "tokens": tokens}), file=out, flush=True)


if __name__ == "__main__":
    main()
