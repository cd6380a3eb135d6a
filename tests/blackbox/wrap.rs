//! `cronward wrap`: what it prints, what it says, and how it ends. That a wrapped line does what it did
//! before is in `meaning`.

mod crontabs;
mod meaning;

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use crate::support::{End, Host, Ran, cronward_binary};

/// `cronward wrap` with these words, and this on stdin.
pub fn wrap(host: &Host, words: &[&str], stdin: &[u8]) -> Ran {
    let path = host.path("stdin");
    fs::write(&path, stdin).unwrap();
    host.cronward([&["wrap"], words].concat()).stdin(fs::File::open(path).unwrap()).run()
}

/// A directory on the host in which cron would find cronward, as a PATH.
pub fn search_path(host: &Host) -> String {
    let bin = host.path("bin");
    if !bin.exists() {
        fs::create_dir(&bin).unwrap();
        symlink(cronward_binary(), bin.join("cronward")).unwrap();
    }
    format!("{}:/usr/bin:/bin", bin.display())
}

#[test]
fn a_crontab_goes_through_from_stdin_or_a_file_with_its_commands_wrapped() {
    let host = Host::new();
    let path = search_path(&host);
    let text =
        format!("PATH={path}\n# nightly\n0 2 * * *  /opt/backup.sh --all\n@daily\tsync | mail root%x\n");
    let expected = format!(
        "PATH={path}\n# nightly\n\
         0 2 * * *  cronward -l backup --schedule '0 2 * * *' -- /opt/backup.sh --all\n\
         @daily\tcronward -l sync --schedule '@daily' -c 'sync | mail root'%x\n"
    );
    fs::write(host.path("crontab"), &text).unwrap();
    for (words, stdin) in [(&[][..], &text[..]), (&["-"], &text), (&["crontab"], "")] {
        let ran = wrap(&host, words, stdin.as_bytes());
        assert_eq!((ran.stdout_text(), ran.end()), (expected.clone(), End::Code(0)), "{ran}");
        assert!(ran.stderr.is_empty(), "{ran}");
    }
    let again = wrap(&host, &[], expected.as_bytes());
    assert_eq!((again.stdout_text(), again.end()), (expected, End::Code(0)), "{again}");
    assert!(!host.state_dir().exists(), "it runs nothing and records nothing");
}

#[test]
fn the_lines_of_the_manual_are_what_it_makes() {
    let host = Host::new();
    let path = search_path(&host);
    let text = format!("PATH={path}\n0 3 * * * /opt/backup.sh >>backup.log\n0 4 * * * cd /srv && ./tick\n");
    let ran = wrap(&host, &[], text.as_bytes()).stdout_text();
    let (_, lines) = ran.split_once('\n').unwrap();
    let manual = include_str!("../../man/cronward.1");
    assert!(manual.contains(&format!(".Bd -literal -offset 2n\n{lines}.Ed\n")), "{lines}");
}

#[test]
fn bytes_that_are_no_text_go_through() {
    let host = Host::new();
    let path = search_path(&host);
    let text = [format!("PATH={path}\n").as_bytes(), b"# caf\xe9 \0\n@daily /opt/\xe9t\xe9 \xff\n"].concat();
    let ran = wrap(&host, &[], &text);
    let line = b"@daily cronward -l t --schedule '@daily' -- /opt/\xe9t\xe9 \xff\n";
    assert_eq!(ran.stdout, [format!("PATH={path}\n").as_bytes(), b"# caf\xe9 \0\n", line].concat(), "{ran}");
}

#[test]
fn a_crontab_with_users_is_known_by_its_place_or_said_to_be_one() {
    let host = Host::new();
    let text = format!("PATH={}\n17 *\t* * *\troot    /opt/hourly\n", search_path(&host));
    let ran = wrap(&host, &["--system"], text.as_bytes());
    assert!(
        ran.stdout_text().ends_with("\troot    cronward -l hourly --schedule '17 * * * *' -- /opt/hourly\n"),
        "{ran}"
    );
    let ran = wrap(&host, &[], text.as_bytes());
    assert_eq!((ran.stdout_text(), ran.end()), (text, End::Code(1)), "{ran}");
    assert!(
        ran.stderr_text().starts_with("cronward: line 2: ") && ran.stderr_text().contains("--system"),
        "{ran}"
    );
    // One that is on every Debian host, or on none: then there is nothing to compare.
    if let Ok(system) = fs::read_to_string("/etc/crontab") {
        let [named, said] =
            [wrap(&host, &["/etc/crontab"], b""), wrap(&host, &["--system"], system.as_bytes())];
        assert_eq!(named.stdout_text(), said.stdout_text());
    }
}

#[test]
fn all_of_a_crontab_is_printed_whatever_is_not_understood_and_the_status_says_so() {
    let host = Host::new();
    let path = search_path(&host);
    let text = format!(
        "PATH={path}\n0~9 * * * * a\n@daily b\nSHELL=/usr/bin/fish\n@daily c\n@daily d\r\n\r\n@daily e"
    );
    fs::write(host.path("my crontab"), &text).unwrap();
    let ran = wrap(&host, &["my crontab"], b"");
    assert_eq!(
        ran.stdout_text(),
        text.replace("@daily b", "@daily cronward -l b --schedule '@daily' -- b"),
        "{ran}"
    );
    assert_eq!(ran.end(), End::Code(1), "{ran}");
    let said = ran.stderr_text();
    let numbers: Vec<_> = said
        .lines()
        .map(|line| {
            line.strip_prefix("cronward: 'my crontab', line ").expect("where").split(':').next().unwrap()
        })
        .collect();
    assert_eq!(numbers, ["2", "5", "6", "7", "8", "8"], "{ran}");
}

#[test]
fn a_path_to_cronward_that_cron_would_not_find_is_written_out() {
    let host = Host::new();
    let ran = wrap(&host, &[], b"PATH=/nonexistent\n@daily /opt/a\n");
    let text = ran.stdout_text();
    let word = text.split(' ').nth(1).unwrap();
    assert!(word.starts_with('/') && word.ends_with("/cronward") && fs::metadata(word).is_ok(), "{ran}");
}

#[test]
fn a_diff_can_be_applied_by_patch_and_is_empty_if_nothing_changes() {
    let host = Host::new();
    let path = search_path(&host);
    let text = format!("PATH={path}\n# 1\n# 2\n# 3\n@daily /opt/a\n@hourly /opt/b");
    fs::write(host.path("crontab"), &text).unwrap();
    let diff = wrap(&host, &["--diff", "crontab"], b"");
    assert_eq!(
        diff.stdout_text(),
        "--- a/crontab\n+++ b/crontab\n@@ -2,5 +2,5 @@\n # 1\n # 2\n # 3\n-@daily /opt/a\n-@hourly /opt/b\n\
         \\ No newline at end of file\n+@daily cronward -l a --schedule '@daily' -- /opt/a\n\
         +@hourly cronward -l b --schedule '@hourly' -- /opt/b\n\\ No newline at end of file\n"
    );
    let whole = wrap(&host, &["crontab"], b"");
    // Where there is no patch(1), the tests of the diff itself apply it.
    if let Ok(mut patch) = std::process::Command::new("patch")
        .args(["-s", "-p1", "-d"])
        .arg(host.directory())
        .stdin(Stdio::piped())
        .spawn()
    {
        patch.stdin.take().unwrap().write_all(&diff.stdout).unwrap();
        assert!(patch.wait().unwrap().success(), "{diff}");
        assert_eq!(fs::read(host.path("crontab")).unwrap(), whole.stdout, "{diff}");
    }
    let wrapped = wrap(&host, &["--diff"], &[&whole.stdout[..], b"\n"].concat());
    assert_eq!((wrapped.stdout_text(), wrapped.end()), (String::new(), End::Code(0)), "{wrapped}");
}

#[test]
fn what_cannot_be_read_is_a_usage_error() {
    let host = Host::new();
    for (words, says) in [
        (&["none"][..], "cannot read 'none': "),
        (&["."], "cannot read '.': "),
        (&["a", "b"], "wrong number of words"),
        (&["--dif"], "nearest is '--diff'"),
    ] {
        let ran = wrap(&host, words, b"");
        assert_eq!(ran.end(), End::Code(125), "{ran}");
        assert!(ran.stdout.is_empty() && ran.stderr_text().contains(says), "{ran}");
        assert_eq!(ran.stderr_text().lines().count(), 1, "{ran}");
    }
}

#[test]
fn a_crontab_that_cannot_be_printed_is_a_failure() {
    let host = Host::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ran = host.shell("echo '@daily x' | \"$CRONWARD\" wrap").stdout(full).run();
    assert_eq!(ran.end(), End::Code(1), "{ran}");
}
