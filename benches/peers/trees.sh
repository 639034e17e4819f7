#!/usr/bin/env bash
# Trees, forests and boosting beside scikit-learn and LightGBM, on the same machine, one after the other.
# benches/peers/trees.sh [THREADS] ; needs python3 with venv, and the network once.
set -euo pipefail
cd "$(dirname "$0")/../.."
threads=${1:-2}
venv=${TMPDIR:-/tmp}/tilework-peers-trees
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install -q "scikit-learn==1.9.1" lightgbm
TILEWORK_THREADS=$threads cargo bench --bench trees -- --noplot
"$venv/bin/python" benches/peers/trees.py "$threads" 3
