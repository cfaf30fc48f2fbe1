#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How analogd's speed grows with sequences, context and cores: measured, and by a model.

    bench/scaling.py FIGURES [--joined] [--out docs]

FIGURES is what `make bench-scaling` measured (docs/scaling.json); --joined says that it is
several runs on one machine, one after the other, of which the last counts for a figure
that they have in common. It is refused if figures that the model needs are not in it, or
the runs are of different machines. Writes docs/scaling.md
and docs/scaling.svg. The model stands here and nowhere else; its constants are fitted to
the measured points or named below as assumptions. Python's standard library is all that
is needed; the same figures give the same bytes everywhere."""

import argparse
import math
import os
import re
import statistics

import figures as bench_figures
import scaling_figure

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# ---- the shape: Llama-3.2-1B, int8 ----------------------------------------------------

LAYERS = 16
HIDDEN, KV, FFN, VOCABULARY = 2048, 512, 8192, 128256
KV_HEADS = 8
BLOCK_MACS = LAYERS * (HIDDEN * (HIDDEN + 2 * KV) + HIDDEN * HIDDEN + 3 * HIDDEN * FFN)
HEAD_MACS = VOCABULARY * HIDDEN
MACS = BLOCK_MACS + HEAD_MACS
WEIGHTS = MACS  # bytes, but for the scales: one int8 a weight
KV_BYTES = 2 * 2 * LAYERS * KV  # of one token: keys and values in bfloat16
# Runs of the work pool in a layer, whatever the batch: four products and attention.
LAYER_RUNS = 5
# Elements of a row in a layer's other steps (norm, rotation, conversion, norm, gate), and
# how many make a task (runtime/model/forward.c, SMALL_STEP in backend.c): rows that fit
# into one task are treated without the pool.
ROW_STEPS = [HIDDEN, HIDDEN + 2 * KV, HIDDEN, HIDDEN, 8 * FFN]
TASK_ELEMENTS = 1 << 14


def runs(sequences):
    """Of the work pool in a step; the last one is the product of the vocabulary. Up to
    three others of a batch (embedding, last norm, sampling) are left out."""
    split = sum(sequences > TASK_ELEMENTS // width + 1 for width in ROW_STEPS)
    return LAYERS * (LAYER_RUNS + split) + 1


# ---- assumptions about the machine that nobody measured -------------------------------

CHANNELS, CHANNEL_BYTES = 12, 38.4e9  # DDR5-4800, 8 bytes a transfer
READABLE = 0.85  # of the nominal bandwidth, by reading alone
CORES = [1, 2, 4, 8, 16, 32, 64, 96, 128]


class Point:
    """A measured rate: sequences decode with a context each, on threads."""

    def __init__(self, row, threads, sequences, context):
        self.threads, self.sequences, self.context = threads, sequences, context
        self.rate = row["value"]
        self.bandwidth = row["read_bandwidth"] * 1e9
        self.macs = row["int8_peak"] * 0.5e12


PATTERNS = [
    (re.compile(r"decode_8192_int8"), lambda m, all_threads: (all_threads, 1, 8176)),
    (re.compile(r"scaling_context_(\d+)_int8"),
     lambda m, all_threads: (all_threads, 1, int(m[1]) - 16)),
    (re.compile(r"scaling_threads_(\d+)_decode_(\d+)_int8"),
     lambda m, all_threads: (int(m[1]), int(m[2]), 32)),
    (re.compile(r"decode_(\d+)_int8"), lambda m, all_threads: (all_threads, int(m[1]), 32)),
]


def points_of(measured):
    for name, row in measured.by_name.items():
        for pattern, conditions in PATTERNS:
            match = pattern.fullmatch(name)
            if match:
                yield Point(row, *conditions(match, measured.machine["threads"]))
                break


def needed_figures(measured):
    """Names that the model is made of, beside the points of its curves."""
    names = ["scaling_threads_1_decode_1_int8", "scaling_threads_2_barrier",
             "shipped_64_overhead", "shipped_decode_64_int8"]
    names += [] if prefill_shares(measured) else ["prefill_256_int8"]
    long = [name for name in measured.by_name if name.startswith("scaling_context_")]
    return names + ([] if long else ["scaling_context_512_int8"])


def check_figures(measured, joined):
    """Ends the program if no page can be made of these figures."""
    missing = [name for name in needed_figures(measured) if name not in measured.by_name]
    if missing:
        raise SystemExit(f"not measured: {', '.join(missing)}")
    if len(measured.machines) != 1 and not joined:
        raise SystemExit(f"{len(measured.machines)} runs, not one: see --joined")
    if any(machine != measured.machine for machine in measured.machines):
        raise SystemExit("runs of different machines say nothing together")


# ---- the model --------------------------------------------------------------------------

class Model:
    """Seconds of a step. Fitted: the parts of bandwidth and peak that the products reach,
    how far they overlap, and the bytes that attention works through in the time of a
    multiply-add. Measured by themselves: a run of the pool, and the engine thread's work
    for a token."""

    FITTED = ["memory", "peak", "overlap", "attention"]

    def __init__(self, barrier, serial):
        self.barrier, self.serial = barrier, serial
        self.memory, self.peak, self.overlap, self.attention = 0.9, 0.7, 2.0, 0.02

    def parts(self, threads, sequences, context, bandwidth, macs):
        reading = WEIGHTS / (self.memory * bandwidth)
        multiplying = sequences * MACS / (self.peak * macs)
        cached = sequences * context * KV_BYTES
        attending = min(threads, sequences * KV_HEADS) * macs / threads
        return {
            "products": (reading ** self.overlap + multiplying ** self.overlap)
                        ** (1 / self.overlap),
            "attention": cached / min(self.memory * bandwidth, attending * self.attention),
            "waits": runs(sequences) * self.barrier * (threads if threads > 1 else 0),
            "engine thread": sequences * self.serial,
        }

    def rate(self, threads, sequences, context, bandwidth, macs):
        return sequences / sum(self.parts(threads, sequences, context, bandwidth,
                                          macs).values())

    def error(self, point):
        """The logarithm of the predicted over the measured rate."""
        return math.log(self.rate(point.threads, point.sequences, point.context,
                                  point.bandwidth, point.macs) / point.rate)


BOUNDS = {"memory": (0.3, 1.0), "peak": (0.2, 1.0), "overlap": (1.0, 8.0),
          "attention": (1e-3, 1.0)}


def fit(model, points):
    """Least squares of the errors, one constant after the other in ever smaller steps."""
    def loss():
        return sum(model.error(p) ** 2 for p in points)

    step = 1.3
    while step > 1.0005:
        improved = False
        for name in Model.FITTED:
            for factor in (step, 1 / step):
                old, before = getattr(model, name), loss()
                low, high = BOUNDS[name]
                setattr(model, name, min(max(old * factor, low), high))
                if loss() < before:
                    improved = True
                else:
                    setattr(model, name, old)
        if not improved:
            step = math.sqrt(step)


def typical(errors):
    return math.exp(statistics.fmean(abs(e) for e in errors)) - 1


def worst(errors):
    return math.exp(max(abs(e) for e in errors)) - 1


def is_for_fitting(point):
    """Every other size of each curve; the others tell whether the model is right."""
    return (point.sequences in (1, 4, 16, 64) and point.context < 100
            or point.context > 100 and round(math.log2(point.context + 16)) % 2 == 1)


def make_model(measured, points):
    rows = measured.by_name
    barrier = rows["scaling_threads_2_barrier"]["value"] * 1e-6 / 2
    overhead = rows["shipped_64_overhead"]["value"]
    serial = overhead / rows["shipped_decode_64_int8"]["value"]
    model = Model(barrier, serial)
    fit(model, [p for p in points if is_for_fitting(p)])
    return model


# ---- the machine of the prediction ---------------------------------------------------------

class Server:
    """One socket with CHANNELS channels; cores as those that were measured."""

    def __init__(self, measured):
        alone = measured.by_name["scaling_threads_1_decode_1_int8"]
        self.core_bandwidth = alone["read_bandwidth"] * 1e9
        self.core_macs = alone["int8_peak"] * 0.5e12

    def bandwidth(self, cores):
        return min(cores * self.core_bandwidth, READABLE * CHANNELS * CHANNEL_BYTES)

    def limits(self, cores):
        return self.bandwidth(cores), cores * self.core_macs


def prefill_shares(measured):
    return [row["share"] for name, row in measured.by_name.items()
            if re.fullmatch(r"(scaling_threads_\d+_)?prefill_\d+_int8", name)]


def prefill_part(measured):
    """The part of the peak that prefill reaches."""
    return statistics.median(prefill_shares(measured))


def prefill_rate(part, macs):
    return part * macs / BLOCK_MACS


# ---- the page --------------------------------------------------------------------------------

PAGE = """<!-- SPDX-License-Identifier: Apache-2.0 -->
# Scaling

Written by `make bench-scaling` (bench/scaling.py). How many tokens a second analogd makes
of the shape of Llama-3.2-1B with int8 weights, over sequences, context and cores: measured
on {cpu}, {threads} threads, kernels {kernels}{joined};
and by a model, up to {most} cores and {channels} memory channels. Every
single figure is in [scaling.json](scaling.json), defined in [benchmarks.md](benchmarks.md).

![tokens a second over sequences, over context and over cores](scaling.svg)

Lines are the model with the limits of the machine that held in the median. Dots are
measured; where the machine allowed more or less in their own rounds, the model brings
them to the same limits. The table has them as they were measured.

## Measured
{measured}

## Model
Seconds of a step that decodes a token of each sequence are the sum of

- **products**: the weights over {memory:.0%} of the read bandwidth, and the multiply-adds
  over {peak:.0%} of the int8 peak. They overlap: the two times are added in the norm of
  exponent {overlap:.1f} (1 would be one after the other, a large one the longer of them).
- **attention**: the keys and values over the same part of the bandwidth, but not faster
  than {attention:.1f} GB/s by a core of the machine below. A sequence's {kv_heads}
  key-value heads are worked through apart, so that {kv_heads} cores at most attend for one
  sequence.
- **waits**: {few_runs} runs of the work pool for 1 sequence, {many_runs} for 16 and more,
  each {barrier:.2f} us for every thread: each has its share of the tasks on a cache line of
  its own and takes from the others' when it is through, and the one that began the run
  looks at every share at its end. Measured with 2 threads by runs in which nothing is
  done but to wait for each other (`scaling_threads_2_barrier`).
- **the engine thread**: {serial:.1f} us for every token: scheduling, sampling, text. From
  `shipped_64_overhead`.

The four constants of products and attention are fitted to {n_fit} of the {n_points} points.
These it meets to {fit_typical:.0%} on average and {fit_worst:.0%} at worst; the other
{n_rest} points, of which it knew nothing, to {rest_typical:.0%} and {rest_worst:.0%}.
Prefill is the multiply-adds over {prefill:.0%} of the peak, the median of what was measured.

## Up to {most} cores
Assumed, not measured:

- one socket with {channels} channels of DDR5-4800, {nominal:.0f} GB/s, of which reading
  alone gets {readable:.0%}; a core reads {core_bandwidth:.0f} GB/s at most, as one thread
  did here;
- every core multiplies {core_peak:.2f} Tops, as one did here, with all others at work too;
- one NUMA node: all cores reach all channels alike. With several, threads and their shares
  of the weights keep to a node each, but no such machine was there to measure;
- a run of the pool costs as much for each thread as it does with 2. This is the part that
  is least sure: cache lines of other dies take longer to look at, which would make
  the waits longer.

{predicted}

What a step is made of on {most} cores, milliseconds:

{parts}

{enough} cores read all that the channels give. Of the numbers of cores above, {best} decode
{sizes} sequences fastest: beyond them waits grow more than the rest shrinks, so set
`threads` on such a machine. Prefill is limited by the multipliers and goes on gaining.
"""


def measured_table(points, model):
    lines = ["| threads | sequences | context | measured, tokens/s | model | off | used for |",
             "|---:|---:|---:|---:|---:|---:|---|"]
    for p in sorted(points, key=lambda p: (p.threads, p.context, p.sequences)):
        error = model.error(p)
        lines.append(f"| {p.threads} | {p.sequences} | {p.context} | {p.rate:.1f} | "
                     f"{p.rate * math.exp(error):.1f} | {math.expm1(error):+.0%} | "
                     f"{'fitting' if is_for_fitting(p) else 'checking'} |")
    return "\n".join(lines)


SIZES = [1, 16, 64]


def predicted_table(model, server, part):
    lines = ["| cores | read bandwidth, GB/s | int8 peak, Tops | "
             + " | ".join(f"{n} sequence{'s' if n > 1 else ''}" for n in SIZES)
             + " | prefill |", "|---:|" + "---:|" * (len(SIZES) + 3)]
    for cores in CORES:
        bandwidth, macs = server.limits(cores)
        rates = [model.rate(cores, n, 512, bandwidth, macs) for n in SIZES]
        rates.append(prefill_rate(part, macs))
        lines.append(f"| {cores} | {bandwidth * 1e-9:.0f} | {macs * 2e-12:.1f} | "
                     + " | ".join(f"{rate:,.0f}" for rate in rates) + " |")
    return ("Tokens a second, 512 tokens of context:\n\n" + "\n".join(lines))


def parts_table(model, server):
    cores = CORES[-1]
    all_parts = [model.parts(cores, n, 512, *server.limits(cores)) for n in SIZES]
    lines = ["| sequences | " + " | ".join(all_parts[0]) + " |",
             "|---:|" + "---:|" * len(all_parts[0])]
    for n, parts in zip(SIZES, all_parts):
        lines.append(f"| {n} | " + " | ".join(f"{1e3 * s:.2f}" for s in parts.values()) + " |")
    return "\n".join(lines)


def joined_text(measured):
    count = len(measured.machines)
    return f", {count} runs joined to one" if count > 1 else ""


def best_cores(model, server, sequences):
    """That decode fastest."""
    return max(CORES, key=lambda c: model.rate(c, sequences, 512, *server.limits(c)))


def page(measured, points, model, server):
    used = [model.error(p) for p in points if is_for_fitting(p)]
    rest = [model.error(p) for p in points if not is_for_fitting(p)]
    part = prefill_part(measured)
    enough = next(c for c in CORES if server.bandwidth(c) < c * server.core_bandwidth)
    best = [str(best_cores(model, server, n)) for n in SIZES]
    return PAGE.format(
        cpu=measured.machine["cpu"], threads=measured.machine["threads"],
        kernels=measured.machine["kernels"], joined=joined_text(measured),
        most=CORES[-1], channels=CHANNELS,
        measured=measured_table(points, model), memory=model.memory, peak=model.peak,
        overlap=model.overlap, attention=model.attention * server.core_macs * 1e-9,
        kv_heads=KV_HEADS, few_runs=runs(1), many_runs=runs(16),
        barrier=model.barrier * 1e6, serial=model.serial * 1e6, n_fit=len(used),
        n_points=len(points), n_rest=len(rest), fit_typical=typical(used),
        fit_worst=worst(used), rest_typical=typical(rest), rest_worst=worst(rest),
        prefill=part, nominal=CHANNELS * CHANNEL_BYTES * 1e-9, readable=READABLE,
        core_bandwidth=server.core_bandwidth * 1e-9, core_peak=server.core_macs * 2e-12,
        predicted=predicted_table(model, server, part), parts=parts_table(model, server),
        enough=enough, best=", ".join(best), sizes=", ".join(str(n) for n in SIZES))


# ---- the figure --------------------------------------------------------------------------------

def curves(measured, points, model, server):
    """What the three panels show: names, measured dots and lines of the model."""
    def limits(some):
        return (statistics.median(p.bandwidth for p in some),
                statistics.median(p.macs for p in some))

    def brought_to(common, p):
        """The measured rate, if the machine had had these limits then."""
        same = model.rate(p.threads, p.sequences, p.context, *common)
        return same / math.exp(model.error(p))

    short = [p for p in points if p.context < 100]
    by_threads = []
    for threads in sorted({p.threads for p in short}):
        some = [p for p in short if p.threads == threads]
        line = [(n, model.rate(threads, n, 32, *limits(some))) for n in (1, 2, 4, 8, 16, 32, 64)]
        name = f"{threads} thread{'s' if threads > 1 else ''}"
        dots = [(p.sequences, brought_to(limits(some), p)) for p in some]
        by_threads.append((name, dots, line))
    threads = measured.machine["threads"]
    long = [p for p in points if p.context > 100]
    line = [(p.context + 16, model.rate(threads, 1, p.context, *limits(long)))
            for p in sorted(long, key=lambda p: p.context)]
    dots = [(p.context + 16, brought_to(limits(long), p)) for p in long]
    by_context = [("1 sequence", dots, line)]
    by_cores = [(f"{n} sequence{'s' if n > 1 else ''}", [],
                 [(c, model.rate(c, n, 512, *server.limits(c))) for c in CORES]) for n in SIZES]
    part = prefill_part(measured)
    by_cores.append(("prefill", [], [(c, prefill_rate(part, server.limits(c)[1]))
                                     for c in CORES]))
    return by_threads, by_context, by_cores


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figures")
    parser.add_argument("--joined", action="store_true")
    parser.add_argument("--out", default=os.path.join(TOP, "docs"))
    args = parser.parse_args()
    measured = bench_figures.read(args.figures)
    check_figures(measured, args.joined)
    points = list(points_of(measured))
    model = make_model(measured, points)
    server = Server(measured)
    with open(os.path.join(args.out, "scaling.md"), "w", encoding="utf-8") as f:
        f.write(page(measured, points, model, server))
    with open(os.path.join(args.out, "scaling.svg"), "w", encoding="utf-8") as f:
        f.write(scaling_figure.draw(*curves(measured, points, model, server)))


if __name__ == "__main__":
    main()
