#!/usr/bin/env bash
# Starts a postroom, runs a client's script against it, and ends it:
#
#   serve.sh POSTROOM FOLDER COMMAND…
#
# FOLDER holds postroom.toml. The script finds the server in POSTROOM_URL: made here of the port that the server was
# given, unless it is set (in a network namespace the server has a name and port 443). A script that takes longer than a
# quarter of an hour is ended. The exit code is the script's; when it is not 0, the server's last words follow.
set -euo pipefail

postroom=$1 folder=$2
shift 2
log=$folder/serve.log

"$postroom" -c "$folder/postroom.toml" serve >"$log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" || true' EXIT

address=
for _ in $(seq 600); do
  address=$(sed -nE 's|.*pages and API on https?://([^ ]+).*|\1|p' "$log")
  [ -z "$address" ] || break
  kill -0 "$server" 2>/dev/null || { cat "$log" >&2; exit 1; }
  sleep 0.1
done
[ -n "$address" ] || { echo 'the server does not say where it listens:' >&2; cat "$log" >&2; exit 1; }
export POSTROOM_URL=${POSTROOM_URL:-https://localhost:${address##*:}}

status=0
timeout --kill-after=10 900 "$@" || status=$?
[ "$status" -eq 0 ] || { echo '== the server said:' >&2; tail -n 40 "$log" >&2; }
exit "$status"
