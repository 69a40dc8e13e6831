"""What LiveKit's own SDK costs a subscriber, in rooms like those of scripts/bench: measured of its
package for Python, which has the same libwebrtc as its crate for Rust."""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benches/memory"))

from stage import TOOLS, Child, Server, token  # noqa: E402

SCENES = [
    ("H.264 720p30", ["--codec", "h264", "--busy"]),
    ("VP8 720p30", ["--codec", "vp8", "--busy"]),
    ("VP8 1080p30", ["--codec", "vp8", "--busy", "--size", "1920x1080", "--bitrate", "3000000"]),
]
PYTHON = TOOLS / "venv/bin/python"


def measure(server, number, options, secs, folder):
    room = f"sdk-{number}"
    publisher = [PYTHON, "-u", ROOT / "tests/stage/publisher.py", "--url", server.url]
    publish = Child(
        [*publisher, "--no-dtx", *options],
        folder,
        f"publisher-{number}",
        LIVEKIT_TOKEN=token("camera", room),
    )
    with publish:
        publish.await_line('{"event": "published"}')
        subscriber = [PYTHON, "-u", Path(__file__).parent / "subscriber.py"]
        with Child(
            [*subscriber, "--url", server.url, "--secs", secs],
            folder,
            f"subscriber-{number}",
            LIVEKIT_TOKEN=token("reeld", room),
        ) as subscribe:
            code = subscribe.process.wait(secs + 60)
            if code:
                raise RuntimeError(f"the subscriber ended with {code}: {subscribe.text()}")
            result = json.loads(subscribe.out.read_text())
        result["published_flash_after_beep_ms"] = own_offsets(publish.out.read_text())
    return result


def own_offsets(said):
    """By how much the publisher itself handed each flash over after its beep."""
    events = (json.loads(line) for line in said.splitlines())
    seconds = (event for event in events if event["event"] == "second")
    late = (
        event["flash_late_ms"] - event["beep_late_ms"]
        for event in seconds
        if event.get("flash_late_ms") is not None and event.get("beep_late_ms") is not None
    )
    return [round(offset, 1) for offset in late]


def row(name, result):
    offsets = result["flash_after_beep_ms"]
    own = statistics.median(result["published_flash_after_beep_ms"])
    middle = statistics.median(offsets) - own
    low, high = min(offsets) - own, max(offsets) - own
    return (
        f"| {name} | {result['of_a_core']:.2f} | {result['peak_mb']:.0f} MB | "
        f"{result['after_mb'] - result['before_mb']:.0f} MB | {result['size']}, "
        f"{result['pictures_a_second']:.1f} | {middle:+.0f} ms ({low:+.0f} to {high:+.0f}) |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--secs", type=int, default=60)
    options = parser.parse_args()
    print("| published | of a core | peak RSS | of it since joining | came | flash after beep |")
    print("|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        with Server(folder) as server:
            for number, (name, flags) in enumerate(SCENES):
                print(row(name, measure(server, number, flags, options.secs, folder)), flush=True)


main()
