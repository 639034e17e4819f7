"""Tilework beside PyTorch on the CPU: medians of both, case by case in turn, as a Markdown table.

Called by torch.sh. Argument: matmul or inference, the bench that answers with `--beside`. The two are asked alternately, three
times each, and sleep meanwhile, so that whatever slows the machine down slows both; the medians of the three are compared.
"""

import os
import statistics
import subprocess
import sys
import time

import torch

ROUNDS = 3
SAMPLE = 0.008  # seconds at least, as in benches/common/beside.rs


def products():
    for n in (64, 128, 256, 512, 1024, 2048):
        yield from ((lies, n, n, n) for lies in ("nn", "tn", "nt"))
    # The layers of 784-512-256-10: forward (weights lie by outputs), gradient of the inputs, gradient of the weights.
    for batch in (1, 32, 128):
        for k, n in ((784, 512), (512, 256), (256, 10)):
            yield from (("nt", batch, n, k), ("nn", batch, k, n))
            if batch > 1:
                yield ("tn", n, k, batch)


def product(lies, m, n, k):
    a = torch.rand(k, m).t() if lies == "tn" else torch.rand(m, k)
    b = torch.rand(n, k).t() if lies == "nt" else torch.rand(k, n)
    out = torch.empty(m, n)
    return lambda: torch.mm(a, b, out=out)


def prediction(sizes):
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    net, row = torch.nn.Sequential(*layers[:-1]).eval(), torch.full((1, sizes[0]), 0.5).numpy()
    return lambda: net(torch.from_numpy(row)).numpy()


CASES = {
    "matmul": [(f"{lies} {m} {n} {k}", lambda c=(lies, m, n, k): product(*c), 2e-9 * m * n * k) for lies, m, n, k in products()],
    "inference": [("small", lambda: prediction((64, 64, 32, 10)), 0), ("big", lambda: prediction((784, 512, 512, 10)), 0)],
}


def seconds(run):
    def sample(times):
        began = time.perf_counter()
        for _ in range(times):
            run()
        return (time.perf_counter() - began) / times

    sample(3)
    times = min(max(int(SAMPLE / sample(1)), 1), 100_000)
    return statistics.median(sample(times) for _ in range(3))


def compared(bench, threads):
    """Of each case: name, rate factor, and the medians of Tilework and of torch."""
    torch.set_num_threads(threads)
    child = subprocess.Popen(
        ["cargo", "bench", "-q", "--bench", bench, "--", "--beside"],
        env={**os.environ, "TILEWORK_THREADS": str(threads)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    for name, make, work in CASES[bench]:
        ours, theirs, run = [], [], make()
        for _ in range(ROUNDS):
            print(name, file=child.stdin, flush=True)
            ours.append(float(child.stdout.readline()))
            theirs.append(seconds(run))
            time.sleep(0.02)  # its threads still turn in circles for a while
        yield name, work, statistics.median(ours), statistics.median(theirs)
    child.stdin.close()
    child.wait()


def figure(work, seconds):
    return f"{work / seconds:.1f}" if work else f"{1e6 * seconds:.1f}"


torch.set_grad_enabled(False)
bench = sys.argv[1]
columns = [list(compared(bench, threads)) for threads in (1, 2)]
unit = "GFLOP/s" if bench == "matmul" else "µs"
print(f"torch {torch.__version__}, {unit}; speed: of Tilework as a part of torch's\n")
print("| case | ours, 1 thread | torch | speed | ours, 2 threads | torch | speed |\n|---|---:|---:|---:|---:|---:|---:|")
for rows in zip(*columns):
    cells = [f"{figure(work, a)} | {figure(work, b)} | {b / a:.2f}" for _, work, a, b in rows]
    print(f"| {rows[0][0]} | {' | '.join(cells)} |")
