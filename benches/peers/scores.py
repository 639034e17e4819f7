"""scikit-learn and LightGBM on the sets of benches/scores.rs: mean score over five draws. `run.sh` calls it."""

from sets import THREADS, tab100k

from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

DRAWS, TRAIN = 5, 15_000
models = {
    "forest": lambda seed: RandomForestClassifier(random_state=seed, n_jobs=THREADS),
    "forest, numbers": lambda seed: RandomForestRegressor(random_state=seed, n_jobs=THREADS),
    "extra trees": lambda seed: ExtraTreesClassifier(random_state=seed, n_jobs=THREADS),
    "extra trees, numbers": lambda seed: ExtraTreesRegressor(random_state=seed, n_jobs=THREADS),
    "boosting (scikit-learn)": lambda _: HistGradientBoostingClassifier(early_stopping=False),
    "boosting, numbers (scikit-learn)": lambda _: HistGradientBoostingRegressor(early_stopping=False),
    "boosting (lightgbm)": lambda _: LGBMClassifier(n_jobs=THREADS, verbose=-1),
    "boosting, numbers (lightgbm)": lambda _: LGBMRegressor(n_jobs=THREADS, verbose=-1),
}
sums = dict.fromkeys(models, 0.0)
for seed in range(DRAWS):
    x, labels, values = tab100k(seed, 2 * TRAIN)
    for name, model in models.items():
        y = values if "numbers" in name else labels
        sums[name] += model(seed).fit(x[:TRAIN], y[:TRAIN]).score(x[TRAIN:], y[TRAIN:])
for name, total in sums.items():
    print(f"{name}: {total / DRAWS:.4f}")
