//! What is outside of cronward: a clock, a network with outages, and sinks that remember what they were told.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use crate::clock::{Deadline, Timestamp};
use crate::notice::Notice;
use crate::sinks::probe::Probe;
use crate::sinks::{Kind, Opening, Pace, Sink, Topic};

use super::SINKS;
use super::fleet::Told;

/// Milliseconds.
pub const MINUTE: i64 = 60 * 1000;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;
/// When it begins.
pub const EPOCH: i64 = 1_800_000_000_000;

/// Numbers that are the same each time (xorshift64*).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    pub fn below(&mut self, bound: i64) -> i64 {
        (self.next() % bound.unsigned_abs()).cast_signed()
    }

    /// Whether something happens that happens so many times of a thousand.
    pub fn per_mille(&mut self, times: i64) -> bool {
        self.below(1000) < times
    }
}

/// A time in which a sink, or none of them, can be reached.
#[derive(Debug)]
struct Outage {
    sink: Option<&'static str>,
    from: i64,
    to: i64,
}

#[derive(Debug)]
pub struct World {
    /// The last moment at which anything may go wrong.
    pub calm_from: i64,
    outages: Vec<Outage>,
}

impl World {
    pub fn new(days: i64, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let calm_from = EPOCH + days * DAY;
        // Six hours in which nobody can be reached, and many short ones of this or that sink.
        let mut outages = vec![Outage { sink: None, from: EPOCH + 10 * HOUR, to: EPOCH + 16 * HOUR }];
        for _ in 0..days * 12 {
            let from = EPOCH + dice.below(days * DAY);
            let sink = SINKS.get(dice.below(4).unsigned_abs() as usize).copied();
            outages.push(Outage { sink, from, to: from + MINUTE + dice.below(90 * MINUTE) });
        }
        Self { calm_from, outages }
    }

    fn reaches(&self, sink: &str, at: i64) -> bool {
        let is_down = |outage: &Outage| {
            outage.sink.is_none_or(|of| of == sink) && (outage.from..outage.to).contains(&at)
        };
        at >= self.calm_from || !self.outages.iter().any(is_down)
    }
}

/// What the sinks of one host were told, and what decides about the next delivery.
pub struct Records {
    pub told: Vec<Told>,
    pub refused: usize,
    world: Arc<World>,
    dice: Dice,
}

impl Records {
    pub fn new(world: &Arc<World>, dice: Dice) -> Self {
        Self { told: Vec::new(), refused: 0, world: Arc::clone(world), dice }
    }
}

thread_local! {
    /// Those of the host that lives on this thread, for the sinks that are opened here.
    pub static HERE: RefCell<Option<Arc<Mutex<Records>>>> = const { RefCell::new(None) };
}

/// The kind that sinks of the simulation are of.
pub(crate) static KIND: Kind =
    Kind { name: "simulated", help: "a sink of the simulation", secret: false, open };

struct Simulated {
    name: String,
    records: Arc<Mutex<Records>>,
}

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Sink>, String> {
    let records = HERE.with_borrow(Clone::clone).ok_or("there is no simulation")?;
    Ok(Arc::new(Simulated { name: opening.target.to_owned(), records }))
}

impl Sink for Simulated {
    fn name(&self) -> &str {
        &self.name
    }

    fn pace(&self) -> Pace {
        Pace::Prompt
    }

    fn confirms(&self) -> bool {
        true
    }

    fn wants(&self, topic: Topic) -> bool {
        topic == Topic::Alert
    }

    fn preview(&self, _: &[Notice]) -> Vec<String> {
        Vec::new()
    }

    fn probe(&self, _: Deadline) -> Probe {
        Probe::reached("a simulation")
    }

    fn deliver(&self, notices: &[Notice], _: Deadline) -> Result<(), String> {
        let at = Timestamp::now().as_millis();
        let mut records = self.records.lock().unwrap();
        if !records.world.reaches(&self.name, at) {
            records.refused += 1;
            return Err("no route".to_owned());
        }
        for notice in notices {
            let turn = notice.news.turn().ok_or("no alert")?;
            records.told.push(Told {
                sink: self.name.clone(),
                label: notice.job.label.to_string(),
                kind: notice.news.kind(),
                id: notice.id,
                alert: turn.alert.id,
                key: turn.alert.key.text.clone(),
                is_shared: turn.alert.key.is_shared,
                at,
            });
        }
        // It has arrived, and nobody hears of it.
        if at < records.world.calm_from && records.dice.per_mille(50) {
            records.refused += 1;
            return Err("timed out".to_owned());
        }
        Ok(())
    }
}
