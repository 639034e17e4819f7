"""Writes `text.json`: what scikit-learn 1.9.1 makes of texts, and what statsmodels 0.15.0 makes of series."""

import json
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from statsmodels.tsa.holtwinters import ExponentialSmoothing

DOCS = [
    "The quick brown fox jumps over the lazy dog.",
    "The dog -- the quick one -- sleeps; foxes don't.",
    "",
    "Größe, Ärger und ÜBERMUT: straße 42 und 4x4!",
    "a I 7 _x_ snake_case  tabs\there \n new lines",
    "Привет, мир! привет снова. 东京 東京タワー",
    "quick quick quick brown brown fox",
    "naïve café déjà-vu, the café; the the the",
]
NEW = ["The QUICK unknown café fox", "nothing here is known", "", "Größe und Straße dog"]

COUNTS = [
    {},
    {"ngram_range": [1, 2]},
    {"ngram_range": [2, 3], "lowercase": False},
    {"min_df": 2},
    {"min_df": 0.25, "max_df": 3},
    {"max_df": 0.3, "binary": True},
    {"max_features": 3},
    {"stop_words": ["the", "und", "over"], "ngram_range": [1, 2]},
    {"analyzer": "char", "ngram_range": [2, 3], "min_df": 3},
    {"analyzer": "char_wb", "ngram_range": [3, 4], "min_df": 2},
]
WEIGHTS = [
    {},
    {"sublinear_tf": True, "norm": "l1"},
    {"smooth_idf": False, "norm": None},
    {"use_idf": False, "min_df": 2, "ngram_range": [1, 2]},
]
HASHES = [
    {"n_features": 16},
    {"n_features": 64, "alternate_sign": False, "norm": None, "ngram_range": [1, 2]},
    {"n_features": 32, "analyzer": "char", "ngram_range": [2, 2], "binary": True, "norm": "l1"},
]


def python(settings):
    return {k: tuple(v) if k == "ngram_range" else v for k, v in settings.items()}


def fitted(kind, settings):
    model = kind(**python(settings))
    made = model.fit_transform(DOCS).toarray()
    case = {"settings": settings, "terms": list(model.get_feature_names_out()), "made": made.tolist()}
    if hasattr(model, "idf_"):
        case["idf"] = model.idf_.tolist()
    return case | {"new": model.transform(NEW).toarray().tolist()}


def hashed(settings):
    return {"settings": settings, "made": HashingVectorizer(**python(settings)).transform(DOCS).toarray().tolist()}


rng = np.random.default_rng(7)
season = np.array([3.0, -1.0, -4.0, 2.0])
level = 20 + np.cumsum(np.cumsum(rng.normal(0, 0.4, 40)) + rng.normal(0, 0.6, 40))
SERIES = [round(float(level[i] + season[i % 4] + rng.normal(0, 0.5)), 2) for i in range(40)]


def smoothed(settings):
    trend = "add" if settings.get("trend") else None
    period = settings.get("seasonal_periods")
    known = settings.get("initial")
    how = {"initialization_method": "estimated"}
    if known:
        how = {"initialization_method": "known", "initial_level": known["level"]}
        if trend:
            how["initial_trend"] = known["trend"]
        if period:
            how["initial_seasonal"] = known["season"]
    model = ExponentialSmoothing(np.array(SERIES), trend=trend, seasonal="add" if period else None, seasonal_periods=period, **how)
    names = ["smoothing_level", "smoothing_trend", "smoothing_seasonal"]
    given = {name: settings[name] for name in names if name in settings}
    fit = model.fit(optimized=len(given) < 1 + bool(trend) + bool(period), **given)
    return {
        "settings": settings,
        "weights": [0.0 if fit.params[n] is None or np.isnan(fit.params[n]) else float(fit.params[n]) for n in names],
        "sse": float(fit.sse),
        "fitted": fit.fittedvalues.tolist(),
        "forecast": fit.forecast(6).tolist(),
    }


KNOWN = {"level": 19.0, "trend": 0.5, "season": [2.0, -1.0, -3.0, 2.0]}
SMOOTHING = [
    {"smoothing_level": 0.3, "initial": {"level": 21.0, "trend": 0.0, "season": []}},
    {"trend": True, "smoothing_level": 0.4, "smoothing_trend": 0.2, "initial": KNOWN | {"season": []}},
    {"trend": True, "seasonal_periods": 4, "smoothing_level": 0.4, "smoothing_trend": 0.2, "smoothing_seasonal": 0.3, "initial": KNOWN},
    {},
    {"trend": True},
    {"seasonal_periods": 4},
    {"trend": True, "seasonal_periods": 4},
]

out = {
    "docs": DOCS,
    "new": NEW,
    "count": [fitted(CountVectorizer, s) for s in COUNTS],
    "tfidf": [fitted(TfidfVectorizer, s) for s in WEIGHTS],
    "hashing": [hashed(s) for s in HASHES],
    "series": SERIES,
    "smoothing": [smoothed(s) for s in SMOOTHING],
}
Path(__file__).with_name("text.json").write_text(json.dumps(out, ensure_ascii=False) + "\n")
