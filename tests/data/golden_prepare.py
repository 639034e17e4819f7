"""Adds to prepare.json what scikit-learn 1.9.1 makes of its data by the steps below. python golden_prepare.py (in tests/data)"""
import json, warnings
import numpy as np
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.feature_selection import RFE, RFECV, SelectFromModel
from sklearn.impute import IterativeImputer, KNNImputer
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.naive_bayes import GaussianNB

warnings.simplefilter("ignore")
golden = json.load(open("prepare.json"))
data = {name: np.array([[np.nan if v is None else v for v in row] for row in rows]) for name, rows in golden["data"].items()}
answers = {"values": np.array(golden["values"]), "labels": np.array(golden["labels"]), None: None}
cases = [
    ("truncated-svd", {"n_components": 3, "algorithm": "exact"}, TruncatedSVD(3, algorithm="arpack"), "X", "N", None),
    ("truncated-svd", {"n_components": 2, "algorithm": "randomized"}, TruncatedSVD(2), "X", "N", None),
    ("pca", {"n_components": 2, "whiten": True}, PCA(2, whiten=True), "X", "N", None),
    ("select-from-model", {"estimator": "ridge"}, SelectFromModel(Ridge()), "X", "N", "values"),
    ("select-from-model", {"estimator": "ridge", "threshold": "0.5*median", "max_features": 3},
     SelectFromModel(Ridge(), threshold="0.5*median", max_features=3), "X", "N", "values"),
    ("select-from-model", {"estimator": "lasso", "settings": {"alpha": 0.3}}, SelectFromModel(Lasso(0.3)), "X", "N", "values"),
    ("select-from-model", {"estimator": "logistic-regression", "threshold": "median"},
     SelectFromModel(LogisticRegression(), threshold="median"), "X", "N", "labels"),
    ("rfe", {"estimator": "linear-regression"}, RFE(LinearRegression()), "X", "N", "values"),
    ("rfe", {"estimator": "logistic-regression", "n_features_to_select": 1, "step": 0.5},
     RFE(LogisticRegression(), n_features_to_select=1, step=0.5), "X", "N", "labels"),
    ("rfecv", {"estimator": "linear-regression"}, RFECV(LinearRegression(), cv=5), "X", "N", "values"),
    ("rfecv", {"estimator": "logistic-regression", "cv": 3, "min_features_to_select": 2},
     RFECV(LogisticRegression(), cv=3, min_features_to_select=2), "X", "N", "labels"),
    ("iterative-imputer", {}, IterativeImputer(), "G", "NG", None),
    ("iterative-imputer", {"max_iter": 3, "imputation_order": "descending", "initial_strategy": "median", "max_value": 1.0,
                           "add_indicator": True},
     IterativeImputer(max_iter=3, imputation_order="descending", initial_strategy="median", max_value=1.0, add_indicator=True),
     "G", "NG", None),
    ("iterative-imputer", {"imputation_order": "roman", "estimator": "ridge", "settings": {"alpha": 0.5}, "tol": 1e-2},
     IterativeImputer(Ridge(0.5), imputation_order="roman", tol=1e-2), "G", "NG", None),
    ("iterative-imputer", {"imputation_order": "arabic", "skip_complete": True, "max_iter": 5},
     IterativeImputer(imputation_order="arabic", skip_complete=True, max_iter=5), "G", "NG", None),
    # Of five neighbours, three would be equally far but for roundings: which of them count is anybody's choice.
    ("knn-imputer", {"n_neighbors": 3, "add_indicator": True}, KNNImputer(n_neighbors=3, add_indicator=True), "G", "NG", None),
]
seen = [(kind, settings) for kind, settings, *_ in cases]
golden["rows"] = [row for row in golden["rows"] if (row["kind"], row["settings"]) not in seen]
for kind, settings, step, x, new, y in cases:
    step.fit(data[x]) if y is None else step.fit(data[x], answers[y])
    out = np.asarray(step.transform(data[new]), dtype=float)
    rows = [[None if np.isnan(v) else v for v in row] for row in out.tolist()]
    golden["rows"].append({"kind": kind, "settings": settings, "x": x, "new": new, "answers": y, "out": rows})
svd = TruncatedSVD(3, algorithm="arpack").fit(data["X"])
cv = RFECV(LinearRegression(), cv=5).fit(data["X"], answers["values"])
golden["fitted"] = {
    "explained_variance": svd.explained_variance_.tolist(),
    "explained_variance_ratio": svd.explained_variance_ratio_.tolist(),
    "singular_values": svd.singular_values_.tolist(),
    "ranking": RFE(LinearRegression(), n_features_to_select=1).fit(data["X"], answers["values"]).ranking_.tolist(),
    "scores": cv.cv_results_["mean_test_score"][::-1].tolist(),
    "n_iter": IterativeImputer().fit(data["G"]).n_iter_,
}
iris = np.loadtxt("iris.csv", delimiter=",", skiprows=1)
golden["thresholds"] = {
    scoring: TunedThresholdClassifierCV(GaussianNB(), scoring=scoring).fit(iris[:, :2], iris[:, 4] == 1).best_threshold_
    for scoring in ["balanced_accuracy", "f1_macro", "accuracy", "matthews_corrcoef"]}
text = lambda value: json.dumps(value, separators=(",", ":"))
head = {key: value for key, value in golden.items() if key not in ("rows", "scores")}
rows = ",\n".join(text(row) for row in golden["rows"])
with open("prepare.json", "w") as file:
    file.write(text(head)[:-1] + ',"rows":[\n' + rows + '\n],"scores":' + text(golden["scores"]) + "}\n")
