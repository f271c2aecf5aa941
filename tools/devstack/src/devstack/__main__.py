"""`python -m devstack`: the whole platform on one machine."""

import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from apis.shared.errors import ErrorDetail
from apis.shared.result import Result, fold, railway
from devstack import console, stack
from devstack.banner import banner
from devstack.options import Options, parse

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    options = parse()
    for number in _STOP_SIGNALS:
        signal.signal(number, _leave)
    outcome = run(options)
    sys.exit(fold(outcome, success=lambda _: 0, failure=_report))


@railway
def run(options: Options) -> Result[None, ErrorDetail]:
    """Start everything and keep it running; only a Failure returns, a signal leaves through `SystemExit`."""
    log_dir = Path(tempfile.mkdtemp(prefix="devstack-"))
    with ExitStack() as cleanup:
        cleanup.callback(_ignore_signals)
        console.say(f"Starting; logs in {log_dir}")
        running = stack.start(options, log_dir, cleanup).unwrap()
        console.say(banner(running))
        return running.watch()


def _leave(_number: int, _frame: FrameType | None) -> None:
    # Unwinds through every clean-up, wherever the start or the watch stands.
    _ignore_signals()
    console.say("\nStopping ...")
    sys.exit(0)


def _ignore_signals() -> None:
    """A second Ctrl-C must not interrupt the clean-up, which ends by itself within seconds."""
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _report(error: ErrorDetail) -> int:
    console.complain(error.message)
    return 1


if __name__ == "__main__":
    main()
