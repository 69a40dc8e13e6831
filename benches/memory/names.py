"""The names that a recorder gives to its files, and how they grow: seen look by look."""

import contextlib

OPEN = ".recording.ts"


class Files:
    """The files of recordings: what they are called and how they grow, look by look."""

    def __init__(self, root):
        self.root = root
        self.grew, self.sizes, self.names, self.sealed = {}, {}, {}, {}
        self.longest, self.wrong, self.renamed = 0.0, [], 0

    def look(self, now):
        seen = {}
        for path in self.root.rglob("*.ts"):
            with contextlib.suppress(FileNotFoundError):
                state = path.stat()
                if state.st_ino in seen:
                    # Renamed while we looked, or two names at once: the next look tells.
                    continue
                seen[state.st_ino] = path
                self.file(path, state.st_ino, state.st_size, now)

    def file(self, path, inode, size, now):
        folder, name, before = path.parent, path.name, self.names.get(inode)
        if name.endswith(OPEN):
            began = self.grew.setdefault(folder, now)
            if size != self.sizes.get(inode):
                self.longest = max(self.longest, now - began)
                self.grew[folder] = now
        elif before and before.endswith(OPEN):
            self.renamed += 1
            self.sealed[path] = size
            if size < self.sizes[inode]:
                self.wrong.append(f"{name} is shorter than it was")
            if before[: -len(OPEN)] != name[: -len(".ts")]:
                self.wrong.append(f"{before} became {name}")
            self.grew[folder] = now
        elif before is None and path not in self.sealed and self.started:
            self.wrong.append(f"{name} was never called *{OPEN}")
            self.sealed[path] = size
        elif self.sealed.setdefault(path, size) != size:
            self.wrong.append(f"{name} changed behind its rename")
        self.names[inode], self.sizes[inode] = name, size

    @property
    def started(self):
        """What was there at the first look had its name before."""
        return bool(self.grew)

    def stalled(self, now):
        """The longest that an open file had not grown, up to now."""
        folders = {path.parent for path in self.root.rglob(f"*{OPEN}")}
        return max([self.longest, *(now - self.grew.get(folder, now) for folder in folders)])
