#!/bin/sh
# Land the files that a shipper has closed. Run it every minute (cron) as
# `land_closed_files.sh /srv/tokentrail/landing/events`.
# A file grows as dt=.../.<name>.jsonl, which the loader skips. A file that has not changed for over 5 minutes is closed
# (Vector closes a file after 30 s without events, tokentrail_emit.py after 60 s; the rest belongs to killed processes)
# and is renamed in its folder. The time in the new name keeps a file that is opened again under the same name from
# replacing the one that landed.
set -eu
find "$1" -type f -name '.*.jsonl' -size +0c -mmin +5 | while IFS= read -r growing; do
    name=$(basename "$growing" .jsonl)
    mv -n "$growing" "$(dirname "$growing")/${name#.}-$(date -u +%Y%m%dT%H%M%SZ).jsonl"
done
