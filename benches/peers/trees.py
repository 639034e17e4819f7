"""scikit-learn and LightGBM on tab100k, the set of benches/trees.rs: times and scores. `run.sh` calls it; arguments: beginnings of
names, all when none are given."""

from sets import THREADS, tab100k, timed

from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

TRAIN = 75_000
x, labels, values = tab100k(0, 100_000)
models = {
    "boosting (lightgbm)": (lambda: LGBMClassifier(n_jobs=THREADS, verbose=-1), labels),
    "boosting (scikit-learn)": (lambda: HistGradientBoostingClassifier(early_stopping=False), labels),
    "boosting_values (lightgbm)": (lambda: LGBMRegressor(n_jobs=THREADS, verbose=-1), values),
    "boosting_values (scikit-learn)": (lambda: HistGradientBoostingRegressor(early_stopping=False), values),
    "tree": (lambda: DecisionTreeClassifier(random_state=0), labels),
    "tree_values": (lambda: DecisionTreeRegressor(random_state=0), values),
    "forest": (lambda: RandomForestClassifier(random_state=0, n_jobs=THREADS), labels),
    "extra_trees": (lambda: ExtraTreesClassifier(random_state=0, n_jobs=THREADS), labels),
}
for name, (model, y) in models.items():
    fitted = timed(name, 5 if "boosting" in name else 1, lambda: model().fit(x[:TRAIN], y[:TRAIN]))
    if fitted is not None:
        print(f"  score {fitted.score(x[TRAIN:], y[TRAIN:]):.4f}", flush=True)
