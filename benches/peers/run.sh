#!/usr/bin/env bash
# A family of models beside scikit-learn and LightGBM, on the same machine, one after the other:
# benches/peers/run.sh linear|svm|cluster|trees|scores [THREADS]; needs python3 with venv, and the network once.
set -euo pipefail
cd "$(dirname "$0")/../.."
family=$1 threads=${2:-2}
venv=${TMPDIR:-/tmp}/tilework-peers
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install -q "scikit-learn==1.9.1" "lightgbm==4.7.0"
TILEWORK_THREADS=$threads cargo bench --no-default-features --features models --bench "$family" -- --noplot
OMP_NUM_THREADS=$threads "$venv/bin/python" "benches/peers/$family.py"
