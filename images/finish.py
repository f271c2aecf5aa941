"""What both images do with an installed folder before it becomes a layer: compile it, and leave out what differs from
one build of the same sources to the next."""

import argparse
import compileall
import json
import os
import stat
import sys
from pathlib import Path
from py_compile import PycInvalidationMode

# Of the installer: its own lock (writable for everybody), marks for other tools, and when it unpacked a folder.
NOT_SHIPPED = (".lock", ".gitignore", "CACHEDIR.TAG", "uv_cache.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--finds", metavar="FOLDER", help="where an environment finds the code that uses it")
    options = parser.parse_args()
    folder: Path = options.folder
    if options.finds:
        (site,) = folder.glob("lib/python3*/site-packages")
        # By a file of the environment, and not by a variable: isolated processes find the code too.
        (site / "agentcore.pth").write_text(f"{options.finds}\n", encoding="utf-8")
    for path in folder.rglob("*"):
        if path.name in NOT_SHIPPED and path.is_file():
            path.unlink()
    for bill in folder.glob("*.cdx.json"):
        _make_timeless(bill)
    for record in folder.rglob("*.dist-info/RECORD"):
        _forget_what_is_not_shipped(record)
    _compile(folder)
    for path in (folder, *folder.rglob("*")):
        _normalise(path)


def _forget_what_is_not_shipped(record: Path) -> None:
    lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.partition(",")[0].endswith(NOT_SHIPPED)]
    record.write_text("".join(sorted(kept)), encoding="utf-8")


def _make_timeless(bill: Path) -> None:
    """Without the number and the moment of this copy, which the format leaves open."""
    document = json.loads(bill.read_text(encoding="utf-8"))
    document.pop("serialNumber", None)
    document["metadata"].pop("timestamp", None)
    bill.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _compile(folder: Path) -> None:
    """With hashes instead of times, and never compared with the sources, which cannot change in an image."""
    done = compileall.compile_dir(
        folder,
        maxlevels=50,
        quiet=1,
        force=True,
        workers=0,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )
    if not done:
        sys.exit("not everything could be compiled")


def _normalise(path: Path) -> None:
    moment = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    if not path.is_symlink():
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~(stat.S_IWGRP | stat.S_IWOTH))
    os.utime(path, (moment, moment), follow_symlinks=False)


if __name__ == "__main__":
    main()
