# The gateway in a small image: built in one stage, run in another, as a user without rights.
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements.txt pyproject.toml README.md ./
RUN python -m venv /opt/gateway \
 && /opt/gateway/bin/pip install --no-cache-dir --require-hashes -r requirements.txt
COPY config config
COPY channels channels
COPY normalizer normalizer
COPY gateway gateway
RUN /opt/gateway/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /opt/gateway/bin/pip uninstall --yes hatchling editables pip \
 && find /opt/gateway -name __pycache__ -prune -exec rm -rf {} +

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/gateway --create-home gateway \
 && install -d -o gateway /var/lib/gateway/var /var/lib/gateway/blobs
COPY --from=build /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GATEWAY_SERVER__HOST=0.0.0.0 \
    GATEWAY_SERVER__PORT=8080
USER gateway
# The spool and the senders' key live under ./var: give it a volume.
WORKDIR /var/lib/gateway
VOLUME /var/lib/gateway/var
EXPOSE 8080
# 503 from /readyz means that nothing can be made durable; /healthz only says that the loop turns.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["gateway"]
CMD ["run"]
