//! Crontabs of the kind that people have. In a command a path is one of the scratch host's: `@` stands for
//! its root, where programs of all names are that say how they were called.

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

const fn user(name: &'static str, wrapped: usize, text: &'static [u8]) -> Crontab {
    Crontab { name, is_system: false, wrapped, text }
}

const fn system(name: &'static str, wrapped: usize, text: &'static [u8]) -> Crontab {
    Crontab { name, is_system: true, wrapped, text }
}

pub static CRONTABS: [Crontab; 40] = [
    system("Debian's own", 4, b"# the host's jobs\nSHELL=/bin/sh\nPATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin\n\n17 *\t* * *\troot\tcd / && run-parts --report @/etc/cron.hourly\n25 6\t* * *\troot\ttest -x @/usr/sbin/anacron || { cd / && run-parts --report @/etc/cron.daily; }\n47 6\t* * 7\troot\ttest -x /none || { cd / && run-parts --report @/etc/cron.weekly; }\n52 6\t1 * *\troot\ttest -x /none || ( cd / && run-parts --report @/etc/cron.monthly )\n#\n"),
    system("php sessions", 1, b"09,39 *     * * *     root   [ -x @/usr/lib/php/sessionclean ] && if [ ! -d /none/systemd ]; then @/usr/lib/php/sessionclean; fi\n"),
    system("sysstat", 2, b"PATH=/usr/lib/sysstat:/usr/sbin:/usr/bin:/sbin:/bin\n\n5-55/10 * * * * root command -v debian-sa1 > /dev/null && debian-sa1 1 1\n59 23 * * * root command -v debian-sa1 > /dev/null && debian-sa1 60 2\n"),
    system("e2scrub", 2, b"30 3 * * 0 root test -e /none/system || SERVICE_MODE=1 @/usr/lib/e2fsprogs/e2scrub_all_cron\n10 3 * * * root test -e /none/system || SERVICE_MODE=1 @/sbin/e2scrub_all -A -r\n"),
    system("certbot", 1, b"SHELL=/bin/sh\n0 */12 * * * root test -x @/usr/bin/certbot -a \\! -d /none/system && perl -e 'sleep int(rand(43200))' && certbot -q renew --no-random-sleep-on-renew\n"),
    system("mdadm", 1, b"57 0 * * 0 root if [ -x @/usr/share/mdadm/checkarray ] && [ $(date +\\%d) -le 31 ]; then @/usr/share/mdadm/checkarray --cron --all --idle --quiet; fi\n"),
    system("anacron", 1, b"30 7-23 * * *   root\t[ -x @/usr/sbin/anacron ] && if [ ! -d /none ]; then invoke-rc.d anacron start >/dev/null; fi\n"),
    system("popularity-contest", 1, b"SHELL=/bin/sh\nPATH=/usr/local/sbin:/sbin:/bin\n38 23 * * *   root    test -x @/etc/cron.daily/popularity-contest && @/etc/cron.daily/popularity-contest --crond\n"),
    system("logrotate and munin", 3, b"MAILTO=root\n\n@reboot         root  if [ ! -d /none/run ]; then mkdir -p run-munin; fi\n*/5 * * * *     munin if [ -x @/usr/bin/munin-cron ]; then @/usr/bin/munin-cron; fi\n0 0 * * *       root  @/usr/sbin/logrotate @/etc/logrotate.conf\n"),
    system("users of a fleet", 4, b"10 1 * * * postgres vacuumdb --all --analyze\n20 1 * * * alice sync\n20 1 * * * bob sync\n@weekly  www-data php @/srv/app/clean.php --days=30\n"),
    user("Laravel", 2, b"* * * * * cd @/srv/app && php artisan schedule:run >> /dev/null 2>&1\n*/10 * * * * cd @/srv/app && php artisan queue:restart >> /dev/null 2>&1\n"),
    user("WordPress", 2, b"*/15 * * * * curl -fsS 'https://example.org/wp-cron.php?doing_wp_cron&x=1' >/dev/null\n*/5 * * * * cd @/srv/www; @/usr/bin/php wp-cron.php > /dev/null 2>&1\n"),
    user("Nextcloud", 2, b"*/5 * * * * php -f @/var/www/nextcloud/cron.php\n0 4 * * * php --define apc.enable_cli=1 @/var/www/nextcloud/occ files:scan --all\n"),
    user("GitLab", 2, b"0 2 * * * @/opt/gitlab/bin/gitlab-rake gitlab:backup:create CRON=1\n15 2 * * 2-6 umask 0077; tar cfz secret-$(date \"+\\%F\").tgz -C / etc/gitlab\n"),
    user("backups", 4, b"30 2 * * * pg_dump app | gzip -c > app.sql.gz\n0 3 * * 1-5 rsync -a --delete @/srv/data/ backup:/data/ >> rsync.log 2>&1\n0 4 * * 6 tar czf \"@/srv/home-$(date +\\%Y\\%m\\%d).tgz\" @/home\n@monthly restic forget --prune --keep-last 3 && echo done\n"),
    user("mail", 3, b"MAILTO=\"ops@example.org\"\n0 7 * * 1 report --weekly\nMAILTO=\"\"\n0 8 * * 1 report --silent 2>/dev/null\nMAILTO=a@example.org,b@example.org\n0 9 1 * * report --monthly | mail -s 'all is well' root\n"),
    user("ranges and steps", 5, b"*/5 8-18 * * 1-5 tick a\n1-59/2 * * * * tick b\n0,15,30,45 * * * * tick c\n0 22-23,0-3 * * * tick d\n  0\t0  1,15 * *  tick e\n"),
    user("names", 3, b"0 3 * jan-mar,DEC mon-fri heat on\n0 3 * * Sun @/opt/sunday.sh\n0 3 31 oct,dec * ghost\n"),
    user("words", 8, b"@reboot @/opt/warm-up.sh\n@yearly a\n@annually b\n@monthly c\n@weekly d\n@daily e\n@midnight f\n@hourly g\n"),
    user("percent signs", 6, b"0 22 * * 1-5 mail -s \"It's 10pm\" joe%Joe,%%Where are your kids?%\n@daily cat%one%two \\% three%\n@daily date +\\%F\n@daily record 'a\\%b' \"c\\%d\" e\\%f\n@daily read -r x; record \"$x\"%first line%second\n@daily record a\\\\b 'c\\\\d'\n"),
    user("quotes", 6, b"@daily record 'it'\\''s' \"a \\\"b\\\" c\" d\\ e\n@daily record \"$HOME\" ~ '$HOME' \"`echo x`\"\n@daily sh -c 'record \"$0\" \"$1\"' a 'b c'\n@daily sh -c \"record 'one two'; record three\" && record '#'\n@daily record a#b '#c' \\#d\n@daily record '' \"\" \\\\\\\\\n"),
    user("pipes and lists", 7, b"@daily record a | record b | record c\n@daily record a && record b || record c\n@daily fail && record b || record c\n@daily record a; record b; fail\n@daily (record a; cd /; record b) | cat\n@daily { record a; fail; }\n@daily ! record a\n"),
    user("comments behind commands", 5, b"@daily record a # it's a note\n@daily record a | record b # 100% \n@daily record a #\n@daily record a;# note\n@daily cd / && record x   # don't\n"),
    user("blanks", 3, b"\t @daily\trecord   a   \n\n \t \n*\t*\t*\t*\t*\t\trecord\ta\tb\t\n  # indented\n0 0 * * *    cd /  &&  record  x  \n"),
    user("assignments", 5, b"A=from crontab\nQUOTED=\"with blanks \"\n@daily record \"$A\" \"$QUOTED\"\n@daily A=b record x\n@daily A=b B=\"c d\" env\n@daily export A=z; record \"$A\"\n@daily A=1; record $A$A\n"),
    user("bash", 6, b"SHELL=/bin/bash\n@daily record {a,b} x{1..3}\n@daily [[ abc == a* ]] && record \"${A:-none}\"\n@daily record <(echo x) >/dev/null\n@daily record a |& cat\n@daily set -o pipefail; fail | cat\n@daily source @/etc/job.env && record \"$JOB\"\n"),
    user("from sh to bash and back", 3, b"@daily record \"$0\" x; record \"$0\"\nSHELL=/bin/bash\n@daily record \"${BASH_VERSION:+bash}\"\nSHELL=/bin/sh\n@daily record \"${BASH_VERSION:-none}\" | cat\n"),
    user("not all of it is text", 2, b"# caf\xe9\nNAME=caf\xe9\n@daily record caf\xe9 \xff \"$NAME\"\n@daily record \xc3\xa9t\xc3\xa9 | record 'na\xefve'%\xe9\xff\n"),
    user("prefixes", 6, b"@daily nice -n 10 @/opt/backup.sh\n@daily flock -n my.lock record locked\n@daily flock -n my.lock -c 'record locked; fail'\n@daily timeout 60 record a\n@daily env -i PATH=\"$PATH\" RECORDS=\"$RECORDS\" record clean\n@daily nice flock -n my.lock timeout -k 1 60 record all\n"),
    user("elsewhere", 4, b"@daily sudo -u postgres vacuumdb --all\n@daily docker exec -u 33 cloud php occ x\n@daily docker run --rm -v /a:/b image:tag dump --all\n@daily su - git -c 'gitea dump'\n"),
    user("interpreters", 6, b"@daily python3 -u @/opt/etl/load.py --full\n@daily python3 -m app.report\n@daily perl -e 'print 1'\n@daily ruby @/opt/clean.rb\n@daily node @/opt/app/index.js\n@daily sh @/opt/rotate.sh 7\n"),
    user("redirections", 8, b"@daily record a > out.log\n@daily record a >> out.log\n@daily record b >>out.log 2>&1\n@daily record < in.txt\n@daily > out2.log record c\n@daily record d 2>err.log 1>out3.log\n@daily record e >&2\n@daily record 2>/dev/null <in.txt >>out4.log\n"),
    user("builtins", 8, b"@daily echo 'a\\tb'\n@daily printf '\\%s\\n' a b\n@daily cd / && pwd\n@daily umask 027; umask\n@daily exec record x\n@daily . @/etc/job.env; record \"$JOB\"\n@daily [ -e in.txt ] && record yes\n@daily eval 'record x'\n"),
    user("how it ends", 6, b"@daily fail\n@daily fail | cat\n@daily exit 7\n@daily no-such-program\n@daily kill -TERM $$\n@daily true\n"),
    user("in the background", 2, b"@daily record a & wait\n@daily (record a & wait) ; record b >/dev/null & wait\n"),
    user("one program for many things", 5, b"0 1 * * * dump app\n0 2 * * * dump shop\n0 3 * * * dump app\n0 4 * * * dump\n0 5 * * * dump app --full\n"),
    user("wrapped in part", 3, b"0 1 * * * cronward -l record -- record a\n0 2 * * * record b\n0 3 * * * cronward check >/dev/null\n0 4 * * * flock -n x.lock cronward -l locked -- record c\n0 5 * * * record d | cat\n0 6 * * * record d\n"),
    user("substitutions", 4, b"@daily record $(echo a b) `echo c`\n@daily record \"$(printf '\\%s' \"it's (nested) $(echo deep)\")\"\n@daily record $((1 + 2)) ${HOME##*/} | cat\n@daily sleep $((2 - 2)); record *.txt\n"),
    user("a loop and a case", 3, b"@daily for f in a b; do record \"$f\"; done\n@daily case $HOME in /*) record abs ;; *) record rel ;; esac\n@daily i=0; while [ $i -lt 2 ]; do record $i; i=$((i+1)); done\n"),
    user("a script that says no interpreter", 2, b"SHELL=/bin/bash\n@daily @/opt/bare x y\nSHELL=/bin/sh\n@daily @/opt/bare x y\n"),
];
