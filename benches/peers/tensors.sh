#!/usr/bin/env bash
# Tilework beside PyTorch and JAX on the CPU, case by case, one and two threads: prints tables for RESULTS.md.
# benches/peers/tensors.sh matmul|elementwise|train_step|inference ; needs python3 with venv, and the network once.
# PYTHON names one that has torch and jax.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-${TMPDIR:-/tmp}/tilework-peers-tensors/bin/python}
if [ ! -x "$python" ]; then
  python3 -m venv "${python%/bin/python}"
  "$python" -m pip install -q torch jax numpy
fi
cargo bench --no-run --bench "$1"
for threads in 1 2; do
  "$python" benches/peers/tensors.py "$1" $threads
done
