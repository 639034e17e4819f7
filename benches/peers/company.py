"""scikit-learn on the sets of benches/svm.rs and benches/cluster.rs: median seconds of a fit.

python -m venv /tmp/peers && /tmp/peers/bin/pip install scikit-learn && OMP_NUM_THREADS=2 /tmp/peers/bin/python benches/peers/company.py
"""
import statistics, sys, time, warnings
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.svm import SVC, LinearSVC

warnings.filterwarnings("ignore")


def raw(seed, i):
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + (i.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def uniform(seed, n):
    return (raw(seed, np.arange(n)) >> np.uint64(11)).astype(float) * 2.0**-53


def normal(seed, n):
    k = np.arange(n)
    a, b = raw(seed, k & ~1) >> np.uint64(11), raw(seed, k | 1) >> np.uint64(11)
    r = np.sqrt(-2 * np.log((a.astype(float) + 1) * 2.0**-53))
    angle = 2 * np.pi * (b.astype(float) * 2.0**-53)
    return np.where(k % 2 == 0, r * np.cos(angle), r * np.sin(angle))


def features(seed, rows, width):
    return normal(seed, rows * width).astype(np.float32).astype(float).reshape(rows, width)


def timed(name, repeats, fit):
    fit()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        fit()
        seconds.append(time.perf_counter() - start)
    print(f"{name}: {statistics.median(seconds):.4f} s", flush=True)


only = sys.argv[1] if len(sys.argv) > 1 else ""
if only in ("", "svm"):
    x = features(4001, 7500, 20)
    right = x[:, 0] * x[:, 1] + x[:, 2] ** 2 - x[:, 3] * x[:, 4] + 0.8 * x[:, 5] - 1 > 0
    y = right != (uniform(4003, 7500) < 0.05)
    timed("svc rbf svm10k", 5, lambda: SVC().fit(x, y))
    x = features(2001, 150_000, 50)
    y = uniform(2003, 150_000) < 1 / (1 + np.exp(-(x @ (0.5 * normal(2002, 50)) + 0.25)))
    timed("linear-svc bin200k", 3, lambda: LinearSVC().fit(x, y))
y = (raw(3003, np.arange(37_500)) % np.uint64(10)).astype(int)
centres = 0.3 * normal(3002, 1000).reshape(10, 100)
x = (centres[y] + normal(3001, 3_750_000).reshape(37_500, 100)).astype(np.float32).astype(float)
if only in ("", "svm"):
    timed("linear-svc multi50k", 3, lambda: LinearSVC().fit(x, y))
if only in ("", "cluster"):
    timed("k-means multi50k", 10, lambda: KMeans(10, init=x[:10], n_init=1, tol=0).fit(x))
    timed("pca multi50k", 10, lambda: PCA(10).fit(x))
    x = features(1001, 150_000, 100)
    timed("pca reg200k", 10, lambda: PCA(10).fit(x))
    x = load_digits().data[:1347]
    timed("pca digits", 50, lambda: PCA(10).fit(x))
    timed("k-means digits", 10, lambda: KMeans(10, n_init=10).fit(x))
