#!/usr/bin/env bash
# One real step of TRL's DPO, KTO and reward trainers on a dataset that exports/ wrote.
#
# Makes .venv-contracts from requirements/contracts.txt where it is missing or older than that file. Where the packages
# cannot be installed it says so and ends well; WINNOW_REQUIRE_CONTRACTS=1 makes that a failure.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PYTHONPATH=. PYTHONDONTWRITEBYTECODE=1

python=${PYTHON:-.venv/bin/python}
venv=.venv-contracts
wanted=requirements/contracts.txt

if ! cmp --silent "$wanted" "$venv/.made"; then
    echo "contracts: making $venv with torch, transformers and trl (1.3 GB; some two minutes where the wheels are near)"
    rm -rf "$venv"
    if ! { "$python" -m venv "$venv" && "$venv/bin/python" -m pip install --no-compile -r "$wanted"; }; then
        echo "SKIPPED contracts: the packages of $wanted cannot be installed here; pip says why above"
        exit "${WINNOW_REQUIRE_CONTRACTS:-0}"
    fi
    cp "$wanted" "$venv/.made"
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" tests/contracts/make_dataset.py "$folder"
export WINNOW_CONTRACT_FOLDER=$folder HF_HOME=$folder/home HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1
export HF_DATASETS_DISABLE_PROGRESS_BARS=1 TOKENIZERS_PARALLELISM=false CUDA_VISIBLE_DEVICES=
"$venv/bin/python" -m pytest -c /dev/null --rootdir tests/contracts --noconftest -p no:cacheprovider -v --no-header \
    --disable-warnings tests/contracts/trl_contracts.py
