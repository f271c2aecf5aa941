"""What the person at the terminal sees while the stack starts and runs."""

import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from devstack.processes import Child

_FOLLOW_SECONDS = 0.1
_PLAIN_PROGRESS_SECONDS = 5


def say(line: str = "") -> None:
    print(line, flush=True)


def complain(message: str) -> None:
    print(f"devstack: {message}", file=sys.stderr, flush=True)


def progress(what: str) -> Callable[[float], None]:
    """A function that is told the seconds so far: a line that counts on a terminal, now and then a line elsewhere."""
    shown = 0

    def show(seconds: float) -> None:
        nonlocal shown
        whole = int(seconds)
        if whole == shown:
            return
        if sys.stdout.isatty():
            print(f"\r  {what} ... {whole} s", end="", flush=True)
        elif whole % _PLAIN_PROGRESS_SECONDS == 0:
            say(f"  {what} ... {whole} s")
        shown = whole

    return show


def end_progress() -> None:
    if sys.stdout.isatty():
        print("\r\033[K", end="", flush=True)


def follow(children: Iterable[Child]) -> None:
    """Print what the children write from now on, each line with its name in front."""
    for child in children:
        threading.Thread(target=_follow, args=(child.name, child.log), daemon=True).start()


def _follow(name: str, log: Path) -> None:
    with log.open(errors="replace") as lines:
        while True:
            line = lines.readline()
            if line:
                print(f"{name:>13} | {line}", end="" if line.endswith("\n") else "\n", flush=True)
            else:
                time.sleep(_FOLLOW_SECONDS)
