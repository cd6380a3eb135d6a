//! Reading a journal back from its end to the last fold, so that the cost does not grow with the
//! history, and no file, however large or strange, is read without bound.

use std::os::fd::OwnedFd;

use nix::sys::uio::pread;

use super::stored::{End, Fold, Owed, Record, read_line};
use super::under_way::Begun;

/// What is read first: a fold, the end that it came with, and what a few runs at once leave behind
/// them. A page; every run pays for it.
pub(super) const FIRST_WINDOW: u64 = 4 * 1024;
/// What is read at most. Beyond it a journal without a fold is not one.
pub(super) const LARGEST_WINDOW: u64 = 4 * 1024 * 1024;

/// The end of a journal.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// Its last fold.
    pub(super) fold: Option<Box<Fold>>,
    /// What is not in that fold, oldest first.
    pub(super) loose: Vec<Loose>,
    /// What else is to be said of it.
    pub(super) condition: Condition,
    /// Every record that begins before this offset has been read.
    pub(super) seen: u64,
}

/// A record that is in no fold.
#[derive(Debug)]
pub(super) enum Loose {
    /// A run has started.
    Start(Begun),
    /// A run has ended whose cronward could not wait for its turn.
    End(Box<End<'static>>, Vec<Owed>),
}

/// Whether a journal can be trusted to be whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Condition {
    /// It can; torn lines are ordinary.
    #[default]
    Sound,
    /// There is no fold, and there are things that cronward never wrote: what was there is lost.
    Corrupt,
    /// A cronward that writes this version has been here.
    Newer(u32),
}

/// Reads the end of a journal of `size` bytes.
///
/// # Errors
/// Those of pread(2).
pub(super) fn read(file: &OwnedFd, size: u64) -> nix::Result<Tail> {
    read_within(file, size, FIRST_WINDOW, LARGEST_WINDOW, &mut Vec::new()).map(|(tail, _)| tail)
}

/// The same, but of at least `first` bytes and at most `largest`; and how many there are of them at the front of
/// `buffer`.
///
/// # Errors
/// Those of pread(2).
pub(super) fn read_within(
    file: &OwnedFd,
    size: u64,
    first: u64,
    largest: u64,
    buffer: &mut Vec<u8>,
) -> nix::Result<(Tail, usize)> {
    let mut window = first.min(largest);
    loop {
        let from = size.saturating_sub(window);
        let filled = read_range_into(file, from, size, buffer)?;
        match scan(&buffer[..filled], from) {
            Ok(tail) => return Ok((tail, filled)),
            Err(tail) if window >= largest => return Ok((tail, filled)),
            Err(_) => window = (window * 4).min(largest),
        }
    }
}

/// The same, if it is within the last `largest` bytes; `None` if more would have to be read.
///
/// # Errors
/// Those of pread(2).
pub(super) fn read_if_near(file: &OwnedFd, size: u64, largest: u64) -> nix::Result<Option<Tail>> {
    let mut window = FIRST_WINDOW;
    loop {
        let from = size.saturating_sub(window);
        match scan(&read_range(file, from, size)?, from) {
            Ok(tail) => return Ok(Some(tail)),
            Err(_) if window >= largest => return Ok(None),
            Err(_) => window = (window * 4).min(largest),
        }
    }
}

/// The bytes of a file from one offset to another, or to its end.
///
/// # Errors
/// Those of pread(2).
pub(super) fn read_range(file: &OwnedFd, from: u64, to: u64) -> nix::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let filled = read_range_into(file, from, to, &mut bytes)?;
    bytes.truncate(filled);
    Ok(bytes)
}

/// The same, at the front of a buffer, which is made as large as it has to be; how many bytes there are.
fn read_range_into(file: &OwnedFd, from: u64, to: u64, buffer: &mut Vec<u8>) -> nix::Result<usize> {
    let length = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
    if buffer.len() < length {
        // Fresh memory is zero already; to fill up what is there would be three instructions a byte.
        *buffer = vec![0; length];
    }
    let mut filled = 0;
    while filled < length {
        let offset = i64::try_from(from).unwrap_or(i64::MAX).saturating_add_unsigned(filled as u64);
        match pread(file, &mut buffer[filled..length], offset)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// Reads `bytes`, the end of a journal from offset `from` on. `Err`: as far as can be said, but more
/// of the file would say more.
fn scan(bytes: &[u8], from: u64) -> Result<Tail, Tail> {
    let mut tail = Tail::default();
    let mut alien = false;
    // What does not end in a newline may be half of what is just being written; it is read again
    // next time.
    tail.seen = from + newline_before(bytes, bytes.len()).map_or(0, |newline| newline as u64 + 1);
    let mut end = bytes.len();
    let whole = loop {
        let start = newline_before(bytes, end).map_or(0, |newline| newline + 1);
        let at = from + start as u64;
        if tail.fold.as_ref().is_some_and(|fold| at < fold.seen) {
            break true;
        }
        if start == 0 && from > 0 {
            break false;
        }
        if start < end {
            match read_line(&bytes[start..end]) {
                Record::Start(begun) => tail.loose.push(Loose::Start(begun)),
                Record::End(end, owed) => tail.loose.push(Loose::End(end, owed)),
                Record::Fold(mut fold) if tail.fold.is_none() => {
                    fold.seen = fold.seen.min(at);
                    tail.fold = Some(fold);
                }
                Record::Newer(version) if tail.fold.is_none() => {
                    tail.condition = Condition::Newer(version);
                    return Ok(tail);
                }
                Record::Fold(_) | Record::Newer(_) | Record::Torn => {}
                Record::Alien => alien = true,
            }
        }
        match start {
            0 => break true,
            _ => end = start - 1,
        }
    };
    tail.loose.reverse();
    if tail.fold.is_none() && (alien || !whole) {
        tail.condition = Condition::Corrupt;
    }
    if whole { Ok(tail) } else { Err(tail) }
}

fn newline_before(bytes: &[u8], end: usize) -> Option<usize> {
    memchr::memrchr(b'\n', &bytes[..end])
}

#[cfg(test)]
mod tests;
