//! `--produces`: whether a run has written what it was to write. The files are looked for after the
//! command, and what is made of them is pure.

mod search;

use std::ffi::OsStr;
use std::path::Path;

use jiff::tz::TimeZone;

use crate::clock::Timestamp;
use crate::expectation::{Band, Missed, Product, SizeBound};
use crate::human;
use crate::outcome::Produced;
use search::{File, Found, NAMES_MAX};

/// How far the clock that a kernel stamps files by is behind the one that a start is read from, in
/// milliseconds: it goes on by ticks, of which there are a hundred a second at least.
const TICK: i64 = 10;

/// The coarsest clock of a file system, in milliseconds: FAT counts in two seconds, others in one.
const WHOLE_SECONDS: i64 = 2000;

/// Looks for what a run that ended well was to produce. Gives what it found, with the first that is
/// not as it should be in front; and a sentence for each product that is wrong or missing, in the order
/// of the products. `last_good` is the size, in bytes, that a pattern had after the last good run.
///
/// Relative patterns start at the working directory.
pub fn look(
    products: &[Product],
    started_at: Timestamp,
    last_good: &dyn Fn(&str) -> Option<u64>,
) -> (Vec<Produced>, Vec<String>) {
    let (now, zone) = (Timestamp::now(), TimeZone::system());
    let (mut right, mut wrong, mut sentences) = (Vec::new(), Vec::new(), Vec::new());
    for product in products {
        let found = search::newest(&product.pattern, NAMES_MAX);
        let last_good = last_good(&product.pattern);
        let sentence = verdict(product, &found, &Circumstances { started_at, now, zone: &zone, last_good });
        if let Some(File { path, bytes, .. }) = found.newest {
            let path = std::path::absolute(&path).unwrap_or(path);
            let file = Produced { pattern: product.pattern.clone(), path, bytes };
            if sentence.is_some() { wrong.push(file) } else { right.push(file) }
        }
        sentences.extend(sentence);
    }
    (wrong.into_iter().chain(right).collect(), sentences)
}

/// What a file is judged by.
struct Circumstances<'a> {
    started_at: Timestamp,
    now: Timestamp,
    /// Of the people who read it.
    zone: &'a TimeZone,
    last_good: Option<u64>,
}

/// What is wrong with what was found, in words; `None` if nothing is.
fn verdict(product: &Product, found: &Found, circumstances: &Circumstances<'_>) -> Option<String> {
    let pattern = &product.pattern;
    let wrong = match &found.newest {
        Some(file) => stale(file, circumstances)
            .or_else(|| outside(&file.path, file.bytes, &product.size, circumstances.last_good)),
        None if found.not_files => Some(format!("'{pattern}' matches no regular file")),
        None => Some(match &found.trouble {
            Some(trouble) => format!("'{pattern}' matches nothing: {trouble}"),
            None => format!("'{pattern}' matches nothing"),
        }),
    };
    // A better one may be among those that were not looked at.
    if found.cut_short && wrong.is_some() {
        return Some(format!("'{pattern}' has more than {NAMES_MAX} names to look through; name fewer"));
    }
    wrong
}

/// That a file was not written since the start of the run.
fn stale(file: &File, circumstances: &Circumstances<'_>) -> Option<String> {
    let Circumstances { started_at, now, zone, .. } = circumstances;
    let slack = if file.modified.nanos == 0 { WHOLE_SECONDS + TICK } else { TICK };
    let modified = file.modified.timestamp();
    let written = modified.as_millis().saturating_add(slack) >= started_at.as_millis();
    (!written).then(|| {
        let (at, ago) = (human::local(modified, zone), human::ago(*now, modified));
        format!("{} was not written by this run (last written {at}, {ago})", name(&file.path))
    })
}

/// That a file of that many bytes lies outside its band. Of a share, nothing is known before the first
/// good run; and of nothing, everything is a share.
fn outside(path: &Path, bytes: u64, size: &Band<SizeBound>, last_good: Option<u64>) -> Option<String> {
    let last_good = last_good.filter(|&last_good| last_good > 0);
    let hundredths = |bound: SizeBound| match bound {
        SizeBound::Bytes(bytes) => Some(u128::from(bytes) * 100),
        SizeBound::Percent(percent) => last_good.map(|last| u128::from(last) * u128::from(percent)),
    };
    let missed = missed(size, u128::from(bytes) * 100, hundredths)?;
    let limit = hundredths(*missed.bound()).map(|limit| u64::try_from(limit / 100).unwrap_or(u64::MAX))?;
    // Rounded alike, they would contradict the sentence.
    let alike = human::bytes(bytes) == human::bytes(limit);
    let shown = |bytes: u64| if alike { format!("{bytes} B") } else { human::bytes(bytes) };
    let (name, size, words) = (name(path), shown(bytes), missed.words());
    Some(match (missed, last_good) {
        (Missed::AtLeast(_), Some(last_good)) if bytes == 0 => {
            format!("{name} is 0 B, last good {}", human::bytes(last_good))
        }
        (
            Missed::AtLeast(SizeBound::Percent(percent)) | Missed::AtMost(SizeBound::Percent(percent)),
            last,
        ) => {
            let last = shown(last.unwrap_or(0));
            format!("{name} is {size}, expected {words} {percent}% of the last good {last}")
        }
        (Missed::AtLeast(SizeBound::Bytes(bound)) | Missed::AtMost(SizeBound::Bytes(bound)), _) => {
            format!("{name} is {size}, expected {words} {}", shown(bound))
        }
    })
}

fn missed(
    size: &Band<SizeBound>,
    hundredths_of_size: u128,
    hundredths: impl Fn(SizeBound) -> Option<u128>,
) -> Option<Missed<SizeBound>> {
    let below = |bound: &SizeBound| hundredths(*bound).is_some_and(|bound| hundredths_of_size < bound);
    let above = |bound: &SizeBound| hundredths(*bound).is_some_and(|bound| hundredths_of_size > bound);
    let at_least = size.min.filter(below).map(Missed::AtLeast);
    at_least.or_else(|| size.max.filter(above).map(Missed::AtMost))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(OsStr::new("it")).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
