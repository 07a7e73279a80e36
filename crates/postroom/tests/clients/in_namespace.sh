#!/usr/bin/env bash
# Runs a command where there is no network but a loopback of its own, and where HOSTS is /etc/hosts:
#
#   in_namespace.sh HOSTS COMMAND…
#
# There a server may have port 443 and be called login.microsoftonline.com, as clients have it built in. It needs no
# root: a user namespace gives the rights over the network and the mounts that it makes. Where the system forbids user
# namespaces (in some containers, or by kernel.apparmor_restrict_unprivileged_userns), root does without one.
set -euo pipefail

hosts=$(realpath -- "$1")
shift

if unshare --user --map-root-user --net --mount true 2>/dev/null; then
  flags=(--user --map-root-user)
elif unshare --net --mount true 2>/dev/null; then
  flags=()
else
  echo 'This test needs a network namespace, and may make none here. Allow user namespaces' \
    '(sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0), or run it as root.' >&2
  exit 1
fi

# shellcheck disable=SC2016
exec unshare "${flags[@]}" --net --mount -- bash -c '
  ip link set lo up && mount --bind "$0" /etc/hosts || exit 1
  # Clients that trust only the certificates they bring along.
  [ -z "${POSTROOM_BUNDLE:-}" ] || mount --bind "$POSTROOM_CA" "$POSTROOM_BUNDLE" || exit 1
  exec "$@"
' "$hosts" "$@"
