//! Crontabs of the kind that people have. In a command a path is one of the scratch host's: `@` stands for
//! its root, where programs of all names are that say how they were called.

mod of_users;

pub use of_users::OF_USERS;

/// A crontab, and how many of its lines are to be wrapped.
pub struct Crontab {
    /// What it is.
    pub name: &'static str,
    /// Whether it has users.
    pub is_system: bool,
    /// How many of its lines run something.
    pub wrapped: usize,
    /// The bytes.
    pub text: &'static [u8],
}

/// One of a user.
const fn user(name: &'static str, wrapped: usize, text: &'static [u8]) -> Crontab {
    Crontab { name, is_system: false, wrapped, text }
}

const fn system(name: &'static str, wrapped: usize, text: &'static [u8]) -> Crontab {
    Crontab { name, is_system: true, wrapped, text }
}

/// Those of the system.
pub static OF_THE_SYSTEM: [Crontab; 10] = [
    system(
        "Debian's own",
        4,
        b"\
            # the host's jobs\n\
            SHELL=/bin/sh\n\
            PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin\n\
            \n\
            17 *\t* * *\troot\tcd / && run-parts --report @/etc/cron.hourly\n\
            25 6\t* * *\troot\ttest -x @/usr/sbin/anacron || { cd / && run-parts --report \
            @/etc/cron.daily; }\n\
            47 6\t* * 7\troot\ttest -x /none || { cd / && run-parts --report @/etc/cron.weekly; }\n\
            52 6\t1 * *\troot\ttest -x /none || ( cd / && run-parts --report @/etc/cron.monthly )\n\
            #\n",
    ),
    system(
        "php sessions",
        1,
        b"\
            09,39 *     * * *     root   [ -x @/usr/lib/php/sessionclean ] && if [ ! -d /none/systemd ]; \
            then @/usr/lib/php/sessionclean; fi\n",
    ),
    system(
        "sysstat",
        2,
        b"\
            PATH=/usr/lib/sysstat:/usr/sbin:/usr/bin:/sbin:/bin\n\
            \n\
            5-55/10 * * * * root command -v debian-sa1 > /dev/null && debian-sa1 1 1\n\
            59 23 * * * root command -v debian-sa1 > /dev/null && debian-sa1 60 2\n",
    ),
    system(
        "e2scrub",
        2,
        b"\
            30 3 * * 0 root test -e /none/system || SERVICE_MODE=1 @/usr/lib/e2fsprogs/e2scrub_all_cron\n\
            10 3 * * * root test -e /none/system || SERVICE_MODE=1 @/sbin/e2scrub_all -A -r\n",
    ),
    system(
        "certbot",
        1,
        b"\
            SHELL=/bin/sh\n\
            0 */12 * * * root test -x @/usr/bin/certbot -a \\! -d /none/system && perl -e 'sleep \
            int(rand(43200))' && certbot -q renew --no-random-sleep-on-renew\n",
    ),
    system(
        "mdadm",
        1,
        b"\
            57 0 * * 0 root if [ -x @/usr/share/mdadm/checkarray ] && [ $(date +\\%d) -le 31 ]; then \
            @/usr/share/mdadm/checkarray --cron --all --idle --quiet; fi\n",
    ),
    system(
        "anacron",
        1,
        b"\
            30 7-23 * * *   root\t[ -x @/usr/sbin/anacron ] && if [ ! -d /none ]; then invoke-rc.d \
            anacron start >/dev/null; fi\n",
    ),
    system(
        "popularity-contest",
        1,
        b"\
            SHELL=/bin/sh\n\
            PATH=/usr/local/sbin:/sbin:/bin\n\
            38 23 * * *   root    test -x @/etc/cron.daily/popularity-contest && \
            @/etc/cron.daily/popularity-contest --crond\n",
    ),
    system(
        "logrotate and munin",
        3,
        b"\
            MAILTO=root\n\
            \n\
            @reboot         root  if [ ! -d /none/run ]; then mkdir -p run-munin; fi\n\
            */5 * * * *     munin if [ -x @/usr/bin/munin-cron ]; then @/usr/bin/munin-cron; fi\n\
            0 0 * * *       root  @/usr/sbin/logrotate @/etc/logrotate.conf\n",
    ),
    system(
        "users of a fleet",
        4,
        b"\
            10 1 * * * postgres vacuumdb --all --analyze\n\
            20 1 * * * alice sync\n\
            20 1 * * * bob sync\n\
            @weekly  www-data php @/srv/app/clean.php --days=30\n",
    ),
];
