"""scikit-learn and LightGBM on tab100k, the set of benches/trees.rs: median seconds of a fit, and the score.

Called by trees.sh. Arguments: threads, repeats, names (all when none are given).
"""

import os
import statistics
import sys
import time

threads, repeats, names = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
os.environ["OMP_NUM_THREADS"] = str(threads)  # before NumPy is loaded

import numpy as np
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

U = np.uint64


def raw(seed, i):
    z = U(seed) + (i + U(1)) * U(0x9E3779B97F4A7C15)
    z = (z ^ (z >> U(30))) * U(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> U(27))) * U(0x94D049BB133111EB)
    return z ^ (z >> U(31))


def normal(seed, n):
    pairs = np.arange(n // 2, dtype=U)
    a = ((raw(seed, U(2) * pairs) >> U(11)) + U(1)).astype(float) * 2.0**-53
    b = (raw(seed, U(2) * pairs + U(1)) >> U(11)).astype(float) * 2.0**-53
    radius, angle = np.sqrt(-2 * np.log(a)), 2 * np.pi * b
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()


rows, train = 100_000, 75_000
x = normal(5001, rows * 30).reshape(rows, 30).astype(np.float32).astype(float)
c = x.T
score = (
    1.5 * (c[0] > 0.3) + c[1] * c[2] + np.sin(2 * c[3]) + 0.5 * c[4] ** 2 + 0.8 * (c[5] + c[6] > 0.5)
    - c[7] * (c[8] < 0) + 0.3 * c[9] - 1.4 + 0.5 * normal(5003, rows)
)
labels, values = (score > 0).astype(int), score.astype(np.float32).astype(float)

models = {
    "boosting (lightgbm)": (lambda: LGBMClassifier(n_jobs=threads, verbose=-1), labels),
    "boosting (scikit-learn)": (lambda: HistGradientBoostingClassifier(early_stopping=False), labels),
    "boosting_values (lightgbm)": (lambda: LGBMRegressor(n_jobs=threads, verbose=-1), values),
    "boosting_values (scikit-learn)": (lambda: HistGradientBoostingRegressor(early_stopping=False), values),
    "tree": (lambda: DecisionTreeClassifier(random_state=0), labels),
    "tree_values": (lambda: DecisionTreeRegressor(random_state=0), values),
    "forest": (lambda: RandomForestClassifier(random_state=0, n_jobs=threads), labels),
    "extra_trees": (lambda: ExtraTreesClassifier(random_state=0, n_jobs=threads), labels),
}
for name, (model, y) in models.items():
    if names and not any(name.startswith(wanted) for wanted in names):
        continue
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        fitted = model().fit(x[:train], y[:train])
        seconds.append(time.perf_counter() - start)
    print(f"{name}: {statistics.median(seconds):.3f} s, score {fitted.score(x[train:], y[train:]):.4f}", flush=True)
