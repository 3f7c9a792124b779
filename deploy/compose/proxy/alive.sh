#!/bin/bash
# Status 0 if an ingress can be reached.
exec 3<>/dev/tcp/127.0.0.1/8404 || exit 1
printf 'GET /alive HTTP/1.0\r\n\r\n' >&3
read -r -t 3 line <&3 && [[ $line == *' 200 '* ]]
