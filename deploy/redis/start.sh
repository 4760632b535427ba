#!/bin/sh
# Puts the secrets of the environment into the users' file, and becomes the server.
set -eu
users=${TMPDIR:-/tmp}/users.acl
umask 077
sed -e "s/GATEWAY_SECRET/$GATEWAY_SECRET/" -e "s/KEEPER_SECRET/$KEEPER_SECRET/" \
    -e "s/WORKER_SECRET/$WORKER_SECRET/" -e "s/MONITOR_SECRET/$MONITOR_SECRET/" \
    "$(dirname "$0")/users.acl" > "$users"
exec redis-server --aclfile "$users" "$@"
