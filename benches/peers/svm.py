"""scikit-learn on the sets of benches/svm.rs. `run.sh` calls it; arguments: beginnings of names, all when none are given."""

import warnings

from sets import bin200k, features, multi50k, timed, uniform

from sklearn.svm import SVC, LinearSVC

warnings.filterwarnings("ignore")
x = features(4001, 7500, 20)
right = x[:, 0] * x[:, 1] + x[:, 2] ** 2 - x[:, 3] * x[:, 4] + 0.8 * x[:, 5] - 1 > 0
y = right != (uniform(4003, 7500) < 0.05)
timed("svc rbf svm10k", 5, lambda: SVC().fit(x, y))
x, y = bin200k(150_000)
timed("linear-svc bin200k", 3, lambda: LinearSVC().fit(x, y))
x, y = multi50k(37_500)
timed("linear-svc multi50k", 3, lambda: LinearSVC().fit(x, y))
