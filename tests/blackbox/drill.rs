//! A drill of the alert, through real sinks.

use crate::support::{End, Host};

#[test]
fn a_drill_tells_every_sink_of_an_alert_and_its_end_and_says_who_took_it() {
    let host = Host::new();
    let (log, sink) = (host.log(), host.alert_sink());
    let shown = format!("textfile:{}", host.directory().display());
    let rule = ["-l", "job", "--alert-after", "3"];
    let options = [&rule[..], &["--sink", &sink, "--sink", &shown, "--sink", &log]].concat();
    host.wrap(&options, "exit 0").run();
    let events = host.events().len();
    let drilled = host.cronward(["drill", "job"]).run();
    assert_eq!(drilled.end(), End::Code(0), "{drilled}");
    let text = drilled.stdout_text();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    assert_eq!(lines[0], "drill of 'job': 3 failures open the alert, 1 success closes it");
    assert!(lines[1].starts_with("exec:cat ") && lines[1].contains("opening   accepted in "), "{drilled}");
    assert!(
        lines[2].contains("recovery  accepted in ") && lines[2].ends_with(": exit status 0"),
        "{drilled}"
    );
    assert!(lines[3].starts_with("textfile:/") && lines[3].ends_with("takes no alerts"), "{drilled}");
    assert!(lines[4].starts_with("jsonl:") && lines[4].contains("sent in "), "{drilled}");
    assert_eq!(lines[6], "every sink that takes alerts has taken both");
    assert_eq!(lines[7], "when a person has seen it arrive: cronward drill job --confirm");
    assert_eq!(host.alert_kinds(), ["alert.opened", "alert.closed"]);
    let alerts = host.alerts();
    assert_eq!(
        (&alerts[0]["label"], &alerts[0]["run"]["tags"]["drill"]),
        (&"job (drill)".into(), &"true".into())
    );
    assert_eq!(alerts[0]["alert"]["failures"], 3);
    assert_ne!(alerts[0]["alert"]["key"], format!("{}/job", alerts[0]["host"].as_str().unwrap()));
    assert_eq!(host.events().len() - events, 2, "and nothing but alerts is sent");
    let files = std::fs::read_dir(host.directory())
        .unwrap()
        .filter_map(|file| file.ok()?.file_name().into_string().ok());
    assert_eq!(files.filter(|name| name.ends_with(".prom")).collect::<Vec<_>>(), ["cronward_job.prom"]);
    // Nothing of it is in the job's record.
    assert_eq!(host.journal("job").outcomes(), ["ok"]);
    assert_eq!(host.status()[0]["consecutive_failures"], 0);
}

#[test]
fn a_sink_that_does_not_take_it_is_said_to_and_the_drill_has_failed() {
    let host = Host::new();
    host.wrap(&["-l", "job", "--sink", "exec:echo no route >&2; exit 1"], "exit 0").run();
    let drilled = host.cronward(["drill", "job"]).run();
    assert_eq!(drilled.end(), End::Code(1), "{drilled}");
    let text = drilled.stdout_text();
    assert!(text.contains("opening   FAILED in ") && text.contains(": exit status 1: no route"), "{drilled}");
    assert!(
        text.contains("nobody has taken charge of it: an alert would be one line on stderr"),
        "{drilled}"
    );
    assert!(!text.contains("--confirm"), "{drilled}");
}

#[test]
fn a_sink_whose_secret_is_only_known_to_the_run_is_not_passed_over_in_silence() {
    let host = Host::new();
    let (sink, url) = (host.alert_sink(), "ping:http://127.0.0.1:9/secret");
    host.wrap(&["-l", "job", "--sink", &sink, "--sink", url, "--flush-deadline", "100ms"], "exit 0").run();
    let drilled = host.cronward(["drill", "job"]).run();
    assert_eq!(drilled.end(), End::Code(1), "{drilled}");
    let text = drilled.stdout_text();
    assert!(text.contains("  ping:…") && text.contains("not drilled: its secret is only known"), "{drilled}");
    assert!(!text.contains("secret:") && !text.contains("/secret"), "{drilled}");
}

#[test]
fn that_a_drill_has_arrived_is_put_on_record_by_a_person_and_only_after_one() {
    let host = Host::new();
    let drill = |words: &[&str]| host.cronward([&["drill"], words].concat()).run();
    let unknown = drill(&["job"]);
    assert_eq!(unknown.end(), End::Code(1), "{unknown}");
    assert!(unknown.stderr_text().contains("no run of 'job' is on record in "), "{unknown}");
    host.wrap(&["-l", "job", "--sink", &host.alert_sink()], "exit 0").run();
    let early = drill(&["job", "--confirm"]);
    assert_eq!(early.end(), End::Code(1), "{early}");
    assert!(early.stderr_text().contains("there was no drill of 'job' yet"), "{early}");
    drill(&["job"]);
    let confirmed = drill(&["--confirm", "job"]);
    assert_eq!(confirmed.end(), End::Code(0), "{confirmed}");
    assert!(confirmed.stdout_text().starts_with("'job': the drill of "), "{confirmed}");
    assert_eq!(drill(&["job"]).end(), End::Code(0));
    let bad = drill(&["job", "--sure"]);
    assert_eq!(bad.end(), End::Code(125), "{bad}");
    assert_eq!(host.alerts().len(), 4);
}
