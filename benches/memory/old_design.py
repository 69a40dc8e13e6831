"""The design that reeld replaces, cut down to what its memory comes from.

LiveKit's SDK decodes each picture, a queue holds the decoded ones, and a thread takes one after the
other, works on it as long as an encoder does, and writes. The queue has no limit, or room for so
many, and what comes then is dropped.
"""

import argparse
import asyncio
import os
import queue
import threading
import time

from livekit import rtc

# Each second, as reeld does.
SYNC_S = 1.0
# What a picture of 720p30 at 1 Mb/s takes encoded.
ENCODED = 4_200


def write(pictures, file, encode_s):
    with open(file, "wb") as out:
        synced = time.monotonic()
        while True:
            pictures.get()
            time.sleep(encode_s)
            out.write(bytes(ENCODED))
            if time.monotonic() - synced >= SYNC_S:
                out.flush()
                os.fsync(out.fileno())
                synced = time.monotonic()


async def take(track, pictures):
    # Capacity 0: the SDK's own queue in front of ours has no limit either.
    async for event in rtc.VideoStream(track, capacity=pictures.maxsize):
        try:
            pictures.put_nowait(event.frame)
        except queue.Full:
            pass


async def main():
    parser = argparse.ArgumentParser(description="The design that reeld replaces")
    parser.add_argument("--url", required=True)
    parser.add_argument("--file", required=True)
    parser.add_argument("--in-flight", type=int, default=0, help="0: without a limit")
    parser.add_argument("--encode-ms", type=float, default=15.0)
    options = parser.parse_args()
    pictures = queue.Queue(options.in_flight)
    threading.Thread(
        target=write, args=(pictures, options.file, options.encode_ms / 1000), daemon=True
    ).start()
    room = rtc.Room()
    tasks = []

    def subscribed(track, *_):
        if track.kind == rtc.TrackKind.KIND_VIDEO:
            print("subscribed", flush=True)
            tasks.append(asyncio.create_task(take(track, pictures)))

    room.on("track_subscribed", subscribed)
    await room.connect(options.url, os.environ["LIVEKIT_TOKEN"])
    await asyncio.Event().wait()


asyncio.run(main())
