"""Writes files/: small tables as NumPy 2.4.6 writes them. python golden_files.py (in tests/data)"""
import io, zipfile
import csv
import numpy as np

rows = np.array(list(csv.reader(open("iris.csv")))[1:], float)
np.savez_compressed("files/iris.npz", X=rows[:, :4], species=rows[:, 4].astype(int))

X = np.array([[5.1, 3.5], [4.9, 3.0], [7.0, 3.2], [6.4, 3.1], [6.3, 3.3], [5.8, 2.75]])
y = np.array(["setosa", "setosa", "versicolor", "versicolor", "virginica", "virginica"])
size = np.array([1, -2, 3, 4, 5, 6])

# NumPy stamps its members with 1980, so that the bytes are the same each time.
np.savez("files/flowers.npz", X=X, y=y, size=size)
np.savez_compressed("files/flowers_deflated.npz", y=y, X=X, size=size, version=np.array(3))
np.savez(
    "files/kinds.npz",
    doubles=np.array([0.1, -1e300]),
    singles=np.array([0.1, 2.5], np.float32),
    halves=np.array([1.5, -0.25], np.float16),
    bytes=np.array([0, 255], np.uint8),
    wide=np.array([-7, 2**31 - 1], np.int64),
    swapped=np.array([[1, 2], [3, 4]], ">i4"),
    columns=np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]),
    truth=np.array([True, False]),
    words=np.array(["é\U0001f33b", ""]),
    bytes_of_text=np.array([b"ab", b"c"]),
    cube=np.arange(8.0).reshape(2, 2, 2),
    objects=np.array([None, {}], object),
    times=np.array(["2024-03-01", "NaT"], "datetime64[D]"),
)
