#!/bin/sh
# Postgres takes a key only from a file that its own account alone can read.
set -eu
umask 077
cp /run/secrets/tls.pem /tmp/tls.pem
exec docker-entrypoint.sh postgres \
    -c ssl=on -c ssl_cert_file=/tmp/tls.pem -c ssl_key_file=/tmp/tls.pem \
    -c ssl_min_protocol_version=TLSv1.2 -c hba_file=/etc/clinic/pg_hba.conf \
    -c max_connections=200 -c shared_buffers=256MB -c max_wal_size=1GB -c checkpoint_timeout=15min \
    -c random_page_cost=1.1 -c jit=off -c timezone=UTC -c log_timezone=UTC
