"""Subscribes as reeld's source by LiveKit's SDK does, with the same libwebrtc: by hand, queues with a
limit, each drained on a task of its own, two pictures in flight. Encodes nothing.

Says as JSON what it cost, and by how much the flash of the test card came after its beep in each
second: both placed as reeld places them, pictures by their stamps and sound by its samples, where
the least delay of each puts them.
"""

import argparse
import asyncio
import json
import os
import resource
import time

import numpy as np
from livekit import rtc

RATE = 48_000
PICTURES = 8
CHUNKS = 50
IN_FLIGHT = 2
# BEHIND in src/room/sdk/sound.rs.
BEHIND_S = 0.050


def resident_mb(field):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(field)


class Line:
    """Media times, put where the least delay says."""

    def __init__(self):
        self.least = None
        self.begun = []

    def note(self, media, arrival, shows):
        late = arrival - media
        self.least = late if self.least is None else min(self.least, late)
        if shows:
            self.begun.append(media)

    def placed(self):
        return [media + self.least for media in self.begun]


async def pictures(track, line, counts):
    before = False
    held = []
    async for event in rtc.VideoStream(track, capacity=PICTURES):
        arrival = time.monotonic()
        frame = event.frame
        luma = np.frombuffer(frame.data, np.uint8, frame.width * frame.height)
        below = luma.reshape(frame.height, frame.width)[frame.height // 5 :: 16, ::16]
        # The noise of a busy picture covers some of it.
        flash = (below > 225).mean() > 0.4
        line.note(event.timestamp_us / 1e6, arrival, flash and not before)
        before = flash
        held = (held + [frame])[-IN_FLIGHT:]
        counts["pictures"] += 1
        counts["size"] = f"{frame.width}x{frame.height}"


async def sound(track, line, counts):
    samples = 0
    silent = RATE
    stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, capacity=CHUNKS)
    async for event in stream:
        arrival = time.monotonic() - BEHIND_S
        chunk = np.frombuffer(event.frame.data, np.int16)
        loud = np.abs(chunk.astype(np.int32)) > 3_000
        first = int(loud.argmax()) if loud.any() else None
        begins = first is not None and silent > RATE // 2
        line.note((samples + (first or 0)) / RATE, arrival + (first or 0) / RATE, begins)
        silent = 0 if first is not None else silent + len(chunk)
        samples += len(chunk)
    counts["samples"] = samples


def offsets(flashes, beeps):
    """Seconds by which a flash comes after its beep."""
    found = []
    for flash in flashes:
        near = min(beeps, key=lambda beep: abs(beep - flash), default=None)
        if near is not None and abs(near - flash) < 0.5:
            found.append(flash - near)
    return found


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--secs", type=float, default=60)
    options = parser.parse_args()
    before = resident_mb("VmRSS")
    room, tasks = rtc.Room(), []
    seen, heard = Line(), Line()
    counts = {"pictures": 0, "size": ""}

    def subscribed(track, *_):
        take, line = (pictures, seen) if track.kind == rtc.TrackKind.KIND_VIDEO else (sound, heard)
        tasks.append(asyncio.create_task(take(track, line, counts)))

    room.on("track_published", lambda publication, _: publication.set_subscribed(True))
    room.on("track_subscribed", subscribed)
    await room.connect(
        options.url, os.environ["LIVEKIT_TOKEN"], rtc.RoomOptions(auto_subscribe=False)
    )
    for participant in room.remote_participants.values():
        for publication in participant.track_publications.values():
            publication.set_subscribed(True)
    # What starting costs is not what recording costs.
    await asyncio.sleep(5)
    used, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    counts["pictures"] = 0
    await asyncio.sleep(options.secs)
    now, ran = resource.getrusage(resource.RUSAGE_SELF), time.monotonic() - began
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    found = offsets(seen.placed(), heard.placed())
    print(
        json.dumps(
            {
                "of_a_core": cpu / ran,
                "before_mb": before,
                "peak_mb": resident_mb("VmHWM"),
                "after_mb": resident_mb("VmRSS"),
                "pictures_a_second": counts["pictures"] / ran,
                "size": counts["size"],
                "flash_after_beep_ms": [round(offset * 1000, 1) for offset in found],
            }
        ),
        flush=True,
    )
    os._exit(0)


asyncio.run(main())
