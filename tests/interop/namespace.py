"""A mount namespace in which what is written over directories of this host goes to memory: real programs set up a real
host, and nothing of it is there afterwards."""

import os
import subprocess

# $1 is a directory, $2 are the places.
OVERLAYS = """
mkdir -p "$1/memory" && mount -t tmpfs tmpfs "$1/memory"
for place in $2; do
    mkdir -p "$1/memory/upper$place" "$1/memory/work$place"
    mount -t overlay overlay -o "lowerdir=$place,upperdir=$1/memory/upper$place,workdir=$1/memory/work$place" "$place"
done
directory=$1
shift 2
"""


def in_namespace(directory, places, script, *words, **options):
    """Runs a script of the shell there: its words are "$@", its $directory outlives it. Returns status and output."""
    os.makedirs(directory, exist_ok=True)
    command = ["unshare", "--mount", "sh", "-euc", OVERLAYS + script, "sh", directory, " ".join(places), *words]
    ran = subprocess.run(command, capture_output=True, text=True, **options)
    return ran.returncode, (ran.stdout + ran.stderr).strip()
