#!/usr/bin/env bash
# Tilework beside PyTorch on the CPU, case by case, one and two threads: prints a table for RESULTS.md.
# benches/peers/torch.sh matmul|inference ; needs python3 with venv, and the network once. PYTHON names one that has torch.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-${TMPDIR:-/tmp}/tilework-peers-torch/bin/python}
if [ ! -x "$python" ]; then
  python3 -m venv "${python%/bin/python}"
  "$python" -m pip install -q torch numpy
fi
cargo bench --no-run --bench "$1"
exec "$python" benches/peers/beside_torch.py "$1"
