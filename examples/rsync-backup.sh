#!/bin/sh
# A directory for each day, in which what has not changed is a hard link: rsync-backup.sh SOURCE DIRECTORY
# To be run as:
#   cronward -l rsync --lock --timeout 6h --ok-codes 24 --warn-codes 23 -- rsync-backup.sh /srv /backup/srv
# rsync ends with 24 when files vanished while they were copied, as they do on a live system, and with 23 when some could
# not be copied: look at what it said. All its other codes are failures: 30 is a timeout, 11 often a full disk.
set -eu
source=$1
directory=$2
day=$(date +%Y-%m-%d)

# A source that is not there would be a 23, and its copy an empty directory.
ls -d -- "$source/" >/dev/null
# The path of a link is from where the copy is; without a copy of before, everything is copied.
before=
[ ! -e "$directory/latest" ] || before=--link-dest=../latest
status=0
# What is there is a part of a copy until it is whole. One that broke off is gone on with.
rsync --archive --delete $before "$source/" "$directory/part/" || status=$?
case $status in 0 | 23 | 24) ;; *) exit "$status" ;; esac
rm -rf -- "${directory:?}/$day"
mv -- "$directory/part" "$directory/$day"
ln -sfn -- "$day" "$directory/latest"
exit "$status"
