"""Names the libraries in a root that only GStreamer's unused plug-ins need, one path a line.

Debian packs plug-ins by the hundred, and with them what draws, sings and reads books. Nothing else
is named: a library that any remaining file needs stays, and so does one that nobody needs, because
it may be opened by name.
"""

import pathlib
import re
import subprocess
import sys

NEEDED = re.compile(r"^\s*NEEDED\s+(\S+)", re.MULTILINE)


def elf_files(root: pathlib.Path) -> list[pathlib.Path]:
    found = []
    for path in sorted((root / "usr").rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as file:
            if file.read(4) == b"\x7fELF":
                found.append(path)
    return [path for path in found if path.suffix != ".ko"]


def needs(path: pathlib.Path) -> set[str]:
    told = subprocess.run(["objdump", "-p", path], capture_output=True, text=True, check=True)
    return set(NEEDED.findall(told.stdout))


def closure(names: set[str], of: dict[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    open_names = set(names)
    while open_names:
        name = open_names.pop()
        if name not in reached:
            reached.add(name)
            open_names |= of.get(name, set())
    return reached


def main(root: pathlib.Path, used: set[str]) -> None:
    files = elf_files(root)
    needed = {path: needs(path) for path in files}
    # What a program asks for is a soname: a link to the file, or the file itself.
    by_soname: dict[str, pathlib.Path] = {}
    for path in sorted((root / "usr/lib").rglob("*.so*")):
        target = path.resolve()
        if target in needed:
            by_soname.setdefault(path.name, target)
    of = {name: needed[path] for name, path in by_soname.items()}
    plugins = [path for path in files if path.match("gstreamer-1.0/libgst*.so")]
    unused = [path for path in plugins if path.stem.removeprefix("libgst") not in used]
    # They draw by what Mesa opens by name.
    unused += [path for path in files if path.parent.name == "dri"]
    asked = closure(set().union(*(needed[path] for path in unused)), of)
    suspects = {by_soname[name] for name in asked if name in by_soname}
    keepers = [path for path in files if path not in suspects and path not in set(unused)]
    kept = closure(set().union(*(needed[path] for path in keepers)), of)
    kept_files = {by_soname[name] for name in kept if name in by_soname}
    for path in sorted([*unused, *(suspects - kept_files)]):
        print(path)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve(), set(pathlib.Path(sys.argv[2]).read_text().split()))
