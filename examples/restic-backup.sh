#!/bin/sh
# Backs up directories with restic and thins out old snapshots: restic-backup.sh DIRECTORY...
# To be run as:
#   cronward -l restic --lock --timeout 6h --warn-codes 3 -- restic-backup.sh /etc /srv
# restic ends with 3 when there is a snapshot, but some files could not be read: a warning, which is counted and shown,
# and opens no alert. All its other codes are failures: 1 is no snapshot; since 0.17 10 is no repository, 11 one
# that is locked, 12 a wrong password.
set -eu
# Files that the user of the job alone can read; neither secret is in a process list.
export RESTIC_REPOSITORY_FILE="${RESTIC_REPOSITORY_FILE:-/etc/cronward/restic.repository}"
export RESTIC_PASSWORD_FILE="${RESTIC_PASSWORD_FILE:-/etc/cronward/restic.password}"

status=0
restic backup --quiet "$@" || status=$?
# Old snapshots go only after a new one has come.
case $status in 0 | 3) ;; *) exit "$status" ;; esac
# restic has a 3 for snapshots that it could not remove, too, and that is no warning about files.
restic forget --quiet --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --prune || exit 1
exit "$status"
