"""What a process uses, as the kernel counts it, and how that grows."""

import csv
import os
import time
from pathlib import Path

COLUMNS = ("seconds", "pss", "rss", "anonymous", "descriptors", "threads")


def sample(pid):
    """Its memory in bytes, its open descriptors and its threads now."""
    process = Path(f"/proc/{pid}")
    kib = {}
    for line in (process / "smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split(":")
        kib[name] = int(value.split()[0])
    return {
        "pss": kib["Pss"] * 1024,
        "rss": kib["Rss"] * 1024,
        "anonymous": kib["Anonymous"] * 1024,
        "descriptors": len(os.listdir(process / "fd")),
        "threads": len(os.listdir(process / "task")),
    }


def watch(pid, seconds, every, file, alive=lambda: None):
    """Samples it for so long, into a CSV as it goes; gives the samples."""
    samples = []
    began = time.monotonic()
    with open(file, "w", newline="") as out:
        table = csv.DictWriter(out, COLUMNS)
        table.writeheader()
        while (now := time.monotonic() - began) < seconds:
            alive()
            row = {"seconds": round(now, 3), **sample(pid)}
            samples.append(row)
            table.writerow(row)
            out.flush()
            time.sleep(max(0.0, min((len(samples)) * every, seconds) - (time.monotonic() - began)))
    return samples


def slope(samples, column):
    """By how much a column grows a second: least squares."""
    count = len(samples)
    if count < 3:
        raise ValueError(f"{count} samples are too few for a slope")
    times = [row["seconds"] for row in samples]
    values = [row[column] for row in samples]
    middle, mean = sum(times) / count, sum(values) / count
    spread = sum((at - middle) ** 2 for at in times)
    together = sum((at - middle) * (value - mean) for at, value in zip(times, values))
    return together / spread


def growth(samples, column):
    """By how much the regression's line rises from the first sample to the last."""
    return slope(samples, column) * (samples[-1]["seconds"] - samples[0]["seconds"])


def after(samples, seconds):
    return [row for row in samples if row["seconds"] >= seconds]
