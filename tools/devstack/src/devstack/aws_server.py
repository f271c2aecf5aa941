"""The embedded AWS endpoint as a process: `python -m devstack.aws_server PORT [EMBEDDINGS [MODEL_URL MODEL]]`.

`EMBEDDINGS` is `words` (the default) or `meaning`, see `embeddings.py`. `MODEL` at the OpenAI-compatible `MODEL_URL`
answers for the chat models of Bedrock, with the key in `OPENAI_API_KEY`; without it there are none.
"""

import gc
import os
import signal
import sys

from devstack.model import Model


def main() -> None:
    port, (kind, *model) = int(sys.argv[1]), sys.argv[2:] or ["words"]
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
    embed = embeddings.by_meaning if kind == "meaning" else embeddings.by_words
    application = moto_http.asgi(embeddings.EmbeddingModel(embed, DomainDispatcherApplication(create_backend_app)))
    if model:
        from devstack import bedrock  # noqa: PLC0415 - lazy: tests do without

        url, name = model
        chat_models = bedrock.ChatModels(Model(name, url), os.environ["OPENAI_API_KEY"])
        application = chat_models.in_front_of(application)
    # The items of tables are many and live long: looking for garbage among them takes longer than to answer.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    moto_http.serve(application, port)


if __name__ == "__main__":
    main()
