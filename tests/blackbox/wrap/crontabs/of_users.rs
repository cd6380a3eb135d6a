//! What people have in theirs.

use super::{Crontab, user};

/// Those of users.
pub static OF_USERS: [Crontab; 30] = [
    user(
        "Laravel",
        2,
        b"\
            * * * * * cd @/srv/app && php artisan schedule:run >> /dev/null 2>&1\n\
            */10 * * * * cd @/srv/app && php artisan queue:restart >> /dev/null 2>&1\n",
    ),
    user(
        "WordPress",
        2,
        b"\
            */15 * * * * curl -fsS 'https://example.org/wp-cron.php?doing_wp_cron&x=1' >/dev/null\n\
            */5 * * * * cd @/srv/www; @/usr/bin/php wp-cron.php > /dev/null 2>&1\n",
    ),
    user(
        "Nextcloud",
        2,
        b"\
            */5 * * * * php -f @/var/www/nextcloud/cron.php\n\
            0 4 * * * php --define apc.enable_cli=1 @/var/www/nextcloud/occ files:scan --all\n",
    ),
    user(
        "GitLab",
        2,
        b"\
            0 2 * * * @/opt/gitlab/bin/gitlab-rake gitlab:backup:create CRON=1\n\
            15 2 * * 2-6 umask 0077; tar cfz secret-$(date \"+\\%F\").tgz -C / etc/gitlab\n",
    ),
    user(
        "backups",
        4,
        b"\
            30 2 * * * pg_dump app | gzip -c > app.sql.gz\n\
            0 3 * * 1-5 rsync -a --delete @/srv/data/ backup:/data/ >> rsync.log 2>&1\n\
            0 4 * * 6 tar czf \"@/srv/home-$(date +\\%Y\\%m\\%d).tgz\" @/home\n\
            @monthly restic forget --prune --keep-last 3 && echo done\n",
    ),
    user(
        "mail",
        3,
        b"\
            MAILTO=\"ops@example.org\"\n\
            0 7 * * 1 report --weekly\n\
            MAILTO=\"\"\n\
            0 8 * * 1 report --silent 2>/dev/null\n\
            MAILTO=a@example.org,b@example.org\n\
            0 9 1 * * report --monthly | mail -s 'all is well' root\n",
    ),
    user(
        "ranges and steps",
        5,
        b"\
            */5 8-18 * * 1-5 tick a\n\
            1-59/2 * * * * tick b\n\
            0,15,30,45 * * * * tick c\n\
            0 22-23,0-3 * * * tick d\n\
            \x20 0\t0  1,15 * *  tick e\n",
    ),
    user(
        "names",
        3,
        b"\
            0 3 * jan-mar,DEC mon-fri heat on\n\
            0 3 * * Sun @/opt/sunday.sh\n\
            0 3 31 oct,dec * ghost\n",
    ),
    user(
        "words",
        8,
        b"\
            @reboot @/opt/warm-up.sh\n\
            @yearly a\n\
            @annually b\n\
            @monthly c\n\
            @weekly d\n\
            @daily e\n\
            @midnight f\n\
            @hourly g\n",
    ),
    user(
        "percent signs",
        6,
        b"\
            0 22 * * 1-5 mail -s \"It's 10pm\" joe%Joe,%%Where are your kids?%\n\
            @daily cat%one%two \\% three%\n\
            @daily date +\\%F\n\
            @daily record 'a\\%b' \"c\\%d\" e\\%f\n\
            @daily read -r x; record \"$x\"%first line%second\n\
            @daily record a\\\\b 'c\\\\d'\n",
    ),
    user(
        "quotes",
        6,
        b"\
            @daily record 'it'\\''s' \"a \\\"b\\\" c\" d\\ e\n\
            @daily record \"$HOME\" ~ '$HOME' \"`echo x`\"\n\
            @daily sh -c 'record \"$0\" \"$1\"' a 'b c'\n\
            @daily sh -c \"record 'one two'; record three\" && record '#'\n\
            @daily record a#b '#c' \\#d\n\
            @daily record '' \"\" \\\\\\\\\n",
    ),
    user(
        "pipes and lists",
        7,
        b"\
            @daily record a | record b | record c\n\
            @daily record a && record b || record c\n\
            @daily fail && record b || record c\n\
            @daily record a; record b; fail\n\
            @daily (record a; cd /; record b) | cat\n\
            @daily { record a; fail; }\n\
            @daily ! record a\n",
    ),
    user(
        "comments behind commands",
        5,
        b"\
            @daily record a # it's a note\n\
            @daily record a | record b # 100% \n\
            @daily record a #\n\
            @daily record a;# note\n\
            @daily cd / && record x   # don't\n",
    ),
    user(
        "blanks",
        3,
        b"\
            \t @daily\trecord   a   \n\
            \n\
            \x20\t \n\
            *\t*\t*\t*\t*\t\trecord\ta\tb\t\n\
            \x20 # indented\n\
            0 0 * * *    cd /  &&  record  x  \n",
    ),
    user(
        "assignments",
        5,
        b"\
            A=from crontab\n\
            QUOTED=\"with blanks \"\n\
            @daily record \"$A\" \"$QUOTED\"\n\
            @daily A=b record x\n\
            @daily A=b B=\"c d\" env\n\
            @daily export A=z; record \"$A\"\n\
            @daily A=1; record $A$A\n",
    ),
    user(
        "bash",
        6,
        b"\
            SHELL=/bin/bash\n\
            @daily record {a,b} x{1..3}\n\
            @daily [[ abc == a* ]] && record \"${A:-none}\"\n\
            @daily record <(echo x) >/dev/null\n\
            @daily record a |& cat\n\
            @daily set -o pipefail; fail | cat\n\
            @daily source @/etc/job.env && record \"$JOB\"\n",
    ),
    user(
        "from sh to bash and back",
        3,
        b"\
            @daily record \"$0\" x; record \"$0\"\n\
            SHELL=/bin/bash\n\
            @daily record \"${BASH_VERSION:+bash}\"\n\
            SHELL=/bin/sh\n\
            @daily record \"${BASH_VERSION:-none}\" | cat\n",
    ),
    user(
        "not all of it is text",
        2,
        b"\
            # caf\xe9\n\
            NAME=caf\xe9\n\
            @daily record caf\xe9 \xff \"$NAME\"\n\
            @daily record \xc3\xa9t\xc3\xa9 | record 'na\xefve'%\xe9\xff\n",
    ),
    user(
        "prefixes",
        6,
        b"\
            @daily nice -n 10 @/opt/backup.sh\n\
            @daily flock -n my.lock record locked\n\
            @daily flock -n my.lock -c 'record locked; fail'\n\
            @daily timeout 60 record a\n\
            @daily env -i PATH=\"$PATH\" RECORDS=\"$RECORDS\" record clean\n\
            @daily nice flock -n my.lock timeout -k 1 60 record all\n",
    ),
    user(
        "elsewhere",
        4,
        b"\
            @daily sudo -u postgres vacuumdb --all\n\
            @daily docker exec -u 33 cloud php occ x\n\
            @daily docker run --rm -v /a:/b image:tag dump --all\n\
            @daily su - git -c 'gitea dump'\n",
    ),
    user(
        "interpreters",
        6,
        b"\
            @daily python3 -u @/opt/etl/load.py --full\n\
            @daily python3 -m app.report\n\
            @daily perl -e 'print 1'\n\
            @daily ruby @/opt/clean.rb\n\
            @daily node @/opt/app/index.js\n\
            @daily sh @/opt/rotate.sh 7\n",
    ),
    user(
        "redirections",
        8,
        b"\
            @daily record a > out.log\n\
            @daily record a >> out.log\n\
            @daily record b >>out.log 2>&1\n\
            @daily record < in.txt\n\
            @daily > out2.log record c\n\
            @daily record d 2>err.log 1>out3.log\n\
            @daily record e >&2\n\
            @daily record 2>/dev/null <in.txt >>out4.log\n",
    ),
    user(
        "builtins",
        8,
        b"\
            @daily echo 'a\\tb'\n\
            @daily printf '\\%s\\n' a b\n\
            @daily cd / && pwd\n\
            @daily umask 027; umask\n\
            @daily exec record x\n\
            @daily . @/etc/job.env; record \"$JOB\"\n\
            @daily [ -e in.txt ] && record yes\n\
            @daily eval 'record x'\n",
    ),
    user(
        "how it ends",
        6,
        b"\
            @daily fail\n\
            @daily fail | cat\n\
            @daily exit 7\n\
            @daily no-such-program\n\
            @daily kill -TERM $$\n\
            @daily true\n",
    ),
    user(
        "in the background",
        2,
        b"\
            @daily record a & wait\n\
            @daily (record a & wait) ; record b >/dev/null & wait\n",
    ),
    user(
        "one program for many things",
        5,
        b"\
            0 1 * * * dump app\n\
            0 2 * * * dump shop\n\
            0 3 * * * dump app\n\
            0 4 * * * dump\n\
            0 5 * * * dump app --full\n",
    ),
    user(
        "wrapped in part",
        3,
        b"\
            0 1 * * * cronward -l record -- record a\n\
            0 2 * * * record b\n\
            0 3 * * * cronward check >/dev/null\n\
            0 4 * * * flock -n x.lock cronward -l locked -- record c\n\
            0 5 * * * record d | cat\n\
            0 6 * * * record d\n",
    ),
    user(
        "substitutions",
        4,
        b"\
            @daily record $(echo a b) `echo c`\n\
            @daily record \"$(printf '\\%s' \"it's (nested) $(echo deep)\")\"\n\
            @daily record $((1 + 2)) ${HOME##*/} | cat\n\
            @daily sleep $((2 - 2)); record *.txt\n",
    ),
    user(
        "a loop and a case",
        3,
        b"\
            @daily for f in a b; do record \"$f\"; done\n\
            @daily case $HOME in /*) record abs ;; *) record rel ;; esac\n\
            @daily i=0; while [ $i -lt 2 ]; do record $i; i=$((i+1)); done\n",
    ),
    user(
        "a script that says no interpreter",
        2,
        b"\
            SHELL=/bin/bash\n\
            @daily @/opt/bare x y\n\
            SHELL=/bin/sh\n\
            @daily @/opt/bare x y\n",
    ),
];
