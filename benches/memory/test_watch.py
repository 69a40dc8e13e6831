"""Whether what judges a recorder's memory would find a leak. Run by scripts/test."""

import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import watch

MINUTES_10 = 600


def run(grows, noise=200_000):
    """Samples of ten minutes that grow by so much in all, with noise."""
    chance = random.Random(7)
    return [
        {
            "seconds": at,
            "rss": 30_000_000 + grows * at / MINUTES_10 + chance.uniform(-noise, noise),
        }
        for at in range(0, MINUTES_10 + 1, 2)
    ]


class Judging(unittest.TestCase):
    def test_a_slow_leak_shows_through_noise(self):
        self.assertAlmostEqual(watch.growth(run(1_200_000), "rss"), 1_200_000, delta=100_000)

    def test_noise_alone_is_flat(self):
        self.assertLess(abs(watch.growth(run(0), "rss")), 100_000)

    def test_a_step_in_the_middle_shows(self):
        samples = run(0)
        for row in samples[len(samples) // 2 :]:
            row["rss"] += 1_000_000
        self.assertGreater(watch.growth(samples, "rss"), 1_000_000)

    def test_two_samples_have_no_slope(self):
        with self.assertRaises(ValueError):
            watch.slope(run(0)[:2], "rss")

    def test_a_process_that_leaks_is_caught_alive(self):
        leaks = (
            "import os, time\nkept = []\n"
            "while True:\n kept.append((bytearray(b'x' * 200_000), os.dup(0)))\n time.sleep(0.1)"
        )
        with tempfile.TemporaryDirectory() as folder:
            child = subprocess.Popen([sys.executable, "-c", leaks], stdin=subprocess.DEVNULL)
            try:
                samples = watch.watch(child.pid, 4, 0.5, Path(folder) / "leak.csv")
            finally:
                child.kill()
                child.wait()
        self.assertGreater(watch.slope(watch.after(samples, 1), "anonymous"), 1_000_000)
        self.assertGreater(watch.slope(watch.after(samples, 1), "descriptors"), 5)


if __name__ == "__main__":
    unittest.main()
