"""Draws one of the clips of scripts/quality as raw I420 pictures, 30 a second, to stdout.

`busy` is what scripts/bench publishes, `quiet` the same without what makes it busy; `face` a
talking head before a still background, with the noise of a webcam; `screen` pages of text that
stand, scroll and jump.
"""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/stage"))
RATE = 30


def card(width, height, busy):
    from publisher import Card

    drawn = Card(width, height, RATE, busy)
    n = 0
    while True:
        drawn.draw(n)
        yield drawn.buffers[n % 2]
        n += 1


def texture(random, height, width, fall):
    """Noise whose amplitude falls with its frequency as in photographs; deviation 1."""
    spectrum = np.fft.rfft2(random.standard_normal((height, width)))
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    spectrum /= np.maximum(np.hypot(down * height / width, across), 1 / width) ** fall
    spectrum[0, 0] = 0
    plane = np.fft.irfft2(spectrum, (height, width))
    return (plane / plane.std()).astype(np.float32)


def ellipse(height, width, centre, radii, edge):
    """1 inside and 0 outside; `edge` is how wide the step is. In parts of the height."""
    down, across = np.mgrid[0:height, 0:width].astype(np.float32) / height
    far = np.hypot((across - centre[0]) / radii[0], (down - centre[1]) / radii[1])
    return np.clip((1 - far) * min(radii) / edge + 0.5, 0, 1)


def moved(plane, right, down):
    """Moves by parts of a pixel, as a camera sees it: linear between neighbours."""
    x, y = math.floor(right), math.floor(down)
    fx, fy = right - x, down - y
    plane = np.roll(plane, (y, x), (0, 1))
    plane = plane * (1 - fx) + np.roll(plane, 1, 1) * fx
    return plane * (1 - fy) + np.roll(plane, 1, 0) * fy


def face(width, height):
    random = np.random.default_rng(3)
    middle = width / height / 2
    room = 105 + 28 * texture(random, height, width, 2.0)
    room -= 60 * ellipse(height, width, (middle + 0.55, 0.3), (0.16, 0.22), 0.004)
    skin = 165 + 9 * texture(random, height, width, 1.2)
    for side in (-0.09, 0.09):
        skin -= 95 * ellipse(height, width, (middle + side, 0.40), (0.035, 0.016), 0.006)
        skin -= 70 * ellipse(height, width, (middle + side, 0.35), (0.05, 0.008), 0.006)
    hair = 45 + 22 * texture(random, height, width, 0.8)
    shirt = 80 + 10 * texture(random, height, width, 0.6)
    shirt += 18 * (np.arange(width)[None, :] // max(1, height // 60) % 2)
    head = ellipse(height, width, (middle, 0.44), (0.21, 0.29), 0.006)
    top = ellipse(height, width, (middle, 0.36), (0.24, 0.27), 0.03)
    body = ellipse(height, width, (middle, 1.15), (0.55, 0.47), 0.006)
    mouth = ellipse(height, width, (middle, 0.60), (0.06, 0.03), 0.008)
    noise = random.standard_normal((height * 2, width * 2)).astype(np.float32) * 2.2
    chroma = np.repeat(np.array([118, 132], np.float32), width * height // 4)
    tint = head[::2, ::2]
    n = 0
    while True:
        t = n / RATE
        right = height * (0.012 * math.sin(1.6 * t) + 0.006 * math.sin(4.1 * t))
        down = height * 0.008 * math.sin(2.3 * t)
        speaks = max(0.0, math.sin(2 * math.pi * 3.7 * t)) * (math.sin(0.9 * t) > -0.4)
        front = skin - 90 * speaks * mouth
        luma = room * (1 - body) + shirt * body
        cover = moved(top, right, down)
        luma = luma * (1 - cover) + moved(hair, right, down) * cover
        cover = moved(head, right, down)
        luma = luma * (1 - cover) + moved(front, right, down) * cover
        y, x = (int(random.integers(0, side)) for side in (height, width))
        luma += noise[y : y + height, x : x + width]
        planes = chroma.copy()
        quarter = width * height // 4
        cover = moved(tint, right / 2, down / 2).ravel()
        planes[:quarter] -= 14 * cover
        planes[quarter:] += 16 * cover
        planes += noise.ravel()[n * 997 % 100_000 :][: 2 * quarter] * 0.5
        yield bytes(np.clip(luma + 0.5, 16, 235).astype(np.uint8)) + bytes(
            np.clip(planes + 0.5, 16, 240).astype(np.uint8)
        )
        n += 1


def page(file):
    """A file in the 8×16 letters that ffmpeg brings along, dark on light, 80 columns."""
    lines = file.read_text().splitlines()
    command = ["ffmpeg", "-v", "error", "-f", "tty", "-video_size", "640x480"]
    command += ["-chars_per_frame", "10000", "-i", "-"]
    command += ["-pix_fmt", "gray", "-f", "rawvideo", "-"]
    parts = []
    # Its screen has 30 lines; a file is shorter than what it shows at once.
    for first in range(0, len(lines) - 28, 29):
        text = "\r\n".join(line[:79] for line in lines[first : first + 29]).encode()
        raw = subprocess.run(command, input=text, check=True, stdout=subprocess.PIPE).stdout
        parts.append(np.frombuffer(raw[-640 * 480 :], np.uint8).reshape(480, 640)[: 29 * 16])
    text = np.concatenate(parts)
    return 235 - (text > 64) * np.uint8(205)


def scrolled(t):
    """How many lines of the text are above the picture after t seconds."""
    glide = 300 * min(max(t - 2, 0), 2)
    jump = 700 if t >= 6 else 0
    wheel = 100 * int(max(t - 8, 0) * 5)
    return glide + jump + wheel


def screen(width, height):
    # One text that does not change, in columns that begin at different lines of it.
    text = page(ROOT / "LICENSE-APACHE")
    columns = [np.roll(text, -37 * 16 * column, 0) for column in range(width // 640)]
    desk = np.concatenate(columns, 1)
    tall = len(desk)
    grey = bytes([128]) * (width * height // 2)
    n = 0
    while True:
        top = int(scrolled(n / RATE)) % (tall - height)
        luma = desk[top : top + height].copy()
        luma[: height // 24] = 60
        if n // 15 % 2:
            luma[height // 2 : height // 2 + 16, 400:408] = 16
        yield luma.tobytes() + grey
        n += 1


def main():
    kind, size, pictures = sys.argv[1:]
    width, height = (int(side) for side in size.split("x"))
    draw = {
        "quiet": lambda: card(width, height, False),
        "busy": lambda: card(width, height, True),
        "face": lambda: face(width, height),
        "screen": lambda: screen(width, height),
    }[kind]()
    for _ in range(int(pictures)):
        sys.stdout.buffer.write(next(draw))


if __name__ == "__main__":
    main()
