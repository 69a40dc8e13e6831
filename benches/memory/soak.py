"""Records for hours and tells whether memory or open descriptors grow. Run by scripts/soak.

The process is looked at from outside every few seconds. After a warm-up a line is laid through the
samples by least squares: what it rises until the end is the growth that is judged, so that neither
one sample nor the moment of the end decides.
"""

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import stage
import watch

ROOM = "soak"


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__.splitlines()[0])
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--hours", type=float, metavar="H")
    length.add_argument("--minutes", type=float, metavar="M")
    parser.add_argument(
        "--synthetic", action="store_true", help="reeld demo, without a server and a network"
    )
    parser.add_argument("--every", type=float, default=2.0, metavar="S", help="between samples")
    parser.add_argument(
        "--warm-up",
        type=float,
        metavar="MINUTES",
        help="left out of the judgement; a fifth of the whole, 10 at most",
    )
    parser.add_argument(
        "--max-growth", type=int, default=1_000_000, metavar="BYTES", help="less is flat"
    )
    parser.add_argument(
        "--max-descriptors", type=float, default=2.0, metavar="N", help="less is flat"
    )
    parser.add_argument("--segment", default="1m", metavar="TIME", help="files are this long")
    parser.add_argument("--csv", type=Path, default=stage.ROOT / "target/soak.csv")
    options = parser.parse_args()
    options.seconds = (options.minutes or options.hours * 60) * 60
    warm_up = min(options.seconds / 5, 600) if options.warm_up is None else options.warm_up * 60
    if warm_up >= options.seconds:
        parser.error("nothing is left after the warm-up")
    options.warm_up = warm_up
    return options


@contextlib.contextmanager
def recorder(options, folder, output):
    """A `reeld` that records all the time, and what has to run beside it."""
    environment = {"REELD_SEGMENT__DURATION": options.segment}
    # It must not end by itself before it is told to.
    longer = options.seconds + 120
    with contextlib.ExitStack() as running:
        if options.synthetic:
            command = [stage.reeld_binary(), "demo", "--duration", f"{int(longer)}s"]
            reeld = stage.Child([*command, "--output", output], folder, "reeld", **environment)
            running.enter_context(reeld)
        else:
            files = stage.files(folder, longer)
            server = running.enter_context(stage.Server(folder))
            running.enter_context(server.publish([ROOM], files, folder))
            reeld = running.enter_context(server.record(ROOM, output, folder, **environment))
        stage.await_until(
            "a file is written", 40, lambda: reeld.ended() or any(output.rglob("*.recording.ts"))
        )
        yield reeld


def require_alive(reeld):
    if reeld.ended():
        raise RuntimeError(f"reeld ended: {reeld.text()[-2000:]}")


def main():
    options = arguments()
    options.csv.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="soak-", dir=options.csv.parent))
    output = folder / "recordings"
    room = "the synthetic room" if options.synthetic else "a room of a LiveKit server"
    print(f"Recording {room} for {options.seconds / 60:g} minutes; samples: {options.csv}")
    failures = []
    with recorder(options, folder, output) as reeld:
        samples = watch.watch(
            reeld.pid, options.seconds, options.every, options.csv, lambda: require_alive(reeld)
        )
        code = reeld.stop()
        if code != 0:
            failures.append(f"reeld exited with {code}: {reeld.text()[-2000:]}")
    failures += judge(watch.after(samples, options.warm_up), options)
    sound, said = stage.is_sound(output)
    print("recordings: " + ("sound" if sound else said))
    if not sound:
        failures.append("a recording is not sound")
    for failure in failures:
        print(f"FAIL: {failure}")
    if failures:
        print(f"kept: {folder}")
        return 1
    shutil.rmtree(folder)
    print("PASS")
    return 0


def judge(samples, options):
    """Prints the figures; gives what is wrong with them."""
    length = samples[-1]["seconds"] - samples[0]["seconds"]
    print(f"after the warm-up: {len(samples)} samples in {length / 60:.1f} minutes")
    for column in ("pss", "rss", "anonymous"):
        values = [row[column] for row in samples]
        print(
            f"{column:>11}: {watch.slope(samples, column) * 3600:+.0f} bytes an hour, "
            f"{watch.growth(samples, column):+.0f} in all, "
            f"{min(values) / 1e6:.2f} to {max(values) / 1e6:.2f} MB"
        )
    for column in ("descriptors", "threads"):
        values = [row[column] for row in samples]
        print(
            f"{column:>11}: {watch.slope(samples, column) * 3600:+.2f} an hour, "
            f"{min(values)} to {max(values)}"
        )
    failures = []
    # Not the proportional one, which changes when another program begins to use the same libraries.
    for column in ("rss", "anonymous"):
        grown = watch.growth(samples, column)
        if grown >= options.max_growth:
            failures.append(f"{column} grew by {grown:.0f} bytes of {options.max_growth}")
    descriptors = watch.growth(samples, "descriptors")
    if descriptors >= options.max_descriptors:
        failures.append(f"{descriptors:.1f} more descriptors of {options.max_descriptors}")
    return failures


if __name__ == "__main__":
    # Its children end with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    result = main()
    print(f"took {time.monotonic() - started:.0f} s")
    sys.exit(result)
