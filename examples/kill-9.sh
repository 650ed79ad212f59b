#!/bin/bash
# Sends a fleet to a service of its own, kills it with SIGKILL as soon as it has answered, starts it again, and counts.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
service=
trap '[ -z "$service" ] || kill -9 "$service"; rm -rf "$folder"' EXIT

start() {
  : > "$folder/log"
  node_modules/node/bin/node packages/server/src/bin.js serve --port 0 --store "$folder/fleet.db" >> "$folder/log" &
  service=$!
  disown
  until url=$(grep -om1 '"url":"[^"]*' "$folder/log"); do
    kill -0 "$service"
    sleep 0.1
  done
  url=${url#*:\"}
}

total() {
  curl -sS "$url/v1/workers?limit=1&${1:-}" | grep -o '"total":[0-9]*' | cut -d: -f2
}

start
seq 5000 | sed 's/.*/{"id":"ci-&","capabilities":{"cpuCores":8,"memoryMb":16384}}/' |
  curl -sS "$url/v1/workers/batch" -H 'content-type: application/x-ndjson' --data-binary @- > "$folder/answers"
kill -9 "$service"
echo "$(grep -c '"status":202' "$folder/answers") workers accepted, then kill -9"

start
known=$(total)
echo "$known workers known after the next start"
until registered=$(total phase=registered) && [ "$registered" = "$known" ]; do sleep 0.1; done
echo "$registered workers registered"
