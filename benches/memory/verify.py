"""Proves on a live recorder that it keeps what it promises. Run by scripts/verify.

Looks at the process by /proc, at its files, at its manifests and at what it logs; one line a promise,
with the figure that was measured. Without --pid and --folder it starts a recorder of the synthetic
room and ends it.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import stage
import watch

EVERY_S = 0.1
# Of the samples of memory; the first ones are of a process that still comes to be.
MEMORY_EVERY = 10
WARM_UP = 0.25
GROWTH = 1_000_000
# Written out each second; a busy disk gets another.
PAUSE_S = 2.0
DROPS = 0.05
GAP_S = 2.0
OPEN = ".recording.ts"
FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)')
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/verify", description=__doc__.splitlines()[0])
    parser.add_argument("--pid", type=int, help="a recorder that runs")
    parser.add_argument("--folder", type=Path, help="what it records into: a room's, or all")
    parser.add_argument("--log", type=Path, help="where it logs to, when that is no file of its own")
    parser.add_argument("--seconds", type=float, default=120.0, metavar="S")
    options = parser.parse_args()
    if options.seconds < 10:
        parser.error("less than 10 seconds prove nothing")
    return options


class Files:
    """The files of recordings: what they are called and how they grow, look by look."""

    def __init__(self, root):
        self.root = root
        self.grew, self.sizes, self.names, self.sealed = {}, {}, {}, {}
        self.longest, self.wrong, self.renamed = 0.0, [], 0

    def look(self, now):
        seen = {}
        for path in self.root.rglob("*.ts"):
            with contextlib.suppress(FileNotFoundError):
                state = path.stat()
                if state.st_ino in seen:
                    # Renamed while we looked, or two names at once: the next look tells.
                    continue
                seen[state.st_ino] = path
                self.file(path, state.st_ino, state.st_size, now)

    def file(self, path, inode, size, now):
        folder, name, before = path.parent, path.name, self.names.get(inode)
        if name.endswith(OPEN):
            began = self.grew.setdefault(folder, now)
            if size != self.sizes.get(inode):
                self.longest = max(self.longest, now - began)
                self.grew[folder] = now
        elif before and before.endswith(OPEN):
            self.renamed += 1
            self.sealed[path] = size
            if size < self.sizes[inode]:
                self.wrong.append(f"{name} is shorter than it was")
            if before[: -len(OPEN)] != name[: -len(".ts")]:
                self.wrong.append(f"{before} became {name}")
            self.grew[folder] = now
        elif before is None and path not in self.sealed and self.started:
            self.wrong.append(f"{name} was never called *{OPEN}")
            self.sealed[path] = size
        elif self.sealed.setdefault(path, size) != size:
            self.wrong.append(f"{name} changed behind its rename")
        self.names[inode], self.sizes[inode] = name, size

    @property
    def started(self):
        """What was there at the first look had its name before."""
        return bool(self.grew)

    def stalled(self, now):
        """The longest that an open file had not grown, up to now."""
        folders = {path.parent for path in self.root.rglob(f"*{OPEN}")}
        return max([self.longest, *(now - self.grew.get(folder, now) for folder in folders)])


def recorded_folders(pid):
    """The folders of the files that a process is writing."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            target = os.readlink(link)
            if target.endswith(OPEN):
                found.add(Path(target).parent)
    return found


def recorder_of(folder):
    """The process that records into a folder."""
    folder = folder.resolve()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(folder in (place, *place.parents) for place in recorded_folders(process.name)):
                return int(process.name)
    raise SystemExit(f"error: nobody records into {folder}")


def log_of(pid, given):
    """What a recorder has logged: a file of its own, or the journal."""
    if given:
        return given.read_text(errors="replace")
    with contextlib.suppress(OSError):
        target = Path(os.readlink(f"/proc/{pid}/fd/2"))
        if target.is_file():
            return target.read_text(errors="replace")
    with contextlib.suppress(FileNotFoundError):
        command = ["journalctl", f"_PID={pid}", "-o", "json", "--no-pager"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = (json.loads(line) for line in done.stdout.splitlines())
        return "\n".join(as_line(entry) for entry in lines)
    return ""


def as_line(entry):
    fields = " ".join(
        f"{name.lower()}={json.dumps(value)}" for name, value in entry.items() if name.isupper()
    )
    return f"{entry.get('MESSAGE', '')} {fields}"


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


@contextlib.contextmanager
def demo(seconds):
    """A recorder of the synthetic room, and where it records."""
    with tempfile.TemporaryDirectory(prefix="reeld-verify-") as folder:
        folder = Path(folder)
        output = folder / "recordings"
        command = [stage.reeld_binary(), "demo", "--duration", f"{int(seconds + 60)}s"]
        # The buffers are told each minute; files shall end while somebody looks.
        with stage.Child(
            [*command, "--output", output], folder, "reeld", REELD_SEGMENT__DURATION="20s"
        ) as reeld:
            stage.await_until(
                "a file is written", 40, lambda: reeld.ended() or any(output.rglob(f"*{OPEN}"))
            )
            yield reeld, output


def observe(pid, files, seconds):
    """Looks at a recorder for so long; gives the samples of its memory."""
    samples, looks, began = [], 0, time.monotonic()
    while (now := time.monotonic() - began) < seconds:
        files.look(now)
        if looks % MEMORY_EVERY == 0:
            samples.append({"seconds": now, **watch.sample(pid)})
        looks += 1
        time.sleep(max(0.0, looks * EVERY_S - (time.monotonic() - began)))
    files.longest = files.stalled(time.monotonic() - began)
    return samples


def flat(samples, seconds):
    samples = watch.after(samples, seconds * WARM_UP)
    grown = max(watch.growth(samples, column) for column in ("rss", "anonymous"))
    resident = max(row["rss"] for row in samples) / 1e6
    length = samples[-1]["seconds"] - samples[0]["seconds"]
    return grown < GROWTH, f"{grown / 1e3:+.0f} kB in {length:.0f} s, {resident:.1f} MB resident"


def main():
    options = arguments()
    with contextlib.ExitStack() as running:
        own = None
        if options.pid is None and options.folder is None:
            own, folder = running.enter_context(demo(options.seconds))
            pid = own.pid
        else:
            pid = options.pid or recorder_of(options.folder)
            folder = options.folder or common(recorded_folders(pid))
        print(f"Looking at process {pid}, which records into {folder}, for {options.seconds:g} s")
        files = Files(folder)
        try:
            samples = observe(pid, files, options.seconds)
        except FileNotFoundError:
            print("FAIL  it runs: it has ended")
            return 1
        log = log_of(pid, options.log)
        wrong = list(files.wrong)
        if own:
            code = own.stop(signal.SIGINT)
            files.look(options.seconds)
            wrong = list(files.wrong)
            if code != 0:
                wrong.append(f"it exited with {code}")
            wrong += [f"{path.name} is left" for path in folder.rglob(f"*{OPEN}")]
        named = f"{files.renamed} files renamed when they were complete"
        found = manifests(folder)
        results = {
            "memory is flat": flat(samples, options.seconds),
            "files grow every 2 s": (
                files.started and files.longest <= PAUSE_S,
                f"{files.longest:.1f} s at most without",
            ),
            "no unbounded queue": queues(log),
            "drops under 5 %": drops(found),
            "no long gap": long_gaps(found),
            "temporary names until complete": (
                files.renamed > 0 and not wrong,
                "; ".join([named, *wrong[:3]]),
            ),
            "files are sound and playable": playable(sorted(files.sealed)),
        }
    for promise, (kept, figure) in results.items():
        print(f"{'PASS' if kept else 'FAIL'}  {promise}: {figure}")
    return 0 if all(kept for kept, _ in results.values()) else 1


def common(folders):
    if not folders:
        raise SystemExit("error: this process writes no recording")
    return Path(os.path.commonpath([str(folder) for folder in folders]))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
