//! `cronward drill`: plays the rule of a job through, and has the alert and its recovery told to every sink,
//! under a label and a key of its own. Nothing of it is in the job's record but that there was a drill, and
//! whether a person has seen it arrive.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use super::brink;
use crate::attend::{Attendant, OfRecord};
use crate::clock::{Deadline, Stopwatch, Timestamp};
use crate::human;
use crate::job::{Label, RunId, Tag};
use crate::journal::{self, Drills, Entry, KeptPlan, Look};
use crate::notice::Notice;
use crate::outcome::{Ending, Outcome, Run, RunEnd};
use crate::plan::{JobFacts, Plan};
use crate::policy::{AlertKey, History, Judged, judge};
use crate::shell;
use crate::sinks::delivery::{self, Announcement, Instead};
use crate::sinks::{Sink, Topic};
use crate::turn::{AlertTurn, TurnCause};

/// What a drill has come to.
pub struct Drilled {
    /// What is printed.
    pub text: String,
    /// Whether every sink that takes alerts has taken both, and one of them takes charge of them.
    pub well: bool,
}

/// Drills the alert of a job.
///
/// # Errors
/// In words: no such job, or its plan or record cannot be used.
pub fn drill(label: &str, attendant: &Attendant<'_>, now: Timestamp) -> Result<Drilled, String> {
    let entry = on_record(label, attendant, now)?;
    let kept = entry.remembered.as_ref().ok().and_then(|remembered| remembered.plan.as_ref());
    let OfRecord { plan, sinks } = attendant.of_record(label, kept).map_err(|why| why.to_string())?;
    let hidden = kept.map_or(&[][..], KeptPlan::hidden_sinks);
    let notices =
        notices(&plan, label, now).ok_or_else(|| format!("'{label}' has no rule that opens an alert"))?;
    let drilled = tell(&plan, label, &sinks, hidden, &notices);
    let confirmed = journal::drills(&attendant.state_dir, &entry.name).and_then(|drills| drills.confirmed);
    journal::note_drills(&attendant.state_dir, &entry.name, Drills { last: now, confirmed })?;
    Ok(drilled)
}

/// Puts on record that a person saw the last drill of a job arrive.
///
/// # Errors
/// In words: no such job, no drill of it, or its record cannot be written.
pub fn confirm(label: &str, attendant: &Attendant<'_>, now: Timestamp) -> Result<String, String> {
    let entry = on_record(label, attendant, now)?;
    let Some(drills) = journal::drills(&attendant.state_dir, &entry.name) else {
        let quoted = shell::quote(label.as_ref());
        let quoted = quoted.to_string_lossy();
        return Err(format!("there was no drill of '{label}' yet; make one: cronward drill {quoted}"));
    };
    let confirmed = Some(now);
    journal::note_drills(&attendant.state_dir, &entry.name, Drills { confirmed, ..drills })?;
    let ago = human::ago(now, drills.last);
    Ok(format!("'{label}': the drill of {ago} has arrived, by your word; it is on record\n"))
}

fn on_record(label: &str, attendant: &Attendant<'_>, now: Timestamp) -> Result<Entry, String> {
    let entries = journal::entries(&attendant.state_dir, Look::Plans, now)?;
    entries.into_iter().find(|entry| entry.label == label).ok_or_else(|| {
        let dir = attendant.state_dir.display();
        format!("no run of '{label}' is on record in '{dir}', so its sinks are not known; let it run once")
    })
}

/// The opening and the recovery of an alert, as the rule of the job comes to them.
fn notices(plan: &Plan, label: &str, now: Timestamp) -> Option<[Notice; 2]> {
    let job = facts(&plan.job, label)?;
    let reason = format!("this is a drill: nothing has happened to '{label}'");
    let turn = |before: &History, outcome, code| {
        let end = RunEnd::Ended(Ending::Exited(code));
        let run = Run {
            ended_at: Some(now),
            wall_time: Some(Duration::ZERO),
            reason: Some(reason.clone()),
            ..Run::new(RunId::new(), now, end, outcome)
        };
        let judged =
            judge(before, &Judged { run: &run, ended_at: now, alert_key: &job.alert_key }, &plan.rule);
        let cause = TurnCause::Ended(Box::new(run), Some(judged.history.failures_in_a_row));
        Some((Notice::turned(&job, &AlertTurn::of(&judged, cause, now)?), judged.history))
    };
    let (opened, open) = turn(&brink::of_an_alert(&plan.rule, now), Outcome::Failed, 1)?;
    let (closed, _) = turn(&brink::of_recovery(&plan.rule, &open), Outcome::Ok, 0)?;
    Some([opened, closed])
}

/// Those of the job, under another name and another key, and marked.
fn facts(job: &JobFacts, label: &str) -> Option<Arc<JobFacts>> {
    let label = Label::new(format!("{label} (drill)").as_ref())?;
    let mut tags = job.tags.clone();
    tags.extend(Tag::parse("drill:true"));
    let alert_key = AlertKey { text: format!("{} (drill)", job.alert_key.text), is_shared: false };
    Some(Arc::new(JobFacts { label, tags, alert_key, ..job.clone() }))
}

/// Tells each sink, one after the other, and writes down how that went.
fn tell(
    plan: &Plan,
    label: &str,
    sinks: &[Arc<dyn Sink>],
    hidden: &[String],
    notices: &[Notice; 2],
) -> Drilled {
    let recover_after = plan.rule.recover_after.get();
    let mut text = format!(
        "drill of '{label}': {} the alert, {} it\n",
        human::counted(brink::failures(&plan.rule) as usize, "failure opens", "failures open"),
        human::counted(recover_after as usize, "success closes", "successes close"),
    );
    let width = sinks.iter().map(|sink| sink.name().chars().count()).max().unwrap_or(0);
    let (mut all_took, mut somebody) = (true, false);
    for sink in sinks {
        let name = sink.name();
        if !sink.wants(Topic::Alert) || sink.only_shows() {
            let _ = writeln!(text, "  {name:width$}  takes no alerts");
            continue;
        }
        for (notice, word) in notices.iter().zip(["opening", "recovery"]) {
            let (took, what) = tell_one(sink, notice, plan.flush_deadline);
            all_took &= took;
            somebody |= took && sink.confirms();
            let _ = writeln!(text, "  {name:width$}  {word:8}  {what}");
        }
    }
    for sink in hidden {
        all_took = false;
        let _ = writeln!(
            text,
            "  {sink:width$}  not drilled: its secret is only known where it is written out; use file:PATH or env:NAME"
        );
    }
    text.push_str(match (all_took, somebody) {
        (true, true) => "every sink that takes alerts has taken both\n",
        (false, true) => "not every sink has taken both\n",
        (_, false) => "nobody has taken charge of it: an alert would be one line on stderr\n",
    });
    if somebody {
        let quoted = shell::quote(label.as_ref());
        let quoted = quoted.to_string_lossy();
        let _ = writeln!(text, "when a person has seen it arrive: cronward drill {quoted} --confirm");
    }
    Drilled { text, well: all_took && somebody }
}

/// Whether a sink took a notice, and how that is said.
fn tell_one(sink: &Arc<dyn Sink>, notice: &Notice, limit: Duration) -> (bool, String) {
    let watch = Stopwatch::start();
    let told = delivery::deliver(
        std::slice::from_ref(sink),
        std::slice::from_ref(notice),
        &Instead::new(),
        Announcement::default(),
        Deadline::after(limit),
        &mut || false,
    );
    let took = human::span(watch.elapsed());
    if let Some(error) = told.errors.first() {
        let why = error.strip_prefix(sink.name()).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(error);
        return (false, format!("FAILED in {took}: {why}"));
    }
    if !sink.confirms() {
        return (true, format!("sent in {took}; whether it arrived nobody says"));
    }
    let answer = sink.answer().map(|answer| format!(": {answer}")).unwrap_or_default();
    (true, format!("accepted in {took}{answer}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::{Audience, event_json};
    use crate::plan::{ThisHost, resolve};

    fn plan(options: &[&str]) -> Plan {
        let args = ["cronward", "-l", "db/backup", "--owner", "us"].iter().chain(options).chain(&["true"]);
        let Ok(crate::cli::Invocation::Run(typed)) = crate::cli::parse(args.map(Into::into).collect()) else {
            panic!("{options:?} is no run")
        };
        resolve(crate::config::Configured::new(typed, Vec::new()).unwrap(), &ThisHost).unwrap().0
    }

    #[test]
    fn a_drill_is_one_incident_of_another_name_and_key_that_says_what_it_is() {
        for rule in [&[][..], &["--alert-after", "100", "--recover-after", "3"], &["--alert-after", "3/1h"]] {
            let plan = plan(&[rule, &["--alert-key", "all"]].concat());
            let now = Timestamp::from_millis(1_800_000_000_000);
            let [opened, closed] = notices(&plan, "db/backup", now).unwrap();
            let kinds = (opened.news.kind(), closed.news.kind());
            assert_eq!(kinds, ("alert.opened", "alert.closed"), "{rule:?}");
            let alert = |notice: &Notice| notice.news.turn().unwrap().alert.clone();
            assert_eq!(alert(&opened).id, alert(&closed).id);
            assert_eq!(alert(&opened).key, AlertKey { text: "all (drill)".into(), is_shared: false });
            assert_eq!(alert(&opened).failures, brink::failures(&plan.rule));
            let event = event_json(&opened, Audience::Away);
            for told in [
                "\"label\":\"db/backup (drill)\"",
                "\"drill\":\"true\"",
                "this is a drill",
                "\"owner\":\"us\"",
            ] {
                assert!(event.contains(told), "{told}: {event}");
            }
        }
    }
}
