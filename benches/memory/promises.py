"""What a recorder promises: each function tells whether it is kept, and the figure."""

import json
import re
import subprocess

import stage
import watch

# Of the samples of memory; the first ones are of a process that still comes to be.
WARM_UP = 0.25
GROWTH = 1_000_000
DROPS = 0.05
GAP_S = 2.0
FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)')
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def flat(samples, seconds):
    samples = watch.after(samples, seconds * WARM_UP)
    grown = max(watch.growth(samples, column) for column in ("rss", "anonymous"))
    resident = max(row["rss"] for row in samples) / 1e6
    length = samples[-1]["seconds"] - samples[0]["seconds"]
    return grown < GROWTH, f"{grown / 1e3:+.0f} kB in {length:.0f} s, {resident:.1f} MB resident"


def buffers(log):
    """The fields of each line about a queue."""
    for line in log.splitlines():
        _, told, rest = ESCAPE.sub("", line).partition("buffer stats ")
        if told:
            yield {name: value.strip('"') for name, value in FIELD.findall(rest)}


def queues(log):
    """Whether each queue has a limit and kept to it."""
    known, wrong = {}, []
    for fields in buffers(log):
        name = fields.get("name", "?")
        try:
            depth, limit, most = (int(fields[key]) for key in ("depth", "limit", "high_water"))
        except (KeyError, ValueError):
            wrong.append(f"{name}: no depth, limit and high_water: {fields}")
            continue
        known[name] = max(known.get(name, 0.0), most / limit if limit > 0 else float("inf"))
        if limit <= 0 or depth > limit or most > limit:
            wrong.append(f"{name}: {depth} now, {most} at most, limit {limit}")
    if not known:
        return False, "no line \"buffer stats\" is in its log"
    fullest = max(known, key=known.get)
    figure = f"{len(known)} queues, the fullest was {fullest} at {known[fullest]:.0%} of its limit"
    return not wrong, "; ".join([figure, *wrong[:3]])


def total(value):
    if isinstance(value, dict):
        return sum(total(one) for one in value.values())
    return value if isinstance(value, (int, float)) else 0


def manifests(root):
    found = [json.loads(path.read_text()) for path in sorted(root.rglob("manifest.json"))]
    return [manifest for manifest in found if manifest["version"] == 1]


def drops(found):
    received = sum(total(one["totals"]["received"]) for one in found)
    dropped = sum(total(one["totals"]["drops"]) for one in found)
    if received == 0:
        return False, "nothing is in the manifests: no segment has ended yet"
    return dropped < DROPS * received, f"{dropped} of {received} ({dropped / received:.2%})"


def long_gaps(found):
    lengths = [gap["duration_ms"] / 1000 for one in found for gap in one["gaps"]]
    omitted = sum(one["gaps_omitted"] for one in found)
    longest = max(lengths, default=0.0)
    figure = f"the longest has {longest:.1f} s, {len(lengths) + omitted} gaps"
    return longest <= GAP_S and omitted == 0, figure


def playable(files):
    """Whether `reeld verify` and ffprobe find nothing wrong with files."""
    seconds, wrong = 0.0, []
    for file in files:
        sound, said = stage.is_sound(file)
        if not sound:
            wrong.append(f"{file.name}: {said.strip()}")
        command = ["ffprobe", "-v", "error", "-show_entries", "format=duration:stream=codec_type"]
        done = subprocess.run(
            [*command, "-of", "json", str(file)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0 or done.stderr:
            wrong.append(f"{file.name}: ffprobe: {done.stderr.strip()}")
            continue
        probed = json.loads(done.stdout)
        seconds += float(probed["format"].get("duration", 0))
        if not probed["streams"]:
            wrong.append(f"{file.name}: no streams")
    if not files:
        wrong.append("there is no file with its final name")
    return not wrong, "; ".join([f"{len(files)} files, {seconds:.0f} s", *wrong[:3]])
