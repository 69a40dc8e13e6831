"""Many who join a LiveKit room, publish a little and leave: what a busy room does to a recorder.

They come one after the other: all at once they would measure how many handshakes a machine can
take. Each publishes near-silence and the first one a small moving picture; nobody judges what
they show.
The tokens come in LIVEKIT_TOKENS, separated by spaces. Each that has published prints a line
`published`; SIGTERM sends all of them away in good order.
"""

import argparse
import asyncio
import os
import signal

import numpy as np
from livekit import rtc

SAMPLE_RATE = 48_000
CHUNK = SAMPLE_RATE // 10
WIDTH, HEIGHT, FPS = 160, 90, 5


async def hum(source):
    noise = np.random.default_rng(7).integers(-60, 60, CHUNK).astype(np.int16).tobytes()
    while True:
        # The source takes it when there is room for it: this is the clock.
        await source.capture_frame(rtc.AudioFrame(noise, SAMPLE_RATE, 1, CHUNK))


async def wave(source):
    picture = np.full(WIDTH * HEIGHT * 3 // 2, 128, np.uint8)
    n = 0
    while True:
        picture[: WIDTH * HEIGHT] = (np.arange(WIDTH * HEIGHT) + n * 7) % 200
        frame = rtc.VideoFrame(WIDTH, HEIGHT, rtc.VideoBufferType.I420, bytearray(picture))
        source.capture_frame(frame)
        n += 1
        await asyncio.sleep(1 / FPS)


async def enter(url, number, token):
    """Joins and publishes; gives the room and what sends into it."""
    room = rtc.Room()
    # They don't watch each other.
    await room.connect(url, token, rtc.RoomOptions(auto_subscribe=False))
    publish = room.local_participant.publish_track
    sound = rtc.AudioSource(SAMPLE_RATE, 1, queue_size_ms=200)
    await publish(
        rtc.LocalAudioTrack.create_audio_track("sound", sound),
        rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False),
    )
    senders = [asyncio.create_task(hum(sound))]
    if number == 0:
        picture = rtc.VideoSource(WIDTH, HEIGHT)
        await publish(
            rtc.LocalVideoTrack.create_video_track("picture", picture),
            rtc.TrackPublishOptions(
                source=rtc.TrackSource.SOURCE_CAMERA,
                video_codec=rtc.VideoCodec.H264,
                simulcast=False,
            ),
        )
        senders.append(asyncio.create_task(wave(picture)))
    return room, senders


async def stay(senders, leave):
    """Returns when it is time to leave; what goes wrong with a sender ends it all."""
    leaving = asyncio.create_task(leave.wait())
    await asyncio.wait([*senders, leaving], return_when=asyncio.FIRST_COMPLETED)
    for sender in senders:
        if sender.done():
            sender.result()
        sender.cancel()


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    options = parser.parse_args()
    leave = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
    rooms, senders = [], []
    for number, token in enumerate(os.environ["LIVEKIT_TOKENS"].split()):
        room, sending = await enter(options.url, number, token)
        print("published", flush=True)
        rooms.append(room)
        senders.extend(sending)
    await stay(senders, leave)
    for room in rooms:
        await room.disconnect()
    # The library's threads call into an interpreter that is about to end, and abort. Some of the
    # goodbyes are lost with it: people do leave without one.
    os._exit(0)


asyncio.run(main())
