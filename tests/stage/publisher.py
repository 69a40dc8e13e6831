"""Publishes a test card to a LiveKit room by real libwebrtc, and says what it really did.

The picture, in 1280x720 coordinates: a moving gradient and a block; the frame number as 24
blocks, block i from x = 8 + 24 i, y 16 to 48, most significant bit first, luma 235 for one and
16 for zero; everything below y = 120 at luma 235 for the first 3 frames of each second.
The sound: a 1 kHz beep for the first 100 ms of each second, near-silence otherwise.
Frame n belongs at t0 + n/fps and sample k at t0 + k/48000: flash and beep begin together. How
late each was really handed over is printed, so that a test can take it off.

The token comes in LIVEKIT_TOKEN. Events go to stdout as JSON lines: `published`, `started`
(wall = Unix time of t0), `second` (lateness in ms, frames so far), `encoded` (frames so far, how
many of them the encoder did not leave out, and the heights of the layers of which it encoded any
in the last second), `muted`, `unmuted`, `switched`, `done`.
SIGTERM leaves the room in good order.
"""

import argparse
import asyncio
import json
import math
import os
import signal
import time

import numpy as np
from livekit import rtc

SAMPLE_RATE = 48_000
CHUNK = SAMPLE_RATE // 100
BEEP_CHUNKS = 10
FLASH_FRAMES = 3
CODECS = {
    "h264": rtc.VideoCodec.H264,
    "vp8": rtc.VideoCodec.VP8,
    "vp9": rtc.VideoCodec.VP9,
    "av1": rtc.VideoCodec.AV1,
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--codec", choices=CODECS, default="h264")
    parser.add_argument("--size", default="1280x720", help="WIDTHxHEIGHT, both even")
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--secs", type=float, default=3600.0, help="how long to publish")
    parser.add_argument("--bitrate", type=int, default=2_000_000, help="bit/s")
    parser.add_argument("--simulcast", action="store_true")
    parser.add_argument("--scalability", metavar="MODE", help="of VP9 and AV1, like L3T3_KEY")
    parser.add_argument("--screen", action="store_true", help="publish as a screen share")
    parser.add_argument("--busy", action="store_true", help="a picture that needs the bitrate")
    parser.add_argument("--no-dtx", action="store_true", help="send silence as well")
    parser.add_argument("--no-video", action="store_true")
    parser.add_argument("--no-audio", action="store_true")
    parser.add_argument("--data", metavar="FROM:TO", help="messages to all, in seconds since t0")
    parser.add_argument("--mute-audio", metavar="FROM:TO", help="in seconds since t0")
    parser.add_argument("--mute-video", metavar="FROM:TO", help="in seconds since t0")
    parser.add_argument(
        "--t0", type=float, metavar="UNIX", help="go on with the test card of one who began then"
    )
    parser.add_argument(
        "--switch",
        metavar="AT:CODEC",
        help="unpublish the picture at that second of t0 and publish it with another codec",
    )
    options = parser.parse_args()
    options.width, options.height = (int(side) for side in options.size.split("x"))
    if options.no_video and options.no_audio:
        parser.error("nothing to publish: --no-video and --no-audio together")
    if options.switch:
        at, codec = options.switch.split(":")
        options.switch = float(at), codec
    return options


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


class Card:
    """Draws the pictures into two buffers by turns; I420."""

    def __init__(self, width, height, fps, busy):
        self.width, self.height, self.fps = width, height, fps
        self.flash_top = height * 120 // 720
        size = width * height * 3 // 2
        self.buffers = [bytearray(size), bytearray(size)]
        self.lumas = []
        for buffer in self.buffers:
            plane = np.frombuffer(buffer, np.uint8)
            plane[width * height :] = 128
            self.lumas.append(plane[: width * height].reshape(height, width))
        period = np.abs((np.arange(2 * width) * 2 % (2 * width)) - width)
        self.gradient = (16 + period * 219 // width).astype(np.uint8)
        self.random = np.random.default_rng(7)
        self.noise = None
        if busy:
            # Part of the picture only: all of it makes OpenH264 skip pictures at 2 Mb/s.
            cells = self.random.integers(70, 170, (height // 32, width // 16 + 32), np.uint8)
            self.noise = np.kron(cells, np.ones((8, 8), np.uint8))

    def draw(self, n):
        luma = self.lumas[n % 2]
        if n % self.fps < FLASH_FRAMES:
            luma[: self.flash_top] = self.gradient[: self.width]
            luma[self.flash_top :] = 235
        else:
            left = n * 2 % self.width
            luma[:] = self.gradient[left : left + self.width]
            side = self.height // 10
            left = n * 8 % (self.width - side)
            top = self.height // 2
            luma[top : top + side, left : left + side] = 60
        if self.noise is not None:
            # Jumps out of the encoder's motion search: each picture costs its bits.
            rows, columns = self.noise.shape[0], self.width // 2
            left = int(self.random.integers(0, self.noise.shape[1] - columns))
            top = self.height // 5
            luma[top : top + rows, self.width // 4 : self.width // 4 + columns] = self.noise[
                :, left : left + columns
            ]
        self.count(luma, n)
        return rtc.VideoFrame(
            self.width, self.height, rtc.VideoBufferType.I420, self.buffers[n % 2]
        )

    def count(self, luma, n):
        top, bottom = self.height * 16 // 720, self.height * 48 // 720
        for i in range(24):
            left = (8 + 24 * i) * self.width // 1280
            right = (8 + 24 * (i + 1)) * self.width // 1280
            luma[top:bottom, left:right] = 235 if n >> (23 - i) & 1 else 16


def sound():
    """One chunk of beep and one of near-silence; 1 kHz has whole periods in 10 ms."""
    wave = np.sin(2 * np.pi * 1000 * np.arange(CHUNK) / SAMPLE_RATE)

    def frame(amplitude):
        data = (wave * amplitude).astype(np.int16).tobytes()
        return rtc.AudioFrame(data, SAMPLE_RATE, 1, CHUNK)

    return frame(12_000), frame(60)


class Lateness:
    """Collects what is known of each second and prints it once both halves are there."""

    def __init__(self, halves):
        self.halves = halves
        self.seconds = {}
        self.frames = 0

    def add(self, second, half, late_s):
        known = self.seconds.setdefault(second, {})
        known[half] = round(late_s * 1000, 3)
        if len(known) == self.halves:
            say("second", second=second, frames=self.frames, **self.seconds.pop(second))


async def pause_until(deadline):
    await asyncio.sleep(max(0.0, deadline - time.monotonic()))


def behind(t0, rate):
    """The first of `rate` a second since t0 that is still to come."""
    return max(0, math.ceil((time.monotonic() - t0) * rate))


async def send_video(source, card, t0, options, lateness):
    for n in range(behind(t0, options.fps), int(options.secs * options.fps)):
        frame = card.draw(n)
        await pause_until(t0 + n / options.fps)
        at = time.monotonic()
        # Stamped here: what happens to this process before libwebrtc looks at its own clock
        # (the same one) is no part of the picture's time.
        source.capture_frame(frame, timestamp_us=int(at * 1e6))
        lateness.frames = n + 1
        if n % options.fps == 0:
            lateness.add(n // options.fps, "flash_late_ms", at - t0 - n / options.fps)


async def send_audio(source, t0, options, lateness):
    beep, silence = sound()
    for k in range(behind(t0, 100), int(options.secs * 100)):
        await pause_until(t0 + k / 100)
        at = time.monotonic()
        # With no queue in the source this goes to the encoder at once.
        await source.capture_frame(beep if k % 100 < BEEP_CHUNKS else silence)
        if k % 100 == 0:
            lateness.add(k // 100, "beep_late_ms", at - t0 - k / 100)


async def send_data(room, t0, span):
    start, end = (float(second) for second in span.split(":"))
    message = bytes(1_000)
    await pause_until(t0 + start)
    while time.monotonic() < t0 + end:
        for reliable in (True, False):
            await room.local_participant.publish_data(message, reliable=reliable)
        await asyncio.sleep(0.002)


async def tell_encoded(track, lateness):
    before = {}
    while True:
        await asyncio.sleep(1)
        frames = lateness.frames
        stats = [s.outbound_rtp for s in await track.get_stats() if s.HasField("outbound_rtp")]
        layers = [layer.outbound for layer in stats]
        encoded = max((layer.frames_encoded for layer in layers), default=0)
        going = [layer for layer in layers if layer.frames_encoded > before.get(layer.rid, 0)]
        before = {layer.rid: layer.frames_encoded for layer in layers}
        heights = sorted(layer.frame_height for layer in going)
        say("encoded", frames=frames, encoded=encoded, heights=heights)


async def mute(track, t0, span):
    start, end = (float(second) for second in span.split(":"))
    await pause_until(t0 + start)
    track.mute()
    say("muted", wall=time.time())
    await pause_until(t0 + end)
    track.unmute()
    say("unmuted", wall=time.time())


async def publish_track(room, track, **options):
    await room.local_participant.publish_track(track, rtc.TrackPublishOptions(**options))
    return track


async def publish_picture(room, source, codec, options):
    kinds = rtc.TrackSource
    return await publish_track(
        room,
        rtc.LocalVideoTrack.create_video_track("picture", source),
        source=kinds.SOURCE_SCREENSHARE if options.screen else kinds.SOURCE_CAMERA,
        video_codec=CODECS[codec],
        simulcast=options.simulcast,
        scalability_mode=options.scalability,
        video_encoding=rtc.VideoEncoding(max_bitrate=options.bitrate, max_framerate=options.fps),
    )


async def publish_sound(room, source, options):
    kinds = rtc.TrackSource
    return await publish_track(
        room,
        rtc.LocalAudioTrack.create_audio_track("sound", source),
        source=kinds.SOURCE_SCREENSHARE_AUDIO if options.screen else kinds.SOURCE_MICROPHONE,
        dtx=not options.no_dtx,
    )


async def switch(room, source, track, t0, options):
    at, codec = options.switch
    await pause_until(t0 + at)
    await room.local_participant.unpublish_track(track.sid)
    await publish_picture(room, source, codec, options)
    say("switched", wall=time.time())


async def publish(room, options):
    """Publishes what is asked for; gives sources and tracks, None where there is none."""
    video = audio = camera = microphone = None
    if not options.no_video:
        video = rtc.VideoSource(options.width, options.height)
        camera = await publish_picture(room, video, options.codec, options)
    if not options.no_audio:
        # Anything but no queue delays the sound by what happens to stand in it.
        audio = rtc.AudioSource(SAMPLE_RATE, 1, queue_size_ms=0)
        microphone = await publish_sound(room, audio, options)
    return video, audio, camera, microphone


async def main():
    options = arguments()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    card = Card(options.width, options.height, options.fps, options.busy)
    card.draw(1)  # the first use of numpy is slow

    room = rtc.Room()
    room.on("disconnected", lambda *_: stop.set())
    # It watches nobody.
    watch_none = rtc.RoomOptions(auto_subscribe=False)
    await room.connect(options.url, os.environ["LIVEKIT_TOKEN"], watch_none)
    video, audio, camera, microphone = await publish(room, options)
    say("published")

    lateness = Lateness((video is not None) + (audio is not None))
    t0 = time.monotonic() + 0.05
    if options.t0:
        t0 = time.monotonic() + options.t0 - time.time()
    say("started", wall=time.time() + t0 - time.monotonic(), fps=options.fps)
    senders = []
    if video is not None:
        senders.append(send_video(video, card, t0, options, lateness))
        if options.mute_video:
            senders.append(mute(camera, t0, options.mute_video))
        if options.switch:
            senders.append(switch(room, video, camera, t0, options))
    if audio is not None:
        senders.append(send_audio(audio, t0, options, lateness))
        if options.mute_audio:
            senders.append(mute(microphone, t0, options.mute_audio))
    if options.data:
        senders.append(send_data(room, t0, options.data))
    sending = asyncio.gather(*senders)
    telling = asyncio.create_task(tell_encoded(camera, lateness)) if camera else None
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({sending, stopped}, return_when=asyncio.FIRST_COMPLETED)
    ran = time.monotonic() - t0
    if sending.done():
        sending.result()
    else:
        sending.cancel()
    if telling:
        telling.cancel()
    say("done", frames=lateness.frames, ran_s=round(ran, 3))
    await room.disconnect()


if __name__ == "__main__":
    asyncio.run(main())
