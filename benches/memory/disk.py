"""A disk that can be made to stall: an ext4 in a file, frozen as fsfreeze(8) does."""

import contextlib
import subprocess


class Disk:
    """Mounted below a folder while it is used; needs root and loop devices."""

    def __init__(self, folder, size):
        self.image, self.path, self.size = folder / "disk.img", folder / "disk", size

    def __enter__(self):
        self.path.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(self.size)
        run("mkfs.ext4", "-q", "-F", self.image)
        run("mount", "-o", "loop", self.image, self.path)
        return self

    @contextlib.contextmanager
    def stalled(self):
        """Nothing that is written comes back until this is over."""
        run("fsfreeze", "-f", self.path)
        try:
            yield
        finally:
            run("fsfreeze", "-u", self.path)

    def __exit__(self, *_):
        run("umount", self.path)


def run(*words):
    subprocess.run([str(word) for word in words], check=True)
