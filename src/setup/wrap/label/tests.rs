use proptest::prelude::*;

use super::*;

#[test]
fn a_job_is_called_by_the_program_that_does_the_work() {
    for (line, base) in [
        ("/usr/local/bin/backup.sh --all", "backup"),
        ("/usr/bin/python3 /opt/x/sync.py", "sync"),
        ("python3 -u -W ignore /opt/x/sync.py", "sync"),
        ("/srv/venv/bin/python3.11 -m app.report daily", "app.report"),
        ("nice -n 10 backup.sh", "backup"),
        ("ionice -c2 -n7 nice -n19 /opt/backup.sh", "backup"),
        ("cd /srv/app && ./artisan schedule:run", "artisan"),
        ("cd /srv/app && php artisan schedule:run >>/dev/null 2>&1", "artisan"),
        ("flock -n /tmp/l /opt/job-a", "job-a"),
        ("flock -n /tmp/l -c 'restic backup /home'", "restic"),
        ("timeout -k 5 1h rsync -a /a /b", "rsync"),
        ("env A=b nightly", "nightly"),
        ("A=b C=d nightly", "nightly"),
        ("sudo -u postgres /usr/bin/vacuumdb --all", "vacuumdb"),
        ("sudo -u www-data -- php -f /var/www/nextcloud/cron.php", "nextcloud-cron"),
        ("su - git -c '/opt/gitea dump'", "gitea"),
        ("su git -s /bin/sh -c 'cd /x; gitea dump'", "gitea"),
        ("runuser -u app -- /srv/app/bin/tick", "tick"),
        ("/bin/sh -c 'pg_dump app | gzip >x'", "pg_dump"),
        ("bash -lc \"source x; ./deploy.sh\"", "deploy"),
        ("bash /opt/rotate.sh", "rotate"),
        ("bash -x /opt/rotate.sh", "rotate"),
        ("docker exec -u 33 nextcloud php -f /var/www/html/cron.php", "html-cron"),
        ("docker exec db pg_dumpall", "pg_dumpall"),
        ("docker run --rm -v /a:/b restic/restic:0.16", "restic"),
        ("docker run --rm -v /a:/b restic/restic:0.16 backup /b", "backup"),
        ("docker compose -f /srv/c.yml exec -T web ./manage clearsessions", "manage"),
        ("docker system prune -f", "docker"),
        ("test -x /usr/sbin/anacron || run-parts --report /etc/cron.daily", "cron.daily"),
        ("cd / && run-parts --report /etc/cron.hourly", "cron.hourly"),
        ("command -v debian-sa1 > /dev/null && debian-sa1 1 1", "debian-sa1"),
        (
            "test -x /usr/bin/certbot -a \\! -d /run/systemd/system && perl -e 'sleep int(rand(43200))' && certbot -q renew",
            "certbot",
        ),
        (
            "[ -x /usr/lib/php/sessionclean ] && if [ ! -d /run/systemd/system ]; then /usr/lib/php/sessionclean; fi",
            "sessionclean",
        ),
        (
            "test -e /run/systemd/system || SERVICE_MODE=1 /usr/lib/e2fsprogs/e2scrub_all_cron",
            "e2scrub_all_cron",
        ),
        ("perl -e 'print 1'", "perl"),
        ("perl -I /lib /opt/x.pl", "x"),
        ("php -d memory_limit=1G /srv/shop/bin/console cache:clear", "shop-console"),
        ("php -d memory_limit=1G /srv/shop/console cache:clear", "shop-console"),
        ("/srv/app/manage.py clearsessions", "app-manage"),
        ("java -Xmx1g -jar /opt/etl-1.2.jar --full", "etl-1.2"),
        ("bundle exec rake db:clean", "rake"),
        ("echo start; /opt/work; echo end", "work"),
        ("echo hello", "echo"),
        ("cat /a | mail -s report root", "mail"),
        ("sleep $((RANDOM % 60)); certbot renew", "certbot"),
        ("$HOME/bin/sync a", "sync"),
        ("~/bin/sync.sh a", "sync"),
        ("\"$CMD\" a", "job"),
        ("cd /srv", "job"),
        ("'/opt/my job.sh'", "my-job"),
        ("/opt/sauvegarde-été.sh", "sauvegarde-t"),
        ("/opt/a%b", "a-b"),
        ("/opt/--", "job"),
        ("run-parts $DIR", "job"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbb", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ] {
        assert_eq!(of_line(line.as_bytes()).base, base, "{line}");
    }
}

#[test]
fn what_tells_jobs_apart_is_an_argument_first() {
    for (line, marks) in [
        ("backup.sh --all /srv/db", &["all", "db"][..]),
        ("/opt/blue/backup.sh", &["blue"]),
        ("php artisan queue:work", &["queue-work", "php"]),
        ("cd /srv/app && ./tick", &["cd", "app"]),
        ("docker exec db dump", &["db", "docker", "exec"]),
    ] {
        assert_eq!(of_line(line.as_bytes()).marks, marks, "{line}");
    }
}

proptest! {
    #[test]
    fn any_bytes_have_a_name_that_needs_no_quotes(
        line in prop_oneof![
            proptest::collection::vec(1..=255_u8, 0..80),
            proptest::collection::vec(prop_oneof![
                Just("sh "), Just("-c "), Just("'"), Just("docker "), Just("exec "), Just("sudo "), Just("-u "), Just("a "),
                Just("python3 "), Just("-m "), Just("/"), Just(".sh "), Just("run-parts "), Just("bundle "), Just("&& "), Just("$x "),
                Just("su "), Just("flock "), Just("--long-and-dull-option=value "), Just("-- "), Just("npx "),
            ], 0..20).prop_map(|words| words.concat().into_bytes()),
        ],
    ) {
        let name = of_line(&line);
        for (text, most) in std::iter::once((&name.base, BASE_MAX)).chain(name.marks.iter().map(|mark| (mark, MARK_MAX))) {
            prop_assert!(!text.is_empty() && text.len() <= most && !text.starts_with('-'), "{text}");
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{text}");
        }
    }
}
