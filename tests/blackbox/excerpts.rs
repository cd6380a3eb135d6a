//! What `--capture` keeps of the output, and who is told it.

use std::fs;

use serde_json::{Value, json};

use crate::support::{End, Host};

/// What is kept on its host, and what an alert takes away of it, after the first run of a job, which fails.
fn kept(options: &[&str], job: &str) -> (Value, Value) {
    let host = Host::new();
    let (log, away) = (host.log(), host.alert_sink());
    let options = [&["-l", "job", "--sink", &log, "--sink", &away], options].concat();
    let ran = host.wrap(&options, &format!("{job}; exit 3")).run();
    assert_eq!(ran.end(), End::Code(3), "{ran}");
    let events = host.events();
    let finished = events.iter().rfind(|event| event["kind"] == "run.finished").unwrap();
    let alerts = host.alerts();
    (finished["output"].clone(), alerts.last().unwrap()["run"]["output"].clone())
}

#[test]
fn both_streams_are_in_one_excerpt_whole_if_they_fit() {
    let host = Host::new();
    // The second stream is written to when the first one has been read.
    let job = "echo out; while [ \"$(wc -c <seen)\" -lt 4 ]; do :; done; echo err >&2";
    let seen = fs::File::create(host.path("seen")).unwrap();
    let log = host.log();
    let options = ["--capture", "8B", "--sink", &log, "-l", "job"];
    let ran = host.wrap(&options, job).stdout(seen).run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let finished = host.events().pop().unwrap();
    assert_eq!(finished["output"], json!({"head": "out\nerr\n", "total_bytes": 8, "truncated_bytes": 0}));

    let ran = host.wrap(&["--sink", &log, "-l", "without"], "echo x").run();
    assert!(host.events().pop().unwrap().get("output").is_none(), "{ran}");
}

#[test]
fn of_more_the_first_and_the_last_part_are_kept_between_two_characters() {
    // Of eight bytes at each end the tail's first is the end of a character.
    let (here, _) = kept(&["--capture", "16B"], "for i in 1 2 3 4 5; do printf '€ä€ä'; done");
    let expected = json!({"head": "€ä€", "tail": "ä€ä", "total_bytes": 50, "truncated_bytes": 35});
    assert_eq!(here, expected);

    let (here, away) =
        kept(&["--capture", "64B"], "i=100; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); done");
    assert_eq!(here["head"], "line 100\nline 101\nline 102\nline ", "{here}");
    assert_eq!(here["tail"], " 196\nline 197\nline 198\nline 199\n", "{here}");
    assert_eq!((&here["total_bytes"], &here["truncated_bytes"]), (&json!(900), &json!(836)));
    // Away from here there are whole lines only: of one that was cut nobody knows what it was.
    assert_eq!(away["head"], "line 100\nline 101\nline 102\n", "{away}");
    assert_eq!(away["tail"], "line 197\nline 198\nline 199\n", "{away}");
}

#[test]
fn bytes_that_are_no_text_are_in_base64_on_this_host_only() {
    let (here, away) = kept(&["--capture", "1KiB"], r"printf '\377\376'");
    assert_eq!((&here["head"], &here["head_base64"]), (&json!("\u{fffd}\u{fffd}"), &json!("//4=")), "{here}");
    assert_eq!(away, json!({"head": "\u{fffd}\u{fffd}", "total_bytes": 2, "truncated_bytes": 0}));
    let (here, away) = kept(&["--capture", "4B"], r"printf 'ab\n\377\377\377\ncd\376'");
    assert!(here.get("head_base64").is_none(), "{here}");
    assert_eq!((&here["head"], &here["tail_base64"]), (&json!("ab"), &json!("ZP4=")), "{here}");
    assert!(!away.to_string().contains("base64"), "{away}");
}

#[test]
fn away_from_this_host_it_is_plain_and_masked() {
    let job = r"printf 'connecting with pass\033[1mword=\033[0mhunter22\n\033[31mred\033[0m\a\n'";
    let (here, away) = kept(&["--capture", "1KiB"], job);
    assert!(here["head"].as_str().unwrap().contains("\u{1b}[31mred"), "{here}");
    let head = away["head"].as_str().unwrap();
    assert!(head.contains("password=***") && head.contains("red"), "{away}");
    assert!(!head.contains("hunter22") && !head.contains('\u{1b}') && !head.contains('\u{7}'), "{away}");
    assert_eq!(away["total_bytes"], here["total_bytes"]);
}

#[test]
fn of_a_sensitive_job_nothing_leaves_the_host() {
    let host = Host::new();
    let options = ["--capture", "1KiB", "--sensitive", "--sink", &host.log(), "--sink", &host.alert_sink()];
    host.wrap(&options, "echo words; exit 3").run();
    let events = fs::read_to_string(host.path("events.jsonl")).unwrap();
    assert!(events.contains(r#""head":"words\n""#), "{events}");
    let alert = fs::read_to_string(host.path("alerts")).unwrap();
    assert!(!alert.contains("words") && !alert.contains("total_bytes"), "{alert}");
}

#[test]
fn all_attempts_are_in_the_excerpt() {
    let options = ["--capture", "1KiB", "--retries", "2", "--retry-delay", "1ms"];
    let (here, _) = kept(&options, "echo attempt $CRONWARD_RUN_ATTEMPT");
    assert_eq!(here["head"], "attempt 1\nattempt 2\nattempt 3\n", "{here}");
    assert_eq!(here["total_bytes"], 30);
}

/// One line as long as a whole output is nothing special, in the excerpt either.
#[test]
fn a_line_without_an_end_is_kept_like_any_other() {
    let (here, away) = kept(&["--capture", "1KiB"], "head -c 9000000 /dev/zero | tr '\\0' x");
    assert_eq!(here["head"].as_str().unwrap(), "x".repeat(512));
    assert_eq!(here["tail"].as_str().unwrap(), "x".repeat(512));
    assert_eq!(here["truncated_bytes"], 9_000_000 - 1024);
    assert_eq!((&away["head"], &away["tail"]), (&json!(""), &json!("")), "{away}");
}
