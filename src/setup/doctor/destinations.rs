//! Every sink that the configuration or a job on record names, each looked at once and all at the same time.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::finding::{Area, Finding, or_ok};
use super::jobs::Job;
use crate::attend::OfRecord;
use crate::clock::Deadline;
use crate::human;
use crate::sinks::probe::{Complaint, Probe};
use crate::sinks::{Sink, shown};

/// For so much longer than the deadline somebody is waited for who keeps to it.
const GRACE: Duration = Duration::from_millis(500);

/// A sink, and who uses it.
pub struct Destination {
    name: String,
    sink: Arc<dyn Sink>,
    jobs: usize,
    /// Whether nobody has named it.
    is_default: bool,
}

/// What has come of looking at one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The sink.
    pub name: String,
    /// How many jobs tell it something.
    pub jobs: usize,
    /// Whether nobody has named it.
    pub is_default: bool,
    /// What was found; `None`: it has not come back within the deadline.
    pub probe: Option<Probe>,
}

/// Each sink once: those of the configuration, which `check` tells, and those of the jobs.
pub fn of(own: Option<&OfRecord>, jobs: &[Job]) -> Vec<Destination> {
    let mut all: BTreeMap<(String, String), Destination> = BTreeMap::new();
    let mut add = |word, sink: &Arc<dyn Sink>, jobs, is_default| {
        let name = sink.name().to_owned();
        let destination = || Destination { name: name.clone(), sink: Arc::clone(sink), jobs: 0, is_default };
        all.entry((word, name.clone())).or_insert_with(destination).jobs += jobs;
    };
    if let Some(OfRecord { plan, sinks }) = own {
        for (word, sink) in plan.sinks.iter().zip(sinks) {
            add(shown(word), sink, 0, word.origin == "the default");
        }
    }
    for job in jobs {
        for (plan, place, sink) in job.sinks() {
            let word = &plan.sinks[place];
            add(shown(word), sink, 1, word.origin == "the default");
        }
    }
    all.into_values().collect()
}

/// Looks at all of them, within one deadline. A thread that does not come back ends with the process.
pub fn look(destinations: Vec<Destination>, limit: Duration) -> Vec<Looked> {
    let deadline = Deadline::after(limit);
    let (sender, answers) = mpsc::channel();
    let mut looked = Vec::new();
    for (number, destination) in destinations.into_iter().enumerate() {
        let Destination { name, sink, jobs, is_default } = destination;
        looked.push(Looked { name, jobs, is_default, probe: None });
        let sender = sender.clone();
        let work = move || sender.send((number, sink.probe(deadline)));
        // Where there is no thread to be had, it counts as one that has not come back.
        let _ = thread::Builder::new().spawn(work);
    }
    drop(sender);
    let until = Deadline::after(limit + GRACE);
    while let Ok((number, probe)) = answers.recv_timeout(until.left()) {
        looked[number].probe = Some(probe);
    }
    looked
}

/// What is wrong with them. `hidden` are those that only runs know, each with the number of its jobs.
pub fn examine(looked: &[Looked], hidden: &BTreeMap<String, usize>, limit: Duration) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Looked { name, jobs, is_default, probe } in looked {
        let used = match jobs {
            0 => "by 'check'".to_owned(),
            jobs => format!("by {}", human::counted(*jobs, "job", "jobs")),
        };
        let subject = format!("'{name}' (used {used})");
        let late = || {
            let what = format!("nothing was heard within {}", human::span(limit));
            Probe::from(Err(Complaint::new(what, "is a name server, a proxy or a disk hanging?")))
        };
        let Probe { way, concerns } = probe.clone().unwrap_or_else(late);
        match way {
            Ok(how) => findings.push(Finding::ok(Area::Sinks, format!("{subject}: {how}"))),
            Err(Complaint { what, .. }) if *is_default => findings.push(Finding::warning(
                Area::Sinks,
                format!("{subject}: {what}, and nobody has named another"),
                "name one by 'sink' in the configuration, or 'none' for nowhere",
            )),
            Err(Complaint { what, hint }) => {
                findings.push(Finding::fault(Area::Sinks, format!("{subject}: {what}"), hint));
            }
        }
        for Complaint { what, hint } in concerns {
            findings.push(Finding::warning(Area::Sinks, format!("'{name}': {what}"), hint));
        }
    }
    for (name, jobs) in hidden {
        let jobs = human::counted(*jobs, "job", "jobs");
        findings.push(Finding::note(
            Area::Sinks,
            format!(
                "'{name}' of {jobs} cannot be looked at: its secret is only known where it is written out"
            ),
            "use file:PATH or env:NAME; then 'check' and 'flush' can tell it, too",
        ));
    }
    or_ok(findings, Area::Sinks, || "there are none".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::finding::Severity;
    use super::*;
    use crate::notice::Notice;
    use crate::sinks::{Pace, Topic};

    fn looked(way: Option<Result<&str, &str>>, is_default: bool) -> Looked {
        let probe = way
            .map(|way| Probe::from(way.map(str::to_owned).map_err(|what| Complaint::new(what, "start it"))));
        Looked { name: "statsd:h".to_owned(), jobs: 2, is_default, probe }
    }

    #[test]
    fn who_cannot_be_told_is_a_fault_unless_nobody_has_named_it() {
        let limit = Duration::from_secs(5);
        for (way, is_default, severity, said) in [
            (Some(Ok("no refusal")), false, Severity::Ok, "'statsd:h' (used by 2 jobs): no refusal"),
            (Some(Err("refused")), false, Severity::Fault, "(used by 2 jobs): refused; start it"),
            (
                Some(Err("refused")),
                true,
                Severity::Warning,
                "refused, and nobody has named another; name one",
            ),
            (None, false, Severity::Fault, "nothing was heard within 5.00 s"),
        ] {
            let findings = examine(&[looked(way, is_default)], &BTreeMap::new(), limit);
            assert_eq!(findings.len(), 1, "{findings:?}");
            assert_eq!(findings[0].severity, severity, "{findings:?}");
            let Finding { what, hint, .. } = &findings[0];
            assert!(format!("{what}; {hint}").contains(said), "{findings:?}");
        }
        let hidden = BTreeMap::from([("ping:…".to_owned(), 1)]);
        assert_eq!(examine(&[], &hidden, limit)[0].severity, Severity::Note);
        assert_eq!(examine(&[], &BTreeMap::new(), limit)[0].what, "there are none");
    }

    /// One that answers at once, or not before the test lets it go.
    struct Fake(Option<Mutex<mpsc::Receiver<()>>>);

    impl Sink for Fake {
        fn name(&self) -> &str {
            if self.0.is_some() { "b:slow" } else { "a:quick" }
        }
        fn pace(&self) -> Pace {
            Pace::Waiting
        }
        fn wants(&self, _: Topic) -> bool {
            true
        }
        fn preview(&self, _: &[Notice]) -> Vec<String> {
            Vec::new()
        }
        fn probe(&self, _: Deadline) -> Probe {
            if let Some(gate) = &self.0 {
                let _ = gate.lock().unwrap().recv();
            }
            Probe::reached("it answers")
        }
        fn deliver(&self, _: &[Notice], _: Deadline) -> Result<(), String> {
            Ok(())
        }
    }

    #[test]
    fn one_that_hangs_keeps_neither_the_others_nor_the_doctor() {
        let (gate, waits) = mpsc::channel();
        let destination = |fake: Fake| Destination {
            name: fake.name().to_owned(),
            sink: Arc::new(fake),
            jobs: 1,
            is_default: false,
        };
        let all = vec![destination(Fake(Some(Mutex::new(waits)))), destination(Fake(None))];
        let looked = look(all, Duration::from_millis(10));
        let found: Vec<_> = looked.iter().map(|looked| (&looked.name[..], looked.probe.is_some())).collect();
        assert_eq!(found, [("b:slow", false), ("a:quick", true)]);
        drop(gate);
    }

    #[test]
    fn what_a_sink_worries_about_is_a_warning_beside_what_it_reached() {
        let mut one = looked(Some(Ok("it answers")), false);
        one.probe.as_mut().unwrap().concerns.push(Complaint::new("everybody can read it", "chmod"));
        let findings = examine(&[one], &BTreeMap::new(), Duration::from_secs(5));
        let severities: Vec<_> = findings.iter().map(|finding| finding.severity).collect();
        assert_eq!(severities, [Severity::Ok, Severity::Warning]);
    }
}
