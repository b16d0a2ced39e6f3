# syntax=docker/dockerfile:1
# Two stages: the first one installs with uv, the second one holds the result and nothing to build with.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 UV_LINK_MODE=copy
RUN pip install --no-cache-dir uv==0.13.8 && uv venv --python python3 /opt/impresario
WORKDIR /src
COPY requirements.lock ./
RUN uv pip sync --no-cache --python /opt/impresario/bin/python requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY prompts ./prompts
COPY providers ./providers
COPY app ./app
RUN uv pip install --no-cache --no-deps --python /opt/impresario/bin/python .
# Leaves out the libraries' own tests (9 MB), and compiles what a start imports and no more (all of it: 45 MB).
RUN find /opt/impresario/lib -type d -name tests -prune -exec rm -rf {} + \
    && cd / && /opt/impresario/bin/python -c "import app.cli, providers; left = {}; providers.discover(left); assert not left, left"

FROM python:3.13-slim
# The openai SDK trusts the operating system's certificates, which the slim image has to be given.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /home/impresario impresario \
    && install -d -o impresario -g impresario /data
COPY --from=build /opt/impresario /opt/impresario
ENV PATH=/opt/impresario/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOST=0.0.0.0 PORT=8000 DATA_DIR=/data
USER impresario
WORKDIR /home/impresario
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/health\", timeout=4)"]
CMD ["impresario", "serve"]
