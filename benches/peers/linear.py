"""scikit-learn's times for benches/linear.rs, on the same sets. python benches/peers/linear.py [threads]"""
import os
import sys
import time

THREADS = sys.argv[1] if len(sys.argv) > 1 else "2"
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = THREADS

import numpy as np
import sklearn
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, LogisticRegression, Ridge

ROWS = 150_000


def raw(seed, i):
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + (i.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def unif(seed, i):
    return (raw(seed, i) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def norm(seed, n):
    p = np.arange((n + 1) // 2)
    u1 = ((raw(seed, 2 * p) >> np.uint64(11)) + np.uint64(1)).astype(np.float64) * 2.0**-53
    r, a = np.sqrt(-2 * np.log(u1)), 2 * np.pi * unif(seed, 2 * p + 1)
    return np.stack([r * np.cos(a), r * np.sin(a)], 1).reshape(-1)[:n]


def matrix(seed, rows, width):
    return norm(seed, rows * width).reshape(rows, width)


def measure(name, model, x, y, repeats=5):
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        model.fit(x, y)
        times.append(time.perf_counter() - start)
    print(f"{name:18} {np.median(times[1:]) * 1e3:8.1f} ms", flush=True)


print(f"scikit-learn {sklearn.__version__}, {THREADS} threads")
x = matrix(1001, ROWS, 100).astype(np.float32).astype(np.float64)
w = np.where(np.arange(100) < 20, 3 * norm(1002, 100), 0.0)
y = (x @ w + 5 + 2 * norm(1003, ROWS)).astype(np.float32).astype(np.float64)
measure("linear f64", LinearRegression(), x, y)
measure("linear f32", LinearRegression(), x.astype(np.float32), y.astype(np.float32))
measure("ridge f64", Ridge(), x, y)
measure("ridge f32", Ridge(), x.astype(np.float32), y.astype(np.float32))
measure("lasso f64", Lasso(alpha=0.1), x, y)
measure("elastic-net f64", ElasticNet(alpha=0.1), x, y)

x = matrix(2001, ROWS, 50).astype(np.float32).astype(np.float64)
y = (unif(2003, np.arange(ROWS)) < 1 / (1 + np.exp(-(x @ (0.5 * norm(2002, 50)) + 0.25)))).astype(int)
measure("logistic f64", LogisticRegression(), x, y)
measure("logistic f32", LogisticRegression(), x.astype(np.float32), y)

y = (raw(3003, np.arange(37_500)) % np.uint64(10)).astype(int)
x = ((0.3 * matrix(3002, 10, 100))[y] + matrix(3001, 37_500, 100)).astype(np.float32).astype(np.float64)
measure("softmax f64", LogisticRegression(), x, y)
