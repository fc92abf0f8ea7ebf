#!/bin/sh
# Fetches one file of WAL from the archive: fetch-wal FILE COMMAND...
# A standby that streams has all that was acknowledged. While it asks the archive for more it cannot take over, so it does
# not ask; the guard keeps the mark young while the standby streams. The history of timelines is always asked for.
file=$1
shift
case $file in
    *.history) ;;
    *) [ -z "$(find /run/enlevohub-database -name streams -newermt '60 seconds ago' 2> /dev/null)" ] || exit 1 ;;
esac
exec "$@"
