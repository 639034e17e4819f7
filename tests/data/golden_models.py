"""Writes golden_models.json: what scikit-learn 1.9.1 makes of iris.csv. python golden_models.py (in tests/data)"""
import csv, json
import numpy as np
from sklearn import __version__
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import BayesianRidge
from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

rows = [[float(v) for v in row] for row in list(csv.reader(open("iris.csv")))[1:]]
data = np.array(rows)
X, y = data[:, :4], data[:, 4].astype(int)
train, test = np.arange(150) % 3 != 0, np.arange(150) % 3 == 0
A, b, C = X[train], y[train], X[test]
t = A[:, 3]  # petal width, from the other three
A3, C3 = A[:, :3], C[:, :3]
w = 0.5 + (np.arange(len(b)) % 4)
out = {"scikit-learn": __version__}
flat = lambda v: np.asarray(v, dtype=float).ravel().tolist()
for kernel in ["linear", "poly", "rbf", "sigmoid"]:
    gamma = 0.01 if kernel == "sigmoid" else "scale"
    m = SVC(kernel=kernel, gamma=gamma, tol=1e-9, decision_function_shape="ovo", coef0=0.5).fit(A, b, sample_weight=w)
    out["svc_" + kernel] = {"intercept": flat(m.intercept_), "n_support": m.n_support_.tolist(),
                            "ovo": flat(m.decision_function(C)), "predict": m.predict(C).tolist()}
    m.set_params(decision_function_shape="ovr")
    out["svc_" + kernel]["ovr"] = flat(m.decision_function(C))
m = SVR(C=2.0, epsilon=0.05, tol=1e-10).fit(A3, t)
out["svr"] = {"intercept": flat(m.intercept_), "predict": flat(m.predict(C3))}
m = LinearSVC(tol=1e-12, max_iter=100000, dual=False, class_weight="balanced").fit(A, b)
out["linear_svc"] = {"coef": flat(m.coef_), "intercept": flat(m.intercept_)}
m = LinearSVC(loss="hinge", tol=1e-10, max_iter=10000000, dual=True).fit(A, (b == 1).astype(int))
out["linear_svc_hinge"] = {"coef": flat(m.coef_), "intercept": flat(m.intercept_)}
m = LinearSVR(epsilon=0.1, tol=1e-10, max_iter=10000000, dual=True).fit(A3, t)
out["linear_svr"] = {"coef": flat(m.coef_), "intercept": flat(m.intercept_)}
m = LinearSVR(epsilon=0.1, loss="squared_epsilon_insensitive", tol=1e-12, max_iter=1000000, dual=False).fit(A3, t)
out["linear_svr_squared"] = {"coef": flat(m.coef_), "intercept": flat(m.intercept_)}
for name, m in [("gaussian", GaussianNB()), ("multinomial", MultinomialNB(alpha=0.7)), ("bernoulli", BernoulliNB(binarize=3.0))]:
    out[name + "_nb"] = flat(m.fit(A, b, sample_weight=w).predict_proba(C))
for weights in ["uniform", "distance"]:
    out["knn_" + weights] = {
        "proba": flat(KNeighborsClassifier(algorithm="brute", weights=weights).fit(A, b).predict_proba(C)),
        "values": flat(KNeighborsRegressor(algorithm="brute", weights=weights).fit(A3, t).predict(C3))}
m = KMeans(3, init=A[:3], n_init=1, tol=0).fit(A, sample_weight=w)
out["k_means"] = {"centers": flat(m.cluster_centers_), "inertia": m.inertia_, "n_iter": m.n_iter_, "labels": m.labels_.tolist()}
for solver in ["full", "covariance_eigh"]:
    m = PCA(3, svd_solver=solver, whiten=True).fit(A)
    out["pca_" + solver] = {"components": flat(m.components_), "variance": flat(m.explained_variance_),
                            "noise": m.noise_variance_, "transform": flat(m.transform(C))}
for name, m, rows in [("all", BayesianRidge(), len(b)), ("few", BayesianRidge(fit_intercept=False, tol=1e-6, alpha_init=2.0), 3)]:
    m.fit(A[:rows, :], t[:rows] + b[:rows], sample_weight=w[:rows])
    out["bayesian_ridge_" + name] = {"coef": flat(m.coef_), "rest": [m.intercept_, m.alpha_, m.lambda_], "n_iter": m.n_iter_}
json.dump(out, open("golden_models.json", "w"))
