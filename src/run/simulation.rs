//! A fleet for days, by a clock of its own: everything behind the end of a command is the real thing, from the
//! journal on disk to the books of what is owed; made up are the time, how commands end, the sinks, the
//! network between, and the deaths of cronward. Whatever happens, each incident must be opened once and closed
//! once at every sink.

mod fleet;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use fleet::{Host, Lived, Told};
pub(crate) use world::KIND;
use world::World;

/// Sinks of every job.
const SINKS: [&str; 3] = ["pagerduty", "slack", "webhook"];

/// How large a fleet, and for how long.
struct Scale {
    hosts: usize,
    jobs: usize,
    /// Days with failures, outages and deaths; one without follows.
    days: i64,
    seed: u64,
}

/// What has happened, for whoever reads the figures.
#[derive(Debug, Default)]
struct Figures {
    jobs: usize,
    runs: usize,
    failures: usize,
    deaths: usize,
    refused: usize,
    incidents: usize,
    deliveries: usize,
    repeated: usize,
}

impl Figures {
    fn add(&mut self, host: &Lived) {
        self.jobs += host.jobs.len();
        self.runs += host.jobs.iter().map(|job| job.runs).sum::<usize>();
        self.failures += host.jobs.iter().map(|job| job.failures).sum::<usize>();
        self.deaths += host.deaths;
        self.refused += host.refused;
        self.incidents += host.jobs.iter().map(|job| job.incidents).sum::<usize>();
        self.deliveries += host.told.len();
    }
}

/// What one sink was told of one job: opened and closed, in order, each thing once however often it came.
fn once(told: &[Told], sink: &str, label: &str) -> Vec<Told> {
    let mut seen = Vec::new();
    for one in told.iter().filter(|told| told.sink == sink && told.label == label) {
        if !seen.iter().any(|other: &Told| other.id == one.id) {
            seen.push(one.clone());
        }
    }
    seen
}

/// Each sink was told each incident of a job: its opening and then its end, and the next one only then.
fn check_incidents(host: &Lived) {
    for job in &host.jobs {
        for sink in SINKS {
            let told = once(&host.told, sink, &job.label);
            let opened: Vec<&Told> = told.iter().filter(|told| told.kind == "alert.opened").collect();
            let closed = told.iter().filter(|told| told.kind == "alert.closed").count();
            let of = format!("{} at {sink}: {told:#?}", job.label);
            assert_eq!((opened.len(), closed), (job.incidents, job.incidents), "{of}");
            for pair in told.chunks(2) {
                assert_eq!((pair[0].kind, pair[1].kind), ("alert.opened", "alert.closed"), "{of}");
                assert_eq!(pair[0].alert, pair[1].alert, "{of}");
            }
        }
    }
}

/// What somebody who goes by the key alone has made of it, told everything as often as it was told: how many
/// incidents were raised, and how many are open.
fn by_key<'a>(told: impl Iterator<Item = &'a Told>) -> BTreeMap<String, (usize, bool)> {
    let mut incidents: BTreeMap<String, (usize, bool)> = BTreeMap::new();
    for one in told {
        let (raised, open) = incidents.entry(one.key.clone()).or_default();
        match one.kind {
            "alert.opened" if !*open => (*raised, *open) = (*raised + 1, true),
            // One that several hosts share is resolved by people.
            "alert.closed" if !one.is_shared => *open = false,
            _ => {}
        }
    }
    incidents
}

fn simulate(scale: &Scale) -> Figures {
    let world = Arc::new(World::new(scale.days, scale.seed));
    let next = std::sync::atomic::AtomicUsize::new(0);
    let hosts = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if number >= scale.hosts {
                        return;
                    }
                    let lived = Host::new(number, scale.jobs, &world).live(&world);
                    hosts.lock().unwrap().push(lived);
                }
            });
        }
    });
    let hosts = hosts.into_inner().unwrap();
    let mut figures = Figures::default();
    let mut shared = Vec::new();
    for host in &hosts {
        check_incidents(host);
        assert!(host.owes_nothing, "host {}", host.number);
        let of_pager = host.told.iter().filter(|told| told.sink == "pagerduty");
        for (key, (raised, open)) in by_key(of_pager.clone().filter(|told| !told.is_shared)) {
            let job = host.jobs.iter().find(|job| key.ends_with(&format!("/{}", job.label))).unwrap();
            assert_eq!((raised, open), (job.incidents, false), "{key}");
        }
        shared.extend(of_pager.filter(|told| told.is_shared).cloned());
        figures.add(host);
    }
    // The bad deploy: every host has raised it under one key, which is one incident that no host resolves.
    shared.sort_by_key(|told| told.at);
    assert_eq!(by_key(shared.iter()).into_values().collect::<Vec<_>>(), [(1, true)]);
    figures.repeated = figures.deliveries - figures.incidents * 2 * SINKS.len();
    figures
}

#[test]
fn through_failures_outages_and_deaths_each_incident_is_opened_once_and_closed_once() {
    let scale = Scale { hosts: 6, jobs: 12, days: 1, seed: 7 };
    let figures = simulate(&scale);
    assert!(figures.incidents > 20 && figures.deaths > 20 && figures.refused > 20, "{figures:?}");
}

/// The figures of the README, by `benches/simulation`.
#[test]
#[ignore = "takes minutes without optimization; see benches/simulation"]
fn ten_thousand_jobs() {
    let figures = simulate(&Scale { hosts: 300, jobs: 33, days: 2, seed: 1 });
    let Figures { jobs, runs, failures, deaths, refused, incidents, deliveries, repeated } = figures;
    let text = format!(
        "{jobs} jobs on 300 hosts, {runs} runs in 3 days, {failures} of them failed, {deaths} deaths of cronward\n\
         {incidents} incidents, each opened once and closed once at each of 3 sinks: none missing, none doubled by key\n\
         {deliveries} deliveries taken, {repeated} of them repeated under the same id; {refused} refused or unanswered\n",
    );
    crate::diagnostics::print(&text);
}
