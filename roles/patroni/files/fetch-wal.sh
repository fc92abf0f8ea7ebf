#!/bin/sh
# Fetches one file of WAL from the archive: fetch-wal FILE COMMAND... TARGET, in the data directory.
# A standby that streams has all that was acknowledged. While it asks the archive for more it cannot take over, so it does
# not ask; the guard keeps the mark young while the standby streams. Of timelines the archive is asked for what is not here.
file=$1
shift
for target; do :; done
case $file in
    *.history)
        if [ -f "pg_wal/$file" ]; then
            exec cp "pg_wal/$file" "$target"
        fi
        ;;
    *)
        [ -z "$(find /run/enlevohub-database -name streams -newermt '60 seconds ago' 2> /dev/null)" ] || exit 1
        ;;
esac
exec "$@"
