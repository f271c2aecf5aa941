"""The local language model as a process: `python -m devstack.model_server PORT ALIAS GGUF_FILE`.

Serves the OpenAI protocol at `http://127.0.0.1:PORT/v1` once the model is loaded.
"""

import signal
import sys

from devstack.ports import LOOPBACK

CONTEXT_TOKENS = 8192
# Threads wait for each other after every layer: beside busy neighbours two are ten times slower than one.
THREADS = 1
# Without it a model of this size repeats itself and never ends; an answer that is cut at the limit is a failed turn.
REPEAT_PENALTY = 1.12
REPEAT_WINDOW_TOKENS = 256
ANSWER_TOKENS = 2048


def main() -> None:
    port, alias, gguf = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    # Ctrl-C reaches the whole process group, but the services still stream while they stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    import xllamacpp  # type: ignore[import-not-found,import-untyped,unused-ignore] # noqa: PLC0415 - optional, no types

    parameters = xllamacpp.CommonParams()
    parameters.model.path = gguf
    parameters.model_alias = {alias}
    parameters.hostnames = [LOOPBACK]
    parameters.port = port
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_predict = ANSWER_TOKENS
    parameters.sampling.penalty_repeat = REPEAT_PENALTY
    parameters.sampling.penalty_last_n = REPEAT_WINDOW_TOKENS
    parameters.cpuparams.n_threads = THREADS
    parameters.ui = False
    server = xllamacpp.Server(parameters)
    print(f"serving {gguf} at {server.listening_address}", flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
