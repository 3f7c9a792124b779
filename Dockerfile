# The image of every service (target `clinic`), and the proxy in front of the ingresses (target `proxy`).
# A registry of your own: --secret id=pip,src=PIP_CONFIGURATION_FILE, as pip reads it.

FROM python:3.13-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY locks/ locks/
COPY ops/install.py ops/install.py
# Packages only, so that a change of the clinic's own code does not install them anew. Hashes are checked.
RUN --mount=type=secret,id=pip,target=/root/.config/pip/pip.conf python3 ops/install.py server
# Not needed to run: the installers and the compiler of bindings, symbols and sources of compiled modules, and the
# languages, databases, brokers, modules of Redis, protocols and formats that the clinic lacks. SQLAlchemy only migrates:
# its own Python will do. Of the incubating conventions the exporter of traces uses one.
RUN cd .venv/lib/python3.*/site-packages \
    && rm -rf ../../../bin/pip* ../../../bin/uv* pip pip-* uv uv-* hatchling hatchling-* pathspec* pluggy* tomlkit* \
        trove_classifiers* cffi cffi-* pycparser* \
    && rm -rf alembic/testing fastapi_offline/static/redoc* greenlet/tests icalendar/tests sqlalchemy/testing \
    && rm -rf sqlalchemy/dialects/mssql sqlalchemy/dialects/mysql sqlalchemy/dialects/oracle sqlalchemy/dialects/sqlite \
    && rm -rf faststream/confluent faststream/mqtt faststream/nats faststream/rabbit faststream/redis \
    && find babel/locale-data -name '*.dat' ! -name 'root.dat' ! -name 'en.dat' ! -name 'en_001.dat' ! -name 'en_GB.dat' \
        ! -name 'de.dat' -delete \
    && rm -rf certifi/tests google/api google/cloud google/gapic google/logging google/longrunning google/rpc google/type \
        mako/testing markdown_it* mdurl* opentelemetry/semconv/trace pydantic/mypy.py pydantic/v1 pygments* \
        redis/asyncio/multidb redis/multidb redis/commands/bf redis/commands/json redis/commands/search \
        redis/commands/timeseries redis/commands/vectorset sqlalchemy/ext/[bdhim]* sqlalchemy/ext/associationproxy.py \
        sqlalchemy/ext/automap.py sqlalchemy/ext/orderinglist.py sqlalchemy/ext/serializer.py uvicorn/protocols/websockets \
    && find opentelemetry/semconv/_incubating -name '*.py' ! -name '__init__.py' ! -name 'otel_*.py' -delete \
    && find pyasn1_modules -name '*.py' ! -name '__init__.py' ! -name 'rfc5280.py' -delete \
    && find . -type f \( -name '*.c' -o -name '*.h' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' -o -name RECORD \) -delete \
    && find sqlalchemy -name '*.so' -delete \
    && find . -name '*.so*' -exec strip --strip-unneeded {} + \
    && find . -name __pycache__ -prune -exec rm -rf {} +
COPY migrations/ migrations/
COPY contracts/ contracts/
COPY scheduling/ scheduling/
COPY infra/ infra/
COPY storage/ storage/
COPY ingress/ ingress/
COPY booking_worker/ booking_worker/
COPY auditor/ auditor/
COPY notifier/ notifier/
COPY ops/ ops/
# Compiled now, as nothing can be written later: what the services import, which is also a test that they can.
RUN .venv/bin/python -c "from ops.cli.run import ServiceName, load; [load(service) for service in ServiceName]" \
    && .venv/bin/python -c "import rich.progress, rich.table" \
    && rm -r locks

FROM python:3.13-slim AS clinic
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
RUN mkdir /data && chown 10001:10001 /data
USER 10001:10001
ENTRYPOINT ["clinic"]
CMD ["--help"]

FROM debian:trixie-slim AS proxy
RUN mkdir -p /run && apt-get update && apt-get install -y --no-install-recommends haproxy && rm -rf /var/lib/apt/lists/*
COPY deploy/compose/proxy/haproxy.cfg deploy/compose/proxy/503.http /etc/haproxy/
USER haproxy
EXPOSE 8080 8443
# Finishes what it has begun.
STOPSIGNAL SIGUSR1
CMD ["haproxy", "-db", "-f", "/etc/haproxy/haproxy.cfg"]
