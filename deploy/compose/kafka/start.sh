#!/bin/sh
# Puts the configuration together, formats an empty volume, and becomes the node.
set -eu
umask 077
cat /etc/clinic/*.properties /run/secrets/users.properties > /tmp/server.properties
/opt/kafka/bin/kafka-storage.sh format --ignore-formatted --config /tmp/server.properties \
    --cluster-id="$(cat /run/secrets/cluster.id)"
exec /opt/kafka/bin/kafka-server-start.sh /tmp/server.properties
