"""Real rooms for scripts that watch a recorder from outside: a LiveKit server on free loopback
ports, a publisher of files that costs almost nothing, and `reeld`; all of them children that end
with the script."""

import base64
import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "target/tools"
KEY = "stage"
SECRET = "the-secret-of-a-stage-on-loopback"
# A minute of sound, repeated by copying.
SOUND_S = 60


class Child:
    """A child process with its output in files. Killed at the end, whatever happens."""

    def __init__(self, command, folder, name, **environment):
        self.log = folder / f"{name}.log"
        self.out = folder / f"{name}.out"
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("REELD_", "LIVEKIT_")) and name != "JOURNAL_STREAM"
        }
        with open(self.log, "wb") as log, open(self.out, "wb") as out:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env={**clean, "NO_COLOR": "1", **environment},
            )
        self.name, self.pid = name, self.process.pid

    def ended(self):
        return self.process.poll() is not None

    def await_line(self, line, limit_s=60):
        await_until(f"{self.name} says {line}", limit_s, lambda: self.says(line))

    def says(self, line):
        if self.ended():
            raise RuntimeError(f"{self.name} ended: {self.text()}")
        return line in self.out.read_text(errors="replace").splitlines()

    def text(self):
        return self.log.read_text(errors="replace")

    def stop(self, number=signal.SIGINT, limit_s=30):
        """Asks it to end; gives the exit code."""
        if not self.ended():
            self.process.send_signal(number)
        return self.process.wait(limit_s)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def await_until(what, limit_s, seen):
    deadline = time.monotonic() + limit_s
    while not seen():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {limit_s} s")
        time.sleep(0.1)


def reeld_binary():
    return ROOT / "target/release/reeld"


def tool(name):
    return shutil.which(name) or TOOLS / "bin" / name


class Server(Child):
    """A LiveKit server that answers."""

    def __init__(self, folder):
        sockets = [socket.socket(socket.AF_INET, kind) for kind in (1, 1, 2)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        port, tcp, udp = (one.getsockname()[1] for one in sockets)
        for one in sockets:
            one.close()
        file = folder / "livekit.yaml"
        file.write_text(
            f"port: {port}\nbind_addresses: ['127.0.0.1']\nkeys:\n  {KEY}: {SECRET}\n"
            f"rtc:\n  tcp_port: {tcp}\n  udp_port: {udp}\n  use_external_ip: false\n"
            "  enable_loopback_candidate: true\nlogging:\n  level: warn\n"
            "room:\n  auto_create: true\n"
        )
        binary = os.environ.get("REELD_LIVEKIT_SERVER") or tool("livekit-server")
        super().__init__([binary, "--config", file], folder, "livekit-server")
        self.url = f"ws://127.0.0.1:{port}"
        await_until("livekit-server answers", 20, lambda: self.answers(port))

    def answers(self, port):
        if self.ended():
            raise RuntimeError(f"livekit-server ended: {self.text()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def record(self, room, output, folder, *options, **environment):
        """Starts `reeld record`."""
        command = [reeld_binary(), "record", "--json", "--url", self.url, "--room", room]
        return Child(
            [*command, "--output", output, *options],
            folder,
            "reeld",
            LIVEKIT_API_KEY=KEY,
            LIVEKIT_API_SECRET=SECRET,
            **environment,
        )

    def publish(self, rooms, files, folder):
        """Sends pictures in a loop, and sound once, into each room."""
        tokens = " ".join(token("camera", room) for room in rooms)
        command = [tool("file-publisher"), "-url", self.url, "-loop", *files]
        publisher = Child(command, folder, "publisher", LIVEKIT_TOKEN=tokens)
        publisher.await_line("published")
        return publisher


def token(identity, room):
    """What LiveKit's server lets somebody in with, for a month."""
    now = int(time.time())
    claims = {"iss": KEY, "sub": identity, "nbf": now - 10, "exp": now + 30 * 86_400}
    claims["video"] = {"roomJoin": True, "room": room}
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    signed = b".".join(encoded(json.dumps(part).encode()) for part in parts)
    signature = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + encoded(signature)).decode()


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def files(folder, seconds):
    """Pictures of 720p30 in H.264, to be looped, and sound for so long."""
    pictures, minute, sound = folder / "card.h264", folder / "minute.ogg", folder / "card.ogg"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30:duration=10"),
        # One slice a picture, and keyframes by itself: a file answers no request for one.
        *("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-b:v", "1M"),
        *("-maxrate", "1M", "-bufsize", "1M", "-pix_fmt", "yuv420p", "-x264-params"),
        *("keyint=30:min-keyint=30:scenecut=0:slices=1:sliced-threads=0", "-f", "h264", pictures),
    )
    ffmpeg(
        *("-f", "lavfi", "-i", f"sine=frequency=1000:sample_rate=48000:duration={SOUND_S}"),
        *("-c:a", "libopus", "-b:a", "32k", minute),
    )
    repeats = str(int(seconds / SOUND_S) + 1)
    ffmpeg("-stream_loop", repeats, "-i", minute, "-c", "copy", sound)
    return pictures, sound


def ffmpeg(*words):
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *(str(word) for word in words)]
    subprocess.run(command, check=True)


def is_sound(place):
    """Whether `reeld verify` finds nothing wrong, and what it says."""
    command = [str(reeld_binary()), "verify", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr
