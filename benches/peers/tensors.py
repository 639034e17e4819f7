"""Tilework beside PyTorch and JAX on the CPU: medians of all, case by case in turn, as a Markdown table.

Called by tensors.sh. Arguments: the bench that answers with `--beside` (matmul, elementwise, train_step or inference), and how many
threads. All are asked alternately, and sleep meanwhile, so that whatever slows the machine down slows all; medians are compared.
"""

import os
import statistics
import subprocess
import sys
import time

BENCH, THREADS = sys.argv[1], int(sys.argv[2])
if THREADS == 1:  # the one setting that jax honours
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
os.environ["OMP_NUM_THREADS"] = str(THREADS)
os.environ["JAX_PLATFORMS"] = "cpu"

import numpy as np
import torch

ROUNDS = 5
SAMPLE = 0.008  # seconds at least, as in benches/common/beside.rs
ELEMENTS = 1 << 24
SMALL, BIG = (64, 64, 32, 10), (784, 512, 256, 10)


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
    return {"torch": lambda: torch.mm(a, b, out=out)}


def formula(name):
    """A fresh result each call; torch also into an array given in advance, where one call does it."""
    import jax
    import jax.numpy as jnp

    f = torch.nn.functional
    make, out, traced = {
        "copy": (torch.clone, lambda x, y: y.copy_(x), None),
        "relu(2x+1)": (lambda x: torch.relu(2.0 * x + 1.0), None, lambda x: jnp.maximum(2.0 * x + 1.0, 0.0)),
        "exp": (torch.exp, lambda x, y: torch.exp(x, out=y), jnp.exp),
        "tanh": (torch.tanh, lambda x, y: torch.tanh(x, out=y), jnp.tanh),
        "gelu": (f.gelu, None, lambda x: jax.nn.gelu(x, approximate=False)),
        "softmax": (lambda x: torch.softmax(x, 1), lambda x, y: torch.softmax(x, 1, out=y), lambda x: jax.nn.softmax(x, axis=1)),
    }[name]
    x = torch.rand(4096, 1024) * 2 - 1 if name == "softmax" else torch.rand(ELEMENTS) * 2 - 1
    y, held = torch.empty_like(x), [None]

    def fresh(run, x):
        def call():
            held[0] = run(x)

        return call

    peers = {"torch": fresh(make, x)}
    if out:
        peers["torch, out="] = lambda: out(x, y)
    if traced:
        peers["torch.compile"] = fresh(torch.compile(make), x)
        compiled = jax.jit(traced)
        peers["jax"] = fresh(lambda x: compiled(x).block_until_ready(), jnp.asarray(x.numpy()))
    return peers


def layers(sizes):
    all = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        all += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    return torch.nn.Sequential(*all[:-1])


def prediction(sizes):
    """From numbers of the host to numbers of the host: the network as it is, traced, and jax's compiled."""
    import jax

    net, row = layers(sizes).eval(), torch.full((1, sizes[0]), 0.5)
    traced = torch.jit.freeze(torch.jit.trace(net, row))
    row = row.numpy()
    params = [(l.weight.numpy().T, l.bias.numpy()) for l in net if isinstance(l, torch.nn.Linear)]

    def forward(x):
        for w, b in params[:-1]:
            x = jax.nn.relu(x @ w + b)
        return x @ params[-1][0] + params[-1][1]

    compiled = jax.jit(forward)
    return {
        "torch": lambda: net(torch.from_numpy(row)).numpy(),
        "torch.jit": lambda: traced(torch.from_numpy(row)).numpy(),
        "jax": lambda: np.asarray(compiled(row)),
    }


def training(sizes, batch):
    """Forward, cross-entropy, backward, Adam; jax compiles an epoch of eight batches as one."""
    import jax
    import jax.numpy as jnp

    batches = 8
    rng = np.random.default_rng(0)
    x = rng.random((batches * batch, sizes[0]), dtype=np.float32)
    y = np.arange(batches * batch) % 10
    weights = [(rng.uniform(-1, 1, (i, o)).astype(np.float32) / i**0.5, np.zeros(o, np.float32)) for i, o in zip(sizes, sizes[1:])]

    net = layers(sizes)
    adam = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    loss = torch.nn.CrossEntropyLoss()
    xs, ys, at = torch.from_numpy(x), torch.from_numpy(y), [0]

    def eager():
        rows = slice(at[0] * batch, (at[0] + 1) * batch)
        at[0] = (at[0] + 1) % batches
        with torch.enable_grad():
            adam.zero_grad()
            loss(net(xs[rows]), ys[rows]).backward()
            adam.step()

    def forward(params, x):
        for w, b in params[:-1]:
            x = jax.nn.relu(x @ w + b)
        return x @ params[-1][0] + params[-1][1]

    def objective(params, x, y):
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(forward(params, x)), y[:, None], 1))

    def step(state, i):
        params, m, v, k = state
        rows = jax.lax.dynamic_slice_in_dim(jx, i * batch, batch), jax.lax.dynamic_slice_in_dim(jy, i * batch, batch)
        value, grads = jax.value_and_grad(objective)(params, *rows)
        k = k + 1
        each = jax.tree.map
        m = each(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
        v = each(lambda v, g: 0.999 * v + 0.001 * g * g, v, grads)
        c1, c2 = 1 - 0.9 ** k.astype(jnp.float32), 1 - 0.999 ** k.astype(jnp.float32)
        params = each(lambda p, m, v: p - 1e-3 * (m / c1) / (jnp.sqrt(v / c2) + 1e-8), params, m, v)
        return (params, m, v, k), value

    jx, jy = jnp.asarray(x), jnp.asarray(y.astype(np.int32))
    params = [(jnp.asarray(w), jnp.asarray(b)) for w, b in weights]
    zeros = jax.tree.map(jnp.zeros_like, params)
    state = [(params, zeros, jax.tree.map(jnp.zeros_like, params), jnp.zeros((), jnp.int32))]
    epochs = 8 if sizes == SMALL else 1
    run = jax.jit(lambda state: jax.lax.scan(step, state, jnp.arange(epochs * batches) % batches), donate_argnums=0)

    def epoch():
        state[0], values = run(state[0])
        values.block_until_ready()

    epoch.calls = epochs * batches
    return {"torch, fused Adam": eager, "jax, epoch compiled": epoch}


PREDICTION = [("small", SMALL), ("big", (784, 512, 512, 10))]
TRAINING = [("small_b32", SMALL, 32), ("big_b32", BIG, 32), ("big_b128", BIG, 128), ("big_b1024", BIG, 1024)]
FORMULAS = [("copy", 2), ("relu(2x+1)", 2), ("exp", 2), ("tanh", 2), ("gelu", 2), ("softmax", 2)]
# Name, what makes the peers' runs, and what one run amounts to in the unit; without it, microseconds are printed.
CASES = {
    "matmul": ("GFLOP/s", [(f"{lies} {m} {n} {k}", lambda c=(lies, m, n, k): product(*c), 2e-9 * m * n * k) for lies, m, n, k in products()]),
    "elementwise": (
        "GB/s",
        [(name, lambda name=name: formula(name), 4e-9 * arrays * (ELEMENTS // (4 if name == "softmax" else 1))) for name, arrays in FORMULAS],
    ),
    "train_step": ("µs", [(name + how, lambda s=sizes, b=batch: training(s, b), 0) for name, sizes, batch in TRAINING for how in ("", ", traced")]),
    "inference": ("µs", [(name + how, lambda s=sizes: prediction(s), 0) for name, sizes in PREDICTION for how in ("", ", traced")]),
}


def seconds(run):
    def sample(times):
        began = time.perf_counter()
        for _ in range(times):
            run()
        return (time.perf_counter() - began) / times

    sample(3)
    times = min(max(int(SAMPLE / sample(1)), 1), 100_000)
    return statistics.median(sample(times) for _ in range(3)) / getattr(run, "calls", 1)


torch.set_num_threads(THREADS)
torch.set_grad_enabled(False)
child = subprocess.Popen(
    ["cargo", "bench", "-q", "--bench", BENCH, "--", "--beside"],
    env={**os.environ, "TILEWORK_THREADS": str(THREADS)},
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
)
unit, cases = CASES[BENCH]
print(f"{THREADS} thread{'s' * (THREADS > 1)}, torch {torch.__version__}, {unit}; speed: of Tilework as a part of the fastest peer's\n\n| case | ours | peers | speed |\n|---|---:|---|---:|")
for name, make, work in cases:
    peers = make()
    ours, theirs = [], {peer: [] for peer in peers}
    for _ in range(ROUNDS):
        print(name, file=child.stdin, flush=True)
        ours.append(float(child.stdout.readline()))
        for peer, run in peers.items():
            theirs[peer].append(seconds(run))
            time.sleep(0.02)  # its threads still turn in circles for a while
    own = statistics.median(ours)
    medians = {peer: statistics.median(all) for peer, all in theirs.items()}
    figure = (lambda s: f"{work / s:.1f}") if work else (lambda s: f"{1e6 * s:.1f}")
    named = ", ".join(f"{peer} {figure(s)}" for peer, s in medians.items())
    print(f"| {name} | {figure(own)} | {named} | {min(medians.values()) / own:.2f} |", flush=True)
child.stdin.close()
child.wait()
