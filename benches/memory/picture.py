"""Memory over time with a stall of the disk in it, of reeld and of the design that it replaces.

Both record one room side by side. Draws docs/memory.svg. Run by scripts/memory-picture.
"""

import argparse
import contextlib
import csv
import signal
import sys
import tempfile
import time
from pathlib import Path

import chart
import disk
import stage
import watch

ROOM = "picture"
HERE = Path(__file__).resolve().parent
NAMES = {
    "unbounded": "decoded pictures, queue without a limit",
    "two": "decoded pictures, two in flight",
    "reeld": "reeld",
}
# 30 minutes of 1 Mb/s, three times, with room.
DISK = 1 << 30


def arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/memory-picture", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--minutes", type=float, default=30.0, metavar="M")
    parser.add_argument("--stall-at", type=float, metavar="S", help="a third of the whole")
    parser.add_argument("--stall", type=float, default=30.0, metavar="S")
    parser.add_argument("--every", type=float, default=1.0, metavar="S", help="between samples")
    parser.add_argument("--csv", type=Path, default=stage.ROOT / "target/memory.csv")
    parser.add_argument("--svg", type=Path, default=stage.ROOT / "docs/memory.svg")
    options = parser.parse_args()
    options.seconds = options.minutes * 60
    if options.stall_at is None:
        options.stall_at = options.seconds / 3
    if options.stall_at + options.stall >= options.seconds:
        parser.error("nothing is left after the stall")
    return options


def old(server, folder, place, name, in_flight):
    command = [sys.executable, HERE / "old_design.py", "--url", server.url]
    command += ["--file", place.path / f"{name}.h264", "--in-flight", in_flight]
    child = stage.Child(command, folder, name, LIVEKIT_TOKEN=stage.token(name, ROOM))
    child.await_line("subscribed")
    return child


def main():
    options = arguments()
    options.csv.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="reeld-picture-")))
        place = running.enter_context(disk.Disk(folder, DISK))
        files = stage.files(folder, options.seconds + 120)
        server = running.enter_context(stage.Server(folder))
        running.enter_context(server.publish([ROOM], files, folder))
        children = {
            "unbounded": running.enter_context(old(server, folder, place, "unbounded", 0)),
            "two": running.enter_context(old(server, folder, place, "two", 2)),
        }
        output = place.path / "recordings"
        # Hidden or not, the others publish nothing: only the camera is asked for.
        children["reeld"] = running.enter_context(
            server.record(ROOM, output, folder, "--participant", "camera")
        )
        stage.await_until("a file is written", 40, lambda: any(output.rglob("*.recording.ts")))
        rows = measure(children, place, options)
        code = children["reeld"].stop()
        sound, said = stage.is_sound(output)
        for child in children.values():
            child.process.kill()
            child.process.wait()
    with open(options.csv, "w", newline="") as out:
        table = csv.DictWriter(out, ["seconds", *NAMES])
        table.writeheader()
        table.writerows(rows)
    stall = (options.stall_at, options.stall_at + options.stall)
    options.svg.write_text(chart.draw(rows, NAMES, stall))
    for name, called in NAMES.items():
        values = [row[name] for row in rows]
        print(
            f"{called}: {values[0] / 1e6:.0f} MB at first, {max(values) / 1e6:.0f} MB at most, "
            f"{values[-1] / 1e6:.0f} MB in the end"
        )
    print(f"reeld's recording: {'sound' if sound and code == 0 else said}")
    return 0 if sound and code == 0 else 1


def measure(children, place, options):
    rows, began = [], time.monotonic()
    stall = contextlib.ExitStack()
    with stall:
        stalled = False
        while (now := time.monotonic() - began) < options.seconds:
            if not stalled and now >= options.stall_at:
                stall.enter_context(place.stalled())
                stalled = True
            if now >= options.stall_at + options.stall:
                stall.close()
            row = {name: watch.sample(child.pid)["rss"] for name, child in children.items()}
            rows.append({"seconds": round(now, 1), **row})
            time.sleep(max(0.0, len(rows) * options.every - (time.monotonic() - began)))
    return rows


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
