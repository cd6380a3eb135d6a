#!/bin/sh
# Backs up directories with BorgBackup and thins out old archives: borg-backup.sh DIRECTORY...
# To be run as:
#   cronward -l borg --lock --timeout 6h --warn-codes 1,100-123 -- borg-backup.sh /etc /srv
# borg ends with 1 when the archive is there, but something is to be looked at: a file changed while it was read, or
# could not be read. Since 1.4 it says which by a code from 100, if it is asked to, and has codes from 3 to 99 for errors;
# before, 1 and 2 are all that there is. Its warnings may go up to 127, and none is that high: 126 and 127 are what a
# shell says of a borg that it cannot start, and that is no warning.
set -eu
export BORG_EXIT_CODES=modern
# A file that the user of the job alone can read, and that borg reads: no secret is in a process list.
export BORG_REPO="${BORG_REPO:-/srv/borg}"
export BORG_PASSCOMMAND="${BORG_PASSCOMMAND:-cat /etc/cronward/borg.passphrase}"

is_warning() { [ "$1" -eq 1 ] || { [ "$1" -ge 100 ] && [ "$1" -le 123 ]; }; }
warning=0
# Runs borg. A warning is kept for the end, an error ends the script.
run() {
    status=0
    borg "$@" || status=$?
    [ "$status" -ne 0 ] || return 0
    is_warning "$status" || exit "$status"
    [ "$warning" -ne 0 ] || warning=$status
}

# A directory that is not there would be a warning, and the archive one without it.
ls -d -- "$@" >/dev/null
run create --compression zstd '::{hostname}-{now}' "$@"
# Archives go only after a new one has come, and only those of this host.
run prune --glob-archives "$(hostname)-*" --keep-daily 7 --keep-weekly 5 --keep-monthly 12
run compact
exit "$warning"
