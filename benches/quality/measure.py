"""What encoders and scalers in software cost, in time and in what is seen. Run by scripts/quality.

Everything is one 10 s clip at a time, through real GStreamer elements on one core. Each clip is
first coded as VP8 the way libwebrtc codes, since what a recorder encodes was encoded before: what
came out of that is the input, and what is compared with.

Time is CPU time, user and system, of the whole `gst-launch-1.0` less that of one that only reads
the input: the least of several rounds, as others on the machine can only add to it.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FRAMES = 300
RATE = 30
KINDS = ("face", "busy", "quiet", "screen")
VP8 = (
    "vp8enc deadline=1 cpu-used=-6 threads=1 end-usage=cbr target-bitrate=2500000"
    " keyframe-max-dist=3000 static-threshold=1 min-quantizer=2 max-quantizer=56"
    " undershoot=100 overshoot=15 buffer-size=1000 buffer-initial-size=500"
    " buffer-optimal-size=600"
)
X264 = (
    "x264enc bitrate={kbit} key-int-max=60 threads=1 tune=zerolatency bframes=0 ref=1"
    " rc-lookahead=0 speed-preset="
)
OPENH264 = (
    "openh264enc bitrate={kbit}000 gop-size=60 multi-thread=1 rate-control=bitrate complexity="
)
DEBLOCKING = " option-string=deblock=0,0"
ENCODERS = {
    "x264 ultrafast": X264 + "ultrafast",
    "x264 ultrafast, deblocking": X264 + "ultrafast" + DEBLOCKING,
    "the same, buffer of 2 s": X264 + "ultrafast vbv-buf-capacity=2000" + DEBLOCKING,
    "x264 superfast": X264 + "superfast",
    "x264 veryfast": X264 + "veryfast",
    "OpenH264 low": OPENH264 + "low",
    "OpenH264 medium": OPENH264 + "medium",
}
SCALERS = ("nearest-neighbour", "bilinear", "bilinear2", "4-tap", "lanczos")


class Clip:
    """A file of raw I420 pictures."""

    def __init__(self, file, width, height):
        self.file, self.width, self.height = file, width, height

    def source(self):
        size = self.width * self.height * 3 // 2
        return (
            f"filesrc location={self.file} blocksize={size}"
            f" ! rawvideoparse format=i420 width={self.width} height={self.height}"
            f" framerate={RATE}/1"
        )

    def ffmpeg(self):
        """The options by which ffmpeg reads it."""
        size = f"{self.width}x{self.height}"
        return ["-f", "rawvideo", "-s", size, "-r", str(RATE), "-pix_fmt", "yuv420p"] + [
            "-i",
            str(self.file),
        ]


def run(pipeline, **options):
    """Runs a pipeline on one core; gives its CPU seconds and its peak memory in MB."""
    process = subprocess.Popen(
        ["gst-launch-1.0", "-q", *pipeline.split()],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, {max(os.sched_getaffinity(0))}),
        **options,
    )
    # OpenH264 complains of the end of the stream, which is no failure.
    said = process.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"error: this pipeline failed: {pipeline}\n{said}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


def least(pipelines, rounds):
    """The least CPU time of each, in seconds a minute of video. One round after the other: what
    slows the machine for a while slows all of them."""
    seconds = {name: [] for name in pipelines}
    for _ in range(rounds):
        for name, pipeline in pipelines.items():
            seconds[name].append(run(pipeline)[0])
    return {name: min(all_) * 60 * RATE / FRAMES for name, all_ in seconds.items()}


def compare(tested, reference):
    """SSIM and PSNR of luma against the reference; `tested` is what ffmpeg reads it by."""
    graph = (
        f"[0:v]setpts=N/{RATE}/TB,split[a][b];[1:v]setpts=N/{RATE}/TB,split[c][d];"
        "[a][c]ssim[x];[b][d]psnr[y]"
    )
    command = ["ffmpeg", "-hide_banner", "-threads", "1", *tested, *reference.ffmpeg()]
    command += ["-lavfi", graph, "-map", "[x]", "-map", "[y]", "-f", "null", "-"]
    told = subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True).stderr
    frames = int(re.findall(r"frame=\s*(\d+)", told)[-1])
    if frames != FRAMES:
        sys.exit(f"error: {frames} of {FRAMES} pictures came out of {tested[-1]}")
    found = re.search(r"SSIM Y:([\d.]+)", told), re.search(r"PSNR y:([\d.]+)", told)
    return tuple(float(number[1]) for number in found)


def coded(work, kind, width, height):
    """The clip as VP8, and as the pictures that come out of it."""
    file = work / f"{kind}-{height}.mkv"
    clip = Clip(file.with_suffix(".i420"), width, height)
    if not clip.file.exists():
        drawn = subprocess.Popen(
            [sys.executable, HERE / "clips.py", kind, f"{width}x{height}", str(FRAMES)],
            stdout=subprocess.PIPE,
        )
        raw = f"rawvideoparse format=i420 width={width} height={height} framerate={RATE}/1"
        run(f"fdsrc ! {raw} ! {VP8} ! matroskamux ! filesink location={file}", stdin=drawn.stdout)
        if drawn.wait():
            sys.exit(f"error: {kind} could not be drawn")
        part = clip.file.with_suffix(".part")
        decode = f"filesrc location={file} ! matroskademux ! vp8dec threads=1"
        run(f"{decode} ! filesink location={part}")
        part.rename(clip.file)
    return file, clip


def encoders(work, kinds, rates, rounds):
    print("| clip | kb/s asked | encoder | CPU s per minute | kb/s | SSIM | PSNR |")
    print("|---|---|---|---|---|---|---|")
    for kind in kinds:
        _, clip = coded(work, kind, 1280, 720)
        for kbit in rates:
            files = {name: work / f"{n}.h264" for n, name in enumerate(ENCODERS)}
            encoded = {
                name: f"{clip.source()} ! {encoder.format(kbit=kbit)}"
                f" ! video/x-h264,stream-format=byte-stream ! filesink location={files[name]}"
                for name, encoder in ENCODERS.items()
            }
            nothing = {"nothing": f"{clip.source()} ! fakesink"}
            times = least(encoded | nothing, rounds)
            for name, file in files.items():
                kept = file.stat().st_size * 8 * RATE / FRAMES / 1000
                ssim, psnr = compare(["-f", "h264", "-i", str(file)], clip)
                file.unlink()
                print(
                    f"| {kind} | {kbit} | {name} | {times[name] - times['nothing']:.1f}"
                    f" | {kept:.0f} | {ssim:.4f} | {psnr:.2f} |",
                    flush=True,
                )


def scalers(work, kind, rounds):
    _, clip = coded(work, kind, 1920, 1080)
    # Lanczos by swscale, with all the accuracy it has.
    best, scaled = Clip(work / "lanczos.i420", 1280, 720), Clip(work / "scaled.i420", 1280, 720)
    command = ["ffmpeg", "-v", "error", "-y", *clip.ffmpeg(), "-vf"]
    command += ["scale=1280:720:flags=lanczos+accurate_rnd", "-f", "rawvideo", str(best.file)]
    subprocess.run(command, check=True)
    small = "video/x-raw,width=1280,height=720"
    scale = {name: f"{clip.source()} ! videoscale method={name} ! {small}" for name in SCALERS}
    timed = {name: f"{pipeline} ! fakesink" for name, pipeline in scale.items()}
    times = least(timed | {"nothing": f"{clip.source()} ! fakesink"}, rounds)
    print("| 1920×1080 → 1280×720 by | CPU s per minute | SSIM | PSNR |")
    print("|---|---|---|---|")
    for name, pipeline in scale.items():
        run(f"{pipeline} ! filesink location={scaled.file}")
        ssim, psnr = compare(scaled.ffmpeg(), best)
        seconds = times[name] - times["nothing"]
        print(f"| {name} | {seconds:.1f} | {ssim:.4f} | {psnr:.2f} |", flush=True)
    best.file.unlink()
    scaled.file.unlink()


def paths(work, kinds, kbit, rounds):
    """The whole way from VP8 to H.264, with a queue where the recorder has one."""
    print("| clip, VP8 1080p → H.264 720p | CPU s per minute | peak RSS |")
    print("|---|---|---|")
    for kind in kinds:
        file, _ = coded(work, kind, 1920, 1080)
        decode = f"filesrc location={file} ! matroskademux ! vp8dec threads=1"
        queue = "queue max-size-buffers=2 max-size-bytes=0 max-size-time=0"
        scale = f"{decode} ! {queue} ! videoscale ! video/x-raw,width=1280,height=720"
        ways = {"decoded only": decode, "decoded and scaled": scale}
        ways |= {name: f"{scale} ! {way.format(kbit=kbit)}" for name, way in ENCODERS.items()}
        ways = {name: f"{way} ! fakesink" for name, way in ways.items()}
        times = least(ways, rounds)
        for name, way in ways.items():
            print(f"| {kind}, {name} | {times[name]:.1f} | {run(way)[1]:.1f} MB |", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="scripts/quality", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="of which the least counts")
    parser.add_argument("--kbit", type=int, nargs="+", default=[2500])
    parser.add_argument("--clip", choices=KINDS, nargs="+", default=["face", "busy", "screen"])
    parser.add_argument("--only", choices=("encoders", "scalers", "paths"), nargs="+")
    parser.add_argument("--work", type=Path, default=Path("target/quality"))
    options = parser.parse_args()
    only = options.only or ("encoders", "scalers", "paths")
    options.work.mkdir(parents=True, exist_ok=True)
    if "encoders" in only:
        encoders(options.work, options.clip, options.kbit, options.rounds)
    if "scalers" in only:
        scalers(options.work, options.clip[0], options.rounds)
    if "paths" in only:
        paths(options.work, options.clip, 2500, options.rounds)


if __name__ == "__main__":
    main()
