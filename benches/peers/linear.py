"""scikit-learn on the sets of benches/linear.rs. `run.sh` calls it; arguments: beginnings of names, all when none are given."""

from sets import bin200k, features, multi50k, normal, timed

import numpy as np
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, LogisticRegression, Ridge

ROWS = 150_000


def both(name, model, x, y):
    timed(f"{name} f64", 5, lambda: model.fit(x, y))
    narrow = x.astype(np.float32)
    timed(f"{name} f32", 5, lambda: model.fit(narrow, y.astype(np.float32)))


x = features(1001, ROWS, 100)
w = np.where(np.arange(100) < 20, 3 * normal(1002, 100), 0.0)
y = (x @ w + 5 + 2 * normal(1003, ROWS)).astype(np.float32).astype(np.float64)
both("linear", LinearRegression(), x, y)
both("ridge", Ridge(), x, y)
timed("lasso f64", 5, lambda: Lasso(alpha=0.1).fit(x, y))
timed("elastic-net f64", 5, lambda: ElasticNet(alpha=0.1).fit(x, y))
x, y = bin200k(ROWS)
both("logistic", LogisticRegression(), x, y)
x, y = multi50k(37_500)
timed("softmax f64", 5, lambda: LogisticRegression().fit(x, y))
