#!/bin/sh
# Dumps one PostgreSQL database: pg-backup.sh DATABASE DIRECTORY
# To be run as: cronward -l pg-backup --lock --timeout 4h -- pg-backup.sh app /backup
# There is no pipeline, whose status would be that of the compressor, and a dump has its name only
# once it is whole, so neither a failure nor a timeout leaves half of one behind under that name.
set -eu
database=$1
directory=$2
keep_days=${KEEP_DAYS:-14}

umask 077
dump=$directory/$database-$(date +%Y-%m-%d).dump
# Without the day: what broke off is overwritten by the next one, and never more than one is left behind.
part=$directory/$database.dump.part
pg_dump --format=custom --file="$part" --dbname="$database"
mv -- "$part" "$dump"
# Old dumps go only after a new one has come: a backup that fails must not delete the last good one.
find "$directory" -name "$database-*.dump" -mtime +"$keep_days" -delete
