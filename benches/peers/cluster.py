"""scikit-learn on the sets of benches/cluster.rs. `run.sh` calls it; arguments: beginnings of names, all when none are given."""

import warnings

from sets import features, multi50k, timed

from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

warnings.filterwarnings("ignore")
x, _ = multi50k(37_500)
timed("k-means multi50k", 10, lambda: KMeans(10, init=x[:10], n_init=1, tol=0).fit(x))
timed("pca multi50k", 10, lambda: PCA(10).fit(x))
x = features(1001, 150_000, 100)
timed("pca reg200k", 10, lambda: PCA(10).fit(x))
x = load_digits().data[:1347]
timed("pca digits", 50, lambda: PCA(10).fit(x))
timed("k-means digits", 10, lambda: KMeans(10, n_init=10).fit(x))
