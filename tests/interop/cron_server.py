"""Debian's cron in the foreground, in a mount namespace where it finds our tables, our mailer and nothing else."""

import email
import email.policy
import glob
import os

from process import Server

# Everything is overlaid or bound, so that the machine's own tables do not run, its mailer is not called, and its own
# cron, which holds a lock on /run/crond.pid, is not met. /usr/sbin is overlaid because /usr/sbin/sendmail, the path
# that cron has built in, may not exist and so cannot be bound over. Overlays need an upper layer that is no overlay
# itself (as / is in a container): hence the tmpfs. libfaketime keeps its shared clock in /dev/shm.
NAMESPACE = """
set -eu
mount -t tmpfs tmpfs "$ROOT/layer"
mkdir "$ROOT/layer/etc" "$ROOT/layer/etc.work" "$ROOT/layer/sbin" "$ROOT/layer/sbin.work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$ROOT/layer/etc,workdir=$ROOT/layer/etc.work" /etc
mount -t overlay overlay -o "lowerdir=/usr/sbin,upperdir=$ROOT/layer/sbin,workdir=$ROOT/layer/sbin.work" /usr/sbin
find /etc/cron.d -mindepth 1 -delete
install -m 644 "$ROOT/crontab" /etc/crontab
install -m 644 "$ROOT/cron.d/"* /etc/cron.d/
rm -f /usr/sbin/sendmail
install -m 755 "$ROOT/sendmail" /usr/sbin/sendmail
mount -t tmpfs tmpfs /var/spool/cron
mkdir -m 1730 /var/spool/cron/crontabs
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
exec env $CLOCK cron -f
"""

# One file a mail; it gets its last name when it is complete.
SENDMAIL = """#!/bin/sh
mail=$(mktemp '{mails}/XXXXXX') && cat >"$mail" && mv "$mail" "$mail.mail"
"""


class Cron(Server):
    """cron with one system crontab and two tables in /etc/cron.d. `minute` is the real length of its minute."""

    def __init__(self, directory, crontab, table, wrapped, real_clock):
        self.mails_directory = os.path.join(directory, "mails")
        for name in ("layer", "cron.d", "mails"):
            os.mkdir(os.path.join(directory, name))
        files = {
            "crontab": crontab,
            "cron.d/shell": table,
            "cron.d/wrapped": wrapped,
            "sendmail": SENDMAIL.format(mails=self.mails_directory),
        }
        for name, text in files.items():
            with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
                file.write(text)
        # cron executes a job with an environment that it makes itself, so a job sees the true clock.
        [library] = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
        clock = "" if real_clock else f"LD_PRELOAD={library} FAKETIME=+0x10"
        self.minute = 60 if real_clock else 6
        super().__init__(
            "cron",
            ["unshare", "--mount", "sh", "-c", NAMESPACE],
            directory,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "ROOT": directory, "CLOCK": clock},
        )

    def _read_mails(self):
        """Subject (it holds the crontab's line) and body, byte for byte, of every mail so far."""
        for path in glob.glob(os.path.join(self.mails_directory, "*.mail")):
            with open(path, "rb") as file:
                head, _, body = file.read().partition(b"\n\n")
            yield email.message_from_bytes(head, policy=email.policy.default)["Subject"], body

    def mails(self, subject_part):
        """The bodies of the mails about lines that contain these words."""
        return [body for subject, body in self._read_mails() if subject_part in subject]

    def subjects(self):
        """The subjects of all mails."""
        return sorted(subject for subject, _ in self._read_mails())
