//! The examples for CI, systemd, Kubernetes and for tools that set up a fleet: what they have cronward do is what it
//! does. That their own programs take them is seen by `tests/interop`.

use super::examples::{assert_accepted, assert_configuration, command, commands, example};
use crate::support::{End, Host};

/// A text of YAML, of which no more is known here than that it is indented by blanks.
fn yaml(name: &str) -> String {
    let text = example(name);
    assert!(!text.contains('\t'), "YAML has no tabs");
    text
}

/// A command line of ours to `--dry-run`, in this environment.
fn assert_accepted_in(environment: &[(&str, String)], words: &[String]) -> String {
    let host = Host::new();
    let (program, options) = words.split_first().expect("a command");
    assert_eq!(program, "cronward", "{words:?}");
    let mut invocation = host.cronward(["--dry-run"].into_iter().chain(options.iter().map(String::as_str)));
    for (name, value) in environment {
        invocation = invocation.env(name, value);
    }
    let ran = invocation.run();
    assert_eq!((ran.end(), ran.stderr.len()), (End::Code(0), 0), "{words:?}\n{ran}");
    ran.stdout_text()
}

/// Whether an option has this value in a plan, and from there.
fn in_force(plan: &str, option: &str, value: &str, origin: &str) -> bool {
    let mut lines = plan.lines().map(str::split_whitespace).map(|words| words.collect::<Vec<_>>());
    lines.any(|words| {
        words.first() == Some(&option)
            && words.last() == Some(&origin)
            && words[1..].join(" ").contains(value)
    })
}

#[test]
fn the_steps_of_ci_jobs_are_accepted_and_their_variables_are_options() {
    for (name, dash) in [("github-actions.yml", ""), ("gitlab-ci.yml", "- ")] {
        let step = yaml(name);
        let steps = step.lines().map(|line| line.trim_start().strip_prefix(dash).unwrap_or(line));
        let lines = commands(&steps.collect::<Vec<_>>().join("\n"));
        assert_eq!(lines.len(), 1, "{name}");
        assert_accepted(&lines[0]);
        // In these files a variable stands for a directory that CI has made.
        let variables =
            step.lines().filter_map(|line| line.trim().strip_prefix("CRONWARD_")?.split_once(": "));
        let in_directory = |value: &str| match value.split_once("${{ runner.temp }}") {
            Some((before, behind)) => format!("{before}/tmp{behind}"),
            None => value.replace("$CI_PROJECT_DIR", "/tmp"),
        };
        let environment: Vec<(String, String)> =
            variables.map(|(option, value)| (format!("CRONWARD_{option}"), in_directory(value))).collect();
        let environment: Vec<(&str, String)> =
            environment.iter().map(|(name, value)| (&name[..], value.clone())).collect();
        assert_eq!(environment.len(), 2, "{environment:?}");
        let words = ["cronward", "-l", "tests", "true"].map(str::to_owned);
        let plan = assert_accepted_in(&environment, &words);
        assert!(in_force(&plan, "sink", "jsonl:/tmp/cronward.jsonl", "CRONWARD_SINK"), "{plan}");
        assert!(in_force(&plan, "state-dir", "/tmp/", "CRONWARD_STATE_DIR"), "{plan}");
    }
}

/// The values of a setting of a unit, continued lines joined.
fn settings(unit: &str, name: &str) -> Vec<String> {
    let joined = unit.replace("\\\n", " ");
    let values = joined.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    values.map(str::to_owned).collect()
}

/// What systemd.service(5) makes of a command line: percent signs are doubled, quotes are as in a shell.
fn command_of_unit(unit: &str) -> String {
    let lines = settings(unit, "ExecStart");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(!lines[0].replace("%%", "").contains(['%', '$']), "systemd would fill it in: {}", lines[0]);
    lines[0].replace("%%", "%").strip_prefix("/usr/bin/").expect("an absolute path").to_owned()
}

#[test]
fn the_units_run_what_is_accepted_and_systemd_minds_no_status_that_is_no_failure() {
    for (name, statuses) in [("pg-backup", "75"), ("cronward-check", "1 2")] {
        let unit = example(&format!("{name}.service"));
        let command = command_of_unit(&unit);
        assert_accepted(&command);
        assert_eq!(settings(&unit, "SuccessExitStatus"), [statuses]);
        assert_eq!(settings(&unit, "Type"), ["oneshot"]);
        assert_eq!(command.contains(" --lock "), statuses == "75", "{command}");
        let environment = settings(&unit, "Environment");
        let variables = environment.iter().map(|word| word.trim_matches('"'));
        let variables: Vec<(&str, String)> = variables
            .filter_map(|word| word.split_once('='))
            .map(|(name, value)| (name, value.to_owned()))
            .collect();
        assert!(!variables.is_empty() && variables.iter().all(|(name, _)| name.starts_with("CRONWARD_")));
        let plan = assert_accepted_in(&variables, &["cronward", "-l", "job", "true"].map(str::to_owned));
        assert!(in_force(&plan, "sink", "dogstatsd:", "CRONWARD_SINK"), "{plan}");
        // The timer is the other file, of the same name.
        assert_eq!(settings(&example(&format!("{name}.timer")), "OnCalendar").len(), 1);
    }
}

/// What a job says by `--produces` is of the plan, and not cut at a percent sign.
#[test]
fn the_band_of_the_dump_reaches_cronward_whole() {
    let host = Host::new();
    let options = command_of_unit(&example("pg-backup.service"));
    let options = options.strip_prefix("cronward ").expect("a command of ours");
    let ran = host.shell(&format!("\"$CRONWARD\" --dry-run {options}")).run();
    assert!(in_force(&ran.stdout_text(), "produces", "/backup/app-*.dump:50%..", "--produces"), "{ran}");
}

#[test]
fn the_container_of_the_cronjob_runs_what_is_accepted() {
    let text = yaml("kubernetes-cronjob.yml");
    let list = text.lines().find_map(|line| line.trim().strip_prefix("command: [")?.strip_suffix(']'));
    let words: Vec<String> =
        list.expect("a command").split(", ").map(|word| word.trim_matches('"').to_owned()).collect();
    let value_of = |name: &str| {
        let (_, behind) = text.split_once(&format!("- name: {name}\n")).expect("a variable");
        let line = behind.lines().next().expect("a line").trim();
        line.strip_prefix("value: ").expect("a value").trim_matches('"').to_owned()
    };
    let environment = ["CRONWARD_SINK", "CRONWARD_STATE_DIR"].map(|name| (name, value_of(name)));
    let plan = assert_accepted_in(&environment, &words);
    assert!(in_force(&plan, "sink", "slack:file:/etc/cronward/slack.url", "CRONWARD_SINK"), "{plan}");
    assert!(in_force(&plan, "state-dir", "/state/cronward", "CRONWARD_STATE_DIR"), "{plan}");
    assert!(in_force(&plan, "retries", "2", "--retries"), "{plan}");
    // A pod that is deleted has time for the end of the command and of the sinks.
    let grace = text.lines().find_map(|line| line.trim().strip_prefix("terminationGracePeriodSeconds: "));
    assert!(grace.and_then(|text| text.parse::<u32>().ok()).is_some_and(|seconds| seconds >= 10 + 5));
}

/// The lines of a block that begins behind this one and is indented more.
fn block(text: &str, head: &str) -> String {
    let mut lines = text.lines().skip_while(|line| line.trim() != head);
    let outer = lines.next().unwrap_or_else(|| panic!("no '{head}'"));
    let depth = |line: &str| line.len() - line.trim_start().len();
    let inner: Vec<&str> = lines.take_while(|line| line.is_empty() || depth(line) > depth(outer)).collect();
    let least = inner.iter().filter(|line| !line.is_empty()).map(|line| depth(line)).min().unwrap_or(0);
    inner.iter().map(|line| line.get(least..).unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The text between the first and the last quote of a value, or all of it.
fn unquoted(value: &str) -> &str {
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value[1..].strip_suffix(quote).expect("a closing quote"),
        _ => value,
    }
}

#[test]
fn what_sets_up_a_fleet_writes_a_configuration_in_force_and_lines_that_are_accepted() {
    for (name, head, key) in
        [("ansible-playbook.yml", "content: |", "job: "), ("chef-recipe.rb", "content <<~TOML", "command ")]
    {
        let text = example(name);
        assert_configuration(&block(&text, head));
        let values = text.lines().filter_map(|line| line.trim().strip_prefix(key)).map(unquoted);
        let lines: Vec<&str> = values.filter(|value| value.starts_with("cronward ")).collect();
        assert_eq!(lines.len(), 2, "{name}: {lines:?}");
        for line in &lines {
            assert!(!line.contains('%'), "cron reads a percent sign as a newline: {line}");
            assert_accepted(line);
        }
        // The check of the host is among them, and the times in the table are those that the line says again.
        assert!(lines.contains(&"cronward check >/dev/null"), "{lines:?}");
        let schedule = lines[0].split('\'').nth(1).expect("a schedule");
        let mut fields = schedule.split(' ');
        for field in ["minute", "hour"] {
            let said =
                text.lines().find_map(|line| line.trim().strip_prefix(field)).expect("a field of the table");
            assert_eq!(
                unquoted(said.trim_start_matches([':', ' '])),
                fields.next().expect("five fields"),
                "{name}"
            );
        }
        assert_eq!(command(&format!("{schedule} {}", lines[0])), lines[0]);
    }
}
