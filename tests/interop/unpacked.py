"""Programs of Debian packages that are unpacked below the harness's directory, not installed: an installation would
start their servers, and leave them behind."""

import glob
import os
import subprocess

# Large, and of no use here.
LEFT_OUT = ("./usr/share/doc", "./usr/share/fonts", "./usr/share/javascript", "./usr/share/nodejs")


class Unpacked:
    """What the packages need and the system does not have, below one directory; for the rest, the system."""

    def __init__(self, root, packages, left_out=()):
        self.root = root
        archives = os.path.join(root, "archives")
        os.makedirs(os.path.join(archives, "partial"))
        words = ("-qq", "-y", "--no-install-recommends", "--download-only")
        options = ("-o", f"Dir::Cache::archives={archives}", "-o", "APT::Sandbox::User=root")
        command = ["apt-get", "install", *words, *options, *packages]
        if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
            # The lists of packages may be old, or not there.
            subprocess.run(["apt-get", "update", "-qq"], check=True)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for archive in glob.glob(f"{archives}/*.deb"):
            files = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE)
            tar = ["tar", "--extract", "--directory", root, *(f"--exclude={path}" for path in (*LEFT_OUT, *left_out))]
            subprocess.run(tar, stdin=files.stdout, check=True)
            files.stdout.close()
            if files.wait() != 0:
                raise OSError(f"cannot unpack '{archive}'")
            os.remove(archive)

    def path(self, path):
        """Where a file of a package is; may be a pattern."""
        found = glob.glob(self.root + path) + glob.glob(path)
        if not found:
            raise FileNotFoundError(f"'{path}' is in none of the packages")
        return found[0]

    @property
    def environment(self):
        """An environment in which its programs find their libraries and modules."""
        libraries = glob.glob(f"{self.root}/usr/lib/*-linux-*")
        modules = [f"{self.root}/usr/share/perl5", *glob.glob(f"{self.root}/usr/lib/*/perl5/*")]
        return {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C",
            "LD_LIBRARY_PATH": ":".join(libraries),
            "PERL5LIB": ":".join(modules),
        }
