"""The Debian package, by dpkg itself, in a mount namespace: it is installed, upgraded, removed, installed again and
purged. What is on record of jobs outlives everything but the last."""

import glob
import json
import os
import subprocess

from namespace import in_namespace
from report import equal

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
PLACES = "/etc", "/usr", "/var"

# $1 is the package, $2 a newer one. What `step` runs leaves its status and its words in a file called by the first word.
STEPS = r"""
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
mkdir "$directory/said"
step() {
    name=$1; shift
    status=0
    "$@" >"$directory/said/$name" 2>&1 </dev/null || status=$?
    echo "$status" >"$directory/said/$name.status"
}
# The size of a directory says nothing.
tree() { find /etc /usr /var/lib -path /var/lib/dpkg -prune -o -type d -printf '%p %m\n' -o -printf '%p %m %s\n' | sort; }
nobody() { env -u HOME setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
# A slim image has dpkg leave out manuals and what documents a package.
rm -f /etc/dpkg/dpkg.cfg.d/*
dpkg --purge cronward >/dev/null 2>&1 || true
rm -rf /var/lib/cronward /var/lib/cronward-users /usr/bin/cronward
echo '[defaults]' >/etc/cronward.toml
chmod 644 /etc/cronward.toml
step before tree

step install dpkg --install "$1"
step verify dpkg --verify cronward
step files dpkg --listfiles cronward
step places stat --format '%n %A %U' /var/lib/cronward /var/lib/cronward-users /usr/bin/cronward
step version /usr/bin/cronward --version
step bash bash -n /usr/share/bash-completion/completions/cronward
step job cronward -l packaged --sink none -- true
step homeless nobody cronward -l homeless --sink none -- true
install -d -o nobody -g nogroup -m 0700 /var/lib/cronward-users/65534
step adopted nobody cronward -l adopted --sink none -- true
step adopted_status nobody cronward status --json

# What an administrator has made of it stays.
chmod 0750 /var/lib/cronward
step upgrade dpkg --install "$2"
step places_upgraded stat --format '%n %A %U' /var/lib/cronward /var/lib/cronward-users
chmod 0700 /var/lib/cronward
step status_upgraded cronward status --json
step remove dpkg --remove cronward
step removed ls -d /usr/bin/cronward /var/lib/cronward /var/lib/cronward-users/65534
step again dpkg --install "$1"
step status_again cronward status --json
step purge dpkg --purge cronward
step after tree
"""


def package():
    """The package that INTEROP_DEB names, else the newest that packaging/deb has made."""
    made = sorted(glob.glob(f"{ROOT}/target/debian/cronward_*.deb"), key=os.path.getmtime)
    named = os.environ.get("INTEROP_DEB") or (made[-1] if made else None)
    if named is None:
        raise FileNotFoundError(f"no package in '{ROOT}/target/debian'; make it first: packaging/deb")
    return os.path.abspath(named)


def newer(here, path):
    """The same with a higher version."""
    tree = os.path.join(here, "newer")
    subprocess.run(["dpkg-deb", "--raw-extract", path, tree], check=True)
    control = os.path.join(tree, "DEBIAN/control")
    with open(control, encoding="utf-8") as file:
        text = file.read()
    with open(control, "w", encoding="utf-8") as file:
        file.write(text.replace("\nVersion: ", "\nVersion: 1:"))
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, f"{tree}.deb"], check=True, stdout=subprocess.DEVNULL)
    return f"{tree}.deb"


def run(world):
    check = world.report.check
    here = world.directory("package")
    path = package()
    status, words = in_namespace(f"{here}/host", PLACES, STEPS, path, newer(here, path), cwd="/")
    equal(status, 0, f"status of the steps ({words})")

    def said(name, expected=0):
        with open(f"{here}/host/said/{name}.status", encoding="ascii") as file:
            found = int(file.read())
        with open(f"{here}/host/said/{name}", encoding="utf-8") as file:
            text = file.read()
        equal(found, expected, f"status of '{name}': {text}")
        return text

    labels = lambda name: sorted(job["label"] for job in json.loads(said(name)))
    with check("the package is installed, with every file as it was packed, and its binary is this one"):
        said("install")
        equal(said("verify"), "", "differences")
        version = subprocess.run([world.binary, "--version"], capture_output=True, text=True).stdout
        equal(said("version"), version, "version")
        with open(world.binary, "rb") as ours, open(f"{here}/newer/usr/bin/cronward", "rb") as packed:
            assert ours.read() == packed.read(), "the binary in the package is not the one under test; make it again: packaging/deb"
    with check("manuals, completions for three shells, every example and the schema are where they are looked for"):
        files = set(said("files").split())
        examples = {f"/usr/share/doc/cronward/examples/{name}" for name in os.listdir(f"{ROOT}/examples")}
        wanted = examples | {
            "/usr/share/man/man1/cronward.1.gz",
            "/usr/share/man/man5/cronward-events.5.gz",
            "/usr/share/man/man5/cronward.toml.5.gz",
            "/usr/share/bash-completion/completions/cronward",
            "/usr/share/zsh/vendor-completions/_cronward",
            "/usr/share/fish/vendor_completions.d/cronward.fish",
            "/usr/share/doc/cronward/schema/cronward-event.v1.schema.json",
            "/usr/share/doc/cronward/changelog.Debian.gz",
            "/usr/share/doc/cronward/copyright",
        }
        equal(sorted(wanted - files), [], "files that are not there")
        assert not [path for path in files if path.startswith("/etc")], "it has a conffile"
        said("bash")
    with check("root's state is root's alone, and a user without a home has one where root has made a place"):
        equal(
            said("places").splitlines(),
            ["/var/lib/cronward drwx------ root", "/var/lib/cronward-users drwxr-xr-x root", "/usr/bin/cronward -rwxr-xr-x root"],
            "places",
        )
        said("job")
        assert "/var/lib/cronward-users/65534" in said("homeless"), "it says what to do"
        equal((said("adopted"), labels("adopted_status")), ("", ["adopted"]), "words and jobs")
    with check("an upgrade leaves state and its mode alone"):
        said("upgrade")
        equal(said("places_upgraded").splitlines()[0], "/var/lib/cronward drwxr-x--- root", "place")
        equal(labels("status_upgraded"), ["adopted", "packaged"], "jobs")
    with check("a package that is removed leaves what is on record of jobs, and the next one finds it"):
        said("remove")
        text = said("removed", 2)
        assert "'/usr/bin/cronward'" in text and text.count("\n") == 3, text
        equal(labels("status_again"), ["adopted", "packaged"], "jobs")
    with check("a package that is purged leaves nothing, and what an administrator has written"):
        said("purge")
        before, after = said("before").splitlines(), said("after").splitlines()
        assert any(line.startswith("/etc/cronward.toml ") for line in after), "the configuration is gone"
        equal(after, before, "files before and after")
