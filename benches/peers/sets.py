"""The synthetic sets of benches/common/mod.rs, and the clock, for the peers' scripts. Two threads, or OMP_NUM_THREADS."""

import os
import statistics
import sys
import time

THREADS = int(os.environ.setdefault("OMP_NUM_THREADS", "2"))  # before NumPy is loaded
os.environ["OPENBLAS_NUM_THREADS"] = str(THREADS)

import numpy as np

U = np.uint64


def raw(seed, i):
    with np.errstate(over="ignore"):
        z = U(seed) + (np.asarray(i).astype(U) + U(1)) * U(0x9E3779B97F4A7C15)
        z = (z ^ (z >> U(30))) * U(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> U(27))) * U(0x94D049BB133111EB)
        return z ^ (z >> U(31))


def uniform(seed, n):
    return (raw(seed, np.arange(n)) >> U(11)).astype(float) * 2.0**-53


def normal(seed, n):
    pairs = np.arange((n + 1) // 2)
    a = ((raw(seed, 2 * pairs) >> U(11)) + U(1)).astype(float) * 2.0**-53
    b = (raw(seed, 2 * pairs + 1) >> U(11)).astype(float) * 2.0**-53
    radius, angle = np.sqrt(-2 * np.log(a)), 2 * np.pi * b
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()[:n]


def features(seed, rows, width):
    return normal(seed, rows * width).astype(np.float32).astype(float).reshape(rows, width)


def bin200k(rows):
    x = features(2001, rows, 50)
    y = uniform(2003, rows) < 1 / (1 + np.exp(-(x @ (0.5 * normal(2002, 50)) + 0.25)))
    return x, y.astype(int)


def multi50k(rows):
    y = (raw(3003, np.arange(rows)) % U(10)).astype(int)
    x = (0.3 * normal(3002, 1000).reshape(10, 100))[y] + normal(3001, rows * 100).reshape(rows, 100)
    return x.astype(np.float32).astype(float), y


def tab100k(draw, rows):
    x = features(5001 + 100 * draw, rows, 30)
    c = x.T
    score = (
        1.5 * (c[0] > 0.3) + c[1] * c[2] + np.sin(2 * c[3]) + 0.5 * c[4] ** 2 + 0.8 * (c[5] + c[6] > 0.5)
        - c[7] * (c[8] < 0) + 0.3 * c[9] - 1.4 + 0.5 * normal(5003 + 100 * draw, rows)
    )
    return x, (score > 0).astype(int), score.astype(np.float32).astype(float)


def timed(name, repeats, fit):
    """Prints the median time of fits after a first one, for names that begin with one of the arguments; gives the last fit."""
    if sys.argv[1:] and not any(name.startswith(wanted) for wanted in sys.argv[1:]):
        return None
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        fitted = fit()
        seconds.append(time.perf_counter() - start)
    print(f"{name}: {statistics.median(seconds[1:]) * 1e3:.2f} ms", flush=True)
    return fitted
