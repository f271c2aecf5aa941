# The App API image. Nothing of the other service is in it: neither of the stages copies any of its files.
FROM python:3.13-slim AS builder

RUN pip install --no-cache-dir uv==0.13.9
ENV UV_PROJECT_ENVIRONMENT=/app/venv \
    UV_PYTHON_DOWNLOADS=never \
    UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1

WORKDIR /build
# Dependencies in a layer of their own: it changes only with the lock file.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-install-workspace --package agentcore-app-api

COPY shared_lib shared_lib
COPY backend/agents backend/agents
COPY backend/app_api backend/app_api
RUN uv sync --frozen --no-dev --no-editable --package agentcore-app-api


FROM python:3.13-slim

RUN useradd --system --uid 10001 --home-dir /app --no-create-home app \
    && install --directory --owner=app /app/src
COPY --from=builder /app/venv /app/venv
ENV PATH=/app/venv/bin:$PATH \
    PYTHONUNBUFFERED=1

# The working directory holds `.env` and local data, where a deployment uses them; the code is in the environment.
WORKDIR /app/src
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/health'); sys.exit(c.getresponse().status != 200)"]
# The exec form: uvicorn is process 1 and gets SIGTERM itself. Failed requests are logged by the service.
CMD ["uvicorn", "apis.app_api.main:app", "--http", "apis.shared.http.protocol:BoundedHttp", "--host", "0.0.0.0", "--port", "8000", "--no-access-log", "--timeout-graceful-shutdown", "3"]
