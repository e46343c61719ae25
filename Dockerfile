# A node of talkwire. Build: docker build -t talkwire .
FROM python:3.13-slim AS build
WORKDIR /build
COPY requirements/runtime.txt requirements/runtime.in requirements/
RUN python -m venv /opt/talkwire \
    && /opt/talkwire/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
# The build backend stays in this stage.
RUN pip wheel --no-cache-dir --no-deps --wheel-dir dist . \
    && /opt/talkwire/bin/pip install --no-cache-dir --no-deps --no-index dist/*.whl

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/talkwire --create-home talkwire \
    && install -d -o talkwire -g talkwire -m 0700 /var/lib/talkwire/data /var/lib/talkwire/keys
COPY --from=build /opt/talkwire /opt/talkwire
USER talkwire
VOLUME ["/var/lib/talkwire/data", "/var/lib/talkwire/keys"]
EXPOSE 8443 8080 8444
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["/opt/talkwire/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["/opt/talkwire/bin/talkwire"]
CMD ["serve", "--data", "/var/lib/talkwire/data", "--keys", "/var/lib/talkwire/keys", "--host", "0.0.0.0", "--port", "8443", "--http-port", "8080", "--storage-port", "8444"]
