#!/usr/bin/env python3
"""Makes the samples beside it: what decoders are tried with. Needs ffmpeg with libvpx, libaom,
libx264 and libx265.

A sample has ten pictures; from the seventh on they have half the size, as when a server chooses
another layer. Each unit stands behind a head: its length (4 bytes), the picture's width and height
(2 bytes each) and the mean of its luma (1 byte), in network order.
"""
import pathlib
import struct
import subprocess
import tempfile

PLACE = pathlib.Path(__file__).resolve().parent
SIZES = [(640, 360, 6), (320, 180, 4)]
REALTIME = ["-deadline", "realtime", "-cpu-used", "8", "-lag-in-frames", "0", "-auto-alt-ref", "0"]
ENCODERS = {
    "vp8": ["-c:v", "libvpx", *REALTIME, "-b:v", "600k", "-f", "ivf"],
    "vp9": ["-c:v", "libvpx-vp9", *REALTIME, "-b:v", "600k", "-f", "ivf"],
    "av1": ["-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-lag-in-frames", "0",
            "-b:v", "600k", "-f", "ivf"],
    "h264": ["-c:v", "libx264", "-tune", "zerolatency", "-profile:v", "baseline", "-crf", "40",
             "-x264-params", "aud=1:sliced-threads=0", "-f", "h264"],
    "h265": ["-c:v", "libx265", "-tune", "zerolatency", "-crf", "42",
             "-x265-params", "aud=1:bframes=0:log-level=error", "-f", "hevc"],
}
DELIMITERS = {"h264": (b"\0\0\0\1\x09",), "h265": (b"\0\0\0\1\x46",)}


def ffmpeg(*arguments, **options):
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", *arguments]
    return subprocess.run(command, check=True, **options)


def split(codec, stream):
    """The units of a stream."""
    if codec in DELIMITERS:
        (delimiter,) = DELIMITERS[codec]
        parts = stream.split(delimiter)[1:]
        return [delimiter + part for part in parts]
    units, at = [], 32
    while at < len(stream):
        (length,) = struct.unpack_from("<I", stream, at)
        units.append(stream[at + 12:at + 12 + length])
        at += 12 + length
    return units


def means(file, width, height):
    """The mean luma of each picture, as ffmpeg decodes it."""
    raw = ffmpeg("-i", file, "-pix_fmt", "yuv420p", "-f", "rawvideo", "-", capture_output=True)
    luma, whole = width * height, width * height * 3 // 2
    pictures = [raw.stdout[at:at + luma] for at in range(0, len(raw.stdout), whole)]
    return [round(sum(picture) / luma) for picture in pictures]


def main():
    with tempfile.TemporaryDirectory() as scratch:
        for codec, options in ENCODERS.items():
            sample = b""
            for width, height, count in SIZES:
                file = pathlib.Path(scratch) / f"{codec}-{width}"
                source = f"testsrc2=size={width}x{height}:rate=30,fade=in:0:20,format=yuv420p"
                ffmpeg("-f", "lavfi", "-i", source, "-frames:v", str(count), *options, file)
                units = split(codec, file.read_bytes())
                lumas = means(file, width, height)
                assert len(units) == len(lumas) == count, (codec, len(units), lumas)
                for unit, luma in zip(units, lumas):
                    sample += struct.pack(">IHHB", len(unit), width, height, luma) + unit
            (PLACE / f"{codec}.bin").write_bytes(sample)
            print(codec, len(sample))


main()
