# The App API image. Nothing of the other service is in it: neither of the stages copies any of its files.
#
# The base is the index of all platforms of this tag. A newer one: `docker buildx imagetools inspect python:3.13-slim-trixie`,
# here and in the other Dockerfile.
ARG PYTHON=python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b
FROM ${PYTHON} AS builder

RUN pip install --no-cache-dir uv==0.13.9
# The same sources give the same files: times and the order of sets come from here, not from the moment of the build.
ENV UV_PROJECT_ENVIRONMENT=/app/venv \
    UV_PYTHON_DOWNLOADS=never \
    UV_LINK_MODE=copy \
    PYTHONHASHSEED=0 \
    SOURCE_DATE_EPOCH=1735689600

WORKDIR /build
# Dependencies in a layer of their own, here and in the image: it changes only with the lock file.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --group image --no-install-workspace --package agentcore-app-api
COPY images/finish.py images/
RUN python images/finish.py /app/venv --finds /app/code

COPY shared_lib shared_lib
COPY backend/agents backend/agents
COPY backend/app_api backend/app_api
RUN uv pip install --quiet --python /app/venv/bin/python --target /app/code --no-deps ./shared_lib ./backend/agents ./backend/app_api
RUN uv export --quiet --frozen --no-dev --group image --package agentcore-app-api --format cyclonedx1.5 --output-file /app/code/sbom.cdx.json
RUN python images/finish.py /app/code


FROM ${PYTHON}

# The base image leaves the standard library uncompiled: each start and each health check would compile it anew.
RUN PYTHONHASHSEED=0 python -m compileall -q -j 0 --invalidation-mode unchecked-hash -x '/(test|tests|idlelib|lib2to3|site-packages)/' /usr/local/lib/python3.13 \
    && echo 'app:x:10001:' >> /etc/group \
    && echo 'app:x:10001:10001::/app:/usr/sbin/nologin' >> /etc/passwd \
    && install --directory --owner=10001 --group=10001 --mode=0755 /app/src
COPY --from=builder /app/venv /app/venv
COPY --from=builder /app/code /app/code
ENV PATH=/app/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# The working directory holds `.env` and local data, where a deployment uses them, and is all that is ever written; the
# rest may be mounted read-only.
WORKDIR /app/src
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-I", "-S", "-c", "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/health'); sys.exit(c.getresponse().status != 200)"]
# Process 1 ignores a signal that it has no handler for, and uvicorn has one only after its imports: an init is process 1,
# and passes SIGTERM on from the first moment.
ENTRYPOINT ["dumb-init", "--single-child", "--"]
# Failed requests are logged by the service.
CMD ["uvicorn", "apis.app_api.main:app", "--http", "apis.shared.http.protocol:BoundedHttp", "--host", "0.0.0.0", "--port", "8000", "--no-access-log", "--timeout-graceful-shutdown", "3"]

# Last, so that a new revision changes no layer.
ARG REVISION=unknown
LABEL org.opencontainers.image.title="AgentCore App API" \
      org.opencontainers.image.description="Sessions, messages and administration over HTTP" \
      org.opencontainers.image.version="2.0.0" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="python:3.13.15-slim-trixie" \
      org.opencontainers.image.revision="${REVISION}"
