"""The embedded AWS endpoint as a process: `python -m devstack.aws_server PORT [EMBEDDINGS]`.

`EMBEDDINGS` is `words` (the default) or `meaning`, see `embeddings.py`.
"""

import os
import signal
import sys


def main() -> None:
    port = int(sys.argv[1])
    # Ctrl-C reaches the whole process group, but the services still need the endpoint while they stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["MOTO_PORT"] = str(port)

    # Lazy: moto reads MOTO_PORT at import.
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415 - lazy, see above
        DomainDispatcherApplication,
        create_backend_app,
    )

    from devstack import (  # noqa: PLC0415 - lazy, see above
        embeddings,
        moto_dynamodb,
        moto_http,
        moto_memory,
        moto_speed,
        moto_vectors,
    )

    moto_dynamodb.install()
    moto_memory.install()
    moto_speed.install()
    moto_vectors.install()
    embed = embeddings.by_meaning if sys.argv[2:] == ["meaning"] else embeddings.by_words
    application = embeddings.EmbeddingModel(embed, DomainDispatcherApplication(create_backend_app))
    moto_http.serve(application, port)


if __name__ == "__main__":
    main()
