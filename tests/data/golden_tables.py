"""Writes files/: one table as pyarrow 26.0.1 writes it in several ways, and as CSV. python golden_tables.py (in tests/data)"""
import csv
import datetime as dt
import decimal
import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

D, day, moment, utc = decimal.Decimal, dt.date, dt.datetime, dt.timezone.utc
columns = {
    "tiny": (pa.int8(), [-128, None, 127, 0, 5, 6, 7]),
    "whole": (pa.int64(), [1, 2, None, -9007199254740991, 5, 6, 7]),
    "unsigned": (pa.uint16(), [65535, 0, 1, 2, None, 3, 4]),
    "half": (pa.float16(), [np.float16(v) if v is not None else None for v in [1.5, -0.25, None, 2.0, 0.5, 3.0, 4.0]]),
    "single": (pa.float32(), [0.5, None, -1e10, 2.0, 3.25, 4.0, 5.0]),
    "double": (pa.float64(), [0.1, 1e300, None, -2.5, 5e-324, 6.0, 7.0]),
    "money": (pa.decimal128(9, 2), [D("1234567.89"), None, D("-0.01"), D("0.30"), D("5"), D("6.5"), D("7")]),
    "long_money": (pa.decimal128(38, 4), [D("1234567890123456789012345678.9012"), D("0.1"), None, D("1"), D("2"), D("3"), D("4")]),
    "truth": (pa.bool_(), [True, False, None, True, True, False, False]),
    "day": (pa.date32(), [day(2024, 2, 29), None, day(1969, 12, 31), day(1, 1, 1), day(9999, 12, 31), day(1900, 3, 1), day(2000, 1, 1)]),
    "at": (pa.timestamp("us"), [moment(2024, 3, 1, 12, 30), None, moment(1969, 12, 31, 23, 59, 59, 250000), moment(1970, 1, 1),
                                moment(2000, 2, 29, 0, 0, 1), moment(2001, 1, 1), moment(1600, 1, 1, 1, 1, 1, 1)]),
    "at_utc": (pa.timestamp("ms", tz="Europe/Berlin"), [moment(2024, 7, 1, 10, tzinfo=utc), None] + [moment(2024, 1, i, i, tzinfo=utc) for i in range(1, 6)]),
    "nanos": (pa.timestamp("ns"), [moment(2024, 3, 1, 12, 30, 0, 5)] * 3 + [None] + [moment(2024, 3, 2)] * 3),
    "clock": (pa.time64("us"), [dt.time(1, 2, 3), None, dt.time(23, 59, 59, 500000), dt.time(0), dt.time(1), dt.time(2), dt.time(3)]),
    "word": (pa.string(), ["é🌻", None, 'a "b", c', "line\nbreak", "x", "y", "z"]),
    "long_word": (pa.large_string(), ["a", "b", "c", None, "e", "f", "g" * 50]),
    "class": (pa.dictionary(pa.int8(), pa.string()), ["red", "green", None, "red", "blue", "blue", "green"]),
    "code": (pa.dictionary(pa.int32(), pa.int64()), [10, 20, None, 10, 30, 30, 20]),
    "bytes": (pa.binary(), [b"ab", b"c", None, b"d", b"e", b"f", b"g"]),
    "nothing": (pa.null(), [None] * 7),
    "always": (pa.int32(), [1, 2, 3, 4, 5, 6, 7]),
}
table = pa.table({name: pa.array(values, type) for name, (type, values) in columns.items()})


def text(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dt.datetime):
        return short(value.replace(tzinfo=None).isoformat()) + ("Z" if value.tzinfo else "")
    return short(value.isoformat()) if isinstance(value, (dt.date, dt.time)) else str(value)


def short(text):
    return text.rstrip("0") if "." in text else text


with open("files/table.csv", "w", newline="", encoding="utf-8") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(columns)
    out.writerows(zip(*[map(text, values) for _, values in columns.values()]))

# Parquet: row groups and checksums; pages of the second version without Arrow's schema; no dictionaries; other encodings.
pq.write_table(table, "files/snappy.parquet", row_group_size=4, write_statistics=False, write_page_checksum=True)
pq.write_table(table, "files/zstd.parquet", row_group_size=4, compression="zstd", data_page_version="2.0", store_schema=False)
pq.write_table(table, "files/plain.parquet", row_group_size=7, compression="none", use_dictionary=False)
pq.write_table(
    table.select(["tiny", "whole", "double", "word", "always"]), "files/lz4.parquet", compression="lz4", use_dictionary=False, data_page_version="2.0",
    column_encoding={"tiny": "DELTA_BINARY_PACKED", "whole": "DELTA_BINARY_PACKED", "double": "BYTE_STREAM_SPLIT", "word": "DELTA_BYTE_ARRAY"},
)
pq.write_table(table.select(["tiny", "word"]), "files/gzip.parquet", compression="gzip")

# What a table cannot hold, beside what it can; the column of lists packed as no reader here unpacks it.
nested = pa.table({"n": [1, 2, 3], "tags": [["a"], [], None], "place": [{"x": 1}, None, {"x": 2}], "word": ["a", None, "c"]})
pq.write_table(nested, "files/nested.parquet", compression={"n": "snappy", "tags.list.element": "brotli", "place.x": "snappy", "word": "snappy"})

# Arrow: the file with each codec, and the stream.
feather.write_feather(table, "files/lz4.feather", chunksize=4)
with pa.ipc.new_file("files/plain.arrow", table.schema) as out:
    out.write_table(table, 4)
with pa.ipc.new_stream("files/zstd.ipc", table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as out:
    out.write_table(table, 4)

rows = np.array(list(csv.reader(open("iris.csv")))[1:], float)
names = open("iris.csv").readline().strip().split(",")
iris = {name: rows[:, i] if i < 4 else rows[:, i].astype(int) for i, name in enumerate(names)}
pq.write_table(pa.table(iris), "files/iris.parquet", compression="zstd")
feather.write_feather(pa.table(iris), "files/iris.feather", compression="zstd")
