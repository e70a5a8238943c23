"""Runs `costgauge detect` over labelled synthetic spend and prints how well it did.

usage: detect_score.py COSTGAUGE BUCKET_SECONDS SEED... [-- FLAGS]

Each series is one (tenant, feature) pair in equal buckets. Requests are Poisson with over-dispersion,
a daily and weekly profile, growth and a slow drift; their costs are log-normal. A third of the series
have no anomaly; the others have runaway loops, price rises, launches, leaks and drop-outs. Everything
is a function of the seed.
"""
import math
import subprocess
import sys

import numpy as np

DAY = 86400
EPOCH = 1767225600            # 2026-01-01 00:00 UTC, a Thursday
ARCHETYPES = ("large", "medium", "small", "sparse", "batch")
KINDS = ("runaway", "price", "launch", "leak", "dropout")


class Series:
    __slots__ = ("name", "bucket", "time", "cost", "events", "top", "labels", "archetype", "warm")


def make(seed, bucket, archetype, kinds, days=None, stress=False):
    """``stress``: much heavier cost tails, burstier traffic, wilder drift."""
    r = np.random.Generator(np.random.PCG64(seed))
    if days is None:
        days = 70 if bucket == 3600 else 35
    n = days * DAY // bucket
    t = EPOCH + bucket * np.arange(n)
    hours = bucket / 3600.0
    rate = {"large": 10 ** r.uniform(2.3, 3.2), "medium": 10 ** r.uniform(1.3, 2.3),
            "small": 10 ** r.uniform(0.0, 1.0), "sparse": 10 ** r.uniform(-1.5, -0.3),
            "batch": 10 ** r.uniform(1.0, 2.0)}[archetype]
    price = 10 ** r.uniform(-2.3, -1.0)            # mean dollars per request
    sig = r.uniform(0.7, 1.5) + (0.7 if stress else 0.0)
    # calendar profile
    hod = (t % DAY) / 3600.0
    dow = ((t // DAY) + 3) % 7                      # 0 = Monday
    depth = r.uniform(0.2, 0.95) if archetype != "sparse" else r.uniform(0.6, 0.99)
    peak = r.uniform(10, 18)
    diurnal = 1 + depth * np.cos((hod - peak) / 24 * 2 * math.pi)
    weekend = r.uniform(0.15, 1.0)
    weekly = np.where(dow >= 5, weekend, 1.0)
    growth = r.uniform(0.9, 1.4) ** (np.arange(n) * bucket / (30.0 * DAY))
    # slow log-AR(1) with a correlation time of about 6 h
    phi = math.exp(-hours / 6.0)
    sd = r.uniform(0.03, 0.20) * (2.5 if stress else 1.0)
    e = r.normal(size=n) * sd * math.sqrt(1 - phi * phi)
    ar = np.empty(n)
    x = r.normal() * sd
    for i in range(n):
        x = phi * x + e[i]
        ar[i] = x
    lam = rate * hours * diurnal * weekly * growth * np.exp(ar)
    k = r.uniform(8, 60) / (6.0 if stress else 1.0)
    if archetype == "batch":
        h0 = int(r.integers(0, 24))
        lam = lam + np.where((hod >= h0) & (hod < h0 + 1), rate * hours * r.uniform(5, 25), 0.0)
    pmul = np.ones(n)
    # anomalies: one per equal slot of the scored span
    warm = 21 * DAY // bucket if bucket == 3600 else 10 * DAY // bucket
    labels = []
    slots = len(kinds)
    for j, kind in enumerate(kinds):
        lo = warm + (n - warm) * j // slots
        hi = warm + (n - warm) * (j + 1) // slots
        room = hi - lo
        a = lo + int(r.integers(int(0.02 * room), int(0.30 * room)))
        usual = rate * hours * growth[a]
        floor = 5.0 / price * 1.5                  # about $7.5 of extra spend at least
        if kind == "runaway":
            d = max(2, int(round(r.uniform(1, 8) / hours)))
            d = min(d, hi - a - 1)
            extra = max(r.uniform(3, 19) * usual, floor / d, r.uniform(30, 300) * hours)
            lam[a:a + d] += extra
            end, grace = a + d, a + d + DAY // bucket
        elif kind == "price":
            pmul[a:] *= r.uniform(1.6, 3.0)
            end = a + 2 * DAY // bucket
            grace = a + 7 * DAY // bucket
        elif kind == "launch":
            d = max(1, int(round(r.uniform(2, 24) / hours)))
            f = r.uniform(0.8, 3.0)
            ramp = np.minimum(1.0, (np.arange(n - a) + 1) / d)
            lam[a:] *= 1 + f * ramp
            if lam[a:].mean() * price * (2 * DAY / bucket) * f / (1 + f) < 7.5:
                lam[a:] += 7.5 / price / (2 * DAY / bucket) * ramp
            end = a + d + 2 * DAY // bucket
            grace = a + d + 7 * DAY // bucket
        elif kind == "leak":
            d = int(round(r.uniform(5, 10) * DAY / bucket))
            d = min(d, hi - a - 1)
            f = r.uniform(1.5, 3.0)
            ramp = np.arange(1, d + 1) / d
            lam[a:a + d] *= 1 + f * ramp
            if lam[a:a + d].sum() * price * 0.5 < 7.5:
                lam[a:a + d] += 15.0 / price / d * ramp
            end, grace = a + d, a + d + DAY // bucket
        elif kind == "dropout":
            d = max(3, int(round(r.uniform(4, 24) / hours)))
            d = min(d, hi - a - 1)
            lam[a:a + d] *= r.uniform(0, 0.05)
            end, grace = a + d, a + d + DAY // bucket
        else:
            raise ValueError(kind)
        labels.append((kind, a, min(end, n), min(grace, n)))
    events = r.poisson(lam * r.gamma(k, 1 / k, size=n))
    cost = np.zeros(n)
    top = np.zeros(n)                               # dearest single request of the bucket
    mu = math.log(price) - sig * sig / 2
    for i in range(n):
        m = int(events[i])
        if m:
            each = pmul[i] * np.exp(mu + sig * r.standard_normal(m))
            cost[i], top[i] = float(each.sum()), float(each.max())
    s = Series()
    s.name = "%s-%ds-%d" % (archetype, bucket, seed)
    s.bucket, s.time, s.cost, s.events = bucket, t, np.round(cost, 6), events
    s.top = np.round(top, 6)
    s.labels, s.archetype, s.warm = labels, archetype, warm
    return s


def suite(base_seed, per=6, stress=False):
    """``per`` series for every (bucket, archetype); a third carry no anomaly."""
    out = []
    seed = base_seed
    for bucket in (3600, 300):
        for arch in ARCHETYPES:
            for j in range(per):
                seed += 1
                r = np.random.Generator(np.random.PCG64(seed + 10 ** 6))
                ok = [k for k in KINDS if k != "dropout" or arch in ("large", "medium")]
                # a five-fold price or volume change in a sparse series is only
                # visible through the events themselves: keep runaway and leak there
                if arch == "sparse":
                    ok = ["runaway", "leak", "launch"]
                m = (0, 2, 3)[j % 3]
                kinds = [ok[int(r.integers(0, len(ok)))] for _ in range(m)]
                out.append(make(seed, bucket, arch, kinds, stress=stress))
    return out


def judge(series, alerts):
    """alerts: bucket indices.  -> list of (kind, delay seconds or None), false alarms, days."""
    n = len(series.cost)
    hit = [None] * len(series.labels)
    fp = 0
    for i in alerts:
        if i < series.warm:
            continue
        inside = False
        for j, (kind, a, end, grace) in enumerate(series.labels):
            if a <= i < grace:
                inside = True
                if i < end and hit[j] is None:
                    hit[j] = (i + 1 - a) * series.bucket   # a bucket is known when it closes
        fp += not inside
    return [(lab[0], h) for lab, h in zip(series.labels, hit)], fp, (n - series.warm) * series.bucket / DAY


def evaluate(all_series, fn):
    hits, fps, days, per = [], 0, 0.0, {}
    fp_by = {}
    for s in all_series:
        h, fp, d = judge(s, fn(s))
        hits += h
        fps += fp
        days += d
        a = fp_by.setdefault(s.archetype + "-" + str(s.bucket), [0, 0.0])
        a[0] += fp
        a[1] += d
    got = [x for x in hits if x[1] is not None]
    for k in KINDS:
        kk = [x for x in hits if x[0] == k]
        per[k] = (sum(x[1] is not None for x in kk), len(kk),
                  float(np.mean([x[1] for x in kk if x[1] is not None] or [0])) / 3600)
    p = len(got) / max(1, len(got) + fps)
    r = len(got) / max(1, len(hits))
    return dict(precision=p, recall=r, f1=2 * p * r / max(1e-9, p + r),
                delay_h=float(np.mean([x[1] for x in got] or [0])) / 3600,
                median_delay_h=float(np.median([x[1] for x in got] or [0])) / 3600,
                fp_month=fps / (days / 30.0), hits=len(got), anomalies=len(hits), fps=fps, per=per,
                fp_by={k: v[0] / (v[1] / 30) for k, v in fp_by.items()})


def detect(executable, flags):
    def run(s):
        rows = ["timestamp,cost,events,largest"]
        for t, c, e, l in zip(s.time, s.cost, s.events, s.top):
            rows.append("%d,%r,%d,%r" % (t, float(c), e, float(l)))
        done = subprocess.run([executable, "detect", "-", *flags], input="\n".join(rows) + "\n",
                              capture_output=True, text=True, check=True)
        lines = done.stdout.splitlines()
        assert len(lines) == len(rows), (len(lines), len(rows))
        column = lines[0].split(",").index("anomaly")
        return [i for i, line in enumerate(lines[1:]) if line.split(",")[column] == "1"]
    return run


def main():
    arguments = sys.argv[1:]
    flags = []
    if "--" in arguments:
        flags = arguments[arguments.index("--") + 1:]
        arguments = arguments[:arguments.index("--")]
    executable, bucket, seeds = arguments[0], int(arguments[1]), [int(a) for a in arguments[2:]]
    series = [s for seed in seeds for s in suite(seed) if s.bucket == bucket]
    r = evaluate(series, detect(executable, flags))
    print("series %d precision %.3f recall %.3f F1 %.3f false alarms a month %.2f" % (
        len(series), r["precision"], r["recall"], r["f1"], r["fp_month"]))


if __name__ == "__main__":
    main()
