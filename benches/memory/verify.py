"""Proves on a live recorder that it keeps what it promises. Run by scripts/verify.

Looks at the process by /proc, at its files, at its manifests and at what it logs; one line a
promise, with the figure that was measured. Without --pid and --folder it starts a recorder of the
synthetic room and ends it.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import promises
import stage
import watch
from names import OPEN, Files

EVERY_S = 0.1
MEMORY_EVERY = 10
# Written out each second; a busy disk gets another.
PAUSE_S = 2.0


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/verify", description=__doc__.splitlines()[0])
    parser.add_argument("--pid", type=int, help="a recorder that runs")
    parser.add_argument("--folder", type=Path, help="what it records into: a room's, or all")
    parser.add_argument("--log", type=Path, help="where it logs to, if no file of its own")
    parser.add_argument("--seconds", type=float, default=120.0, metavar="S")
    options = parser.parse_args()
    if options.seconds < 10:
        parser.error("less than 10 seconds prove nothing")
    return options


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
    # A file that has begun since the last look may be complete at the next one.
    files.look(time.monotonic() - began)
    files.longest = files.stalled(time.monotonic() - began)
    return samples


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
        found = promises.manifests(folder)
        results = {
            "memory is flat": promises.flat(samples, options.seconds),
            "files grow every 2 s": (
                files.started and files.longest <= PAUSE_S,
                f"{files.longest:.1f} s at most without",
            ),
            "no unbounded queue": promises.queues(log),
            "drops under 5 %": promises.drops(found),
            "no long gap": promises.long_gaps(found),
            "temporary names until complete": (
                files.renamed > 0 and not wrong,
                "; ".join([named, *wrong[:3]]),
            ),
            "files are sound and playable": promises.playable(sorted(files.sealed)),
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
