//! Output that is held back: in memory up to a bound, then in a file without a name, which goes with its
//! last descriptor whatever happens to this process.

use std::fs::{File, OpenOptions, remove_file};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc;

use crate::sys::kernel;
use crate::sys::lifeline::Part;
use crate::sys::random;

/// How much is held in memory, in bytes.
const MEMORY_MAX: usize = 1024 * 1024;

/// Bytes in the order in which they came.
#[derive(Debug, Default)]
pub struct Held {
    memory: Vec<u8>,
    file: Option<File>,
    in_file: u64,
    /// What came last and found no room in the file.
    over: Vec<u8>,
    /// Where files are made, the first that can be; in memory nothing is held that has no place there.
    places: Vec<PathBuf>,
}

impl Held {
    /// Nothing yet. Beyond what memory is for, it will go to a file in the first of these directories that
    /// takes one.
    pub fn new(places: Vec<PathBuf>) -> Self {
        Self { places, ..Self::default() }
    }

    /// How many bytes are held.
    pub fn length(&self) -> u64 {
        self.memory.len() as u64 + self.in_file + self.over.len() as u64
    }

    /// Holds more.
    ///
    /// # Errors
    /// There is no room in any file. These bytes are held all the same, in memory; no more may come.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut done = 0;
        if self.in_file == 0 {
            if self.memory.capacity() == 0 {
                // Room that is not touched costs nothing; a vector that grows would be copied. Without any,
                // all of it goes to the file.
                let _ = self.memory.try_reserve_exact(MEMORY_MAX);
            }
            done = bytes.len().min(MEMORY_MAX.min(self.memory.capacity()) - self.memory.len());
            self.memory.extend_from_slice(&bytes[..done]);
        }
        if done == bytes.len() {
            return Ok(());
        }
        let (written, result) = self.push_to_file(&bytes[done..]);
        self.in_file += written as u64;
        if result.is_err() {
            self.over.extend_from_slice(&bytes[done + written..]);
        }
        result
    }

    fn push_to_file(&mut self, bytes: &[u8]) -> (usize, io::Result<()>) {
        let file = match &self.file {
            Some(file) => file,
            None => match nameless(&self.places) {
                Ok(file) => self.file.insert(file),
                Err(error) => return (0, Err(error)),
            },
        };
        let mut written = 0;
        while written < bytes.len() {
            match file.write_at(&bytes[written..], self.in_file + written as u64) {
                Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (written, Err(error)),
            }
        }
        (written, Ok(()))
    }

    /// What is held, from a place on, in its order.
    pub fn parts(&self, at: u64) -> [Part<'_>; 3] {
        let behind_memory = at.saturating_sub(self.memory.len() as u64);
        let file = self.file.as_ref().map_or(Part::NONE, |file| Part::File(file.as_fd(), 0, self.in_file));
        [
            Part::Memory(&self.memory).behind(at),
            file.behind(behind_memory),
            Part::Memory(&self.over).behind(behind_memory.saturating_sub(self.in_file)),
        ]
    }

    /// Where what is behind the file begins: for who cannot read the file.
    pub fn behind_file(&self) -> u64 {
        self.memory.len() as u64 + self.in_file
    }

    /// Reads what is held from a place on; 0 at the end.
    ///
    /// # Errors
    /// Those of read(2).
    pub fn read(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let behind_memory = at.checked_sub(self.memory.len() as u64);
        let behind_file = behind_memory.and_then(|at| at.checked_sub(self.in_file));
        match (behind_memory, behind_file, &self.file) {
            (None, _, _) => Ok(copy(&self.memory, at, buffer)),
            (Some(at), None, Some(file)) => {
                let left = usize::try_from(self.in_file - at).unwrap_or(usize::MAX);
                let room = buffer.len().min(left);
                loop {
                    match file.read_at(&mut buffer[..room], at) {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        read => return read,
                    }
                }
            }
            (_, behind_file, _) => Ok(copy(&self.over, behind_file.unwrap_or(0), buffer)),
        }
    }
}

fn copy(from: &[u8], at: u64, to: &mut [u8]) -> usize {
    let rest = usize::try_from(at).ok().and_then(|at| from.get(at..)).unwrap_or_default();
    let count = rest.len().min(to.len());
    to[..count].copy_from_slice(&rest[..count]);
    count
}

/// A file that nobody else can open, in the first of these directories that takes one.
fn nameless(places: &[PathBuf]) -> io::Result<File> {
    let mut trouble = io::Error::from(io::ErrorKind::NotFound);
    for place in places {
        match in_directory(place) {
            Ok(file) => return Ok(file),
            Err(error) => trouble = error,
        }
    }
    Err(trouble)
}

fn in_directory(place: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    match kernel::NAMELESS.map(|flag| options.clone().custom_flags(flag).open(place)) {
        // No such thing on this file system (open(2)): a name for as long as it takes to take it away.
        Some(Err(error))
            if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL)) => {}
        Some(opened) => return opened,
        None => {}
    }
    let name =
        random::bytes().iter().fold(String::from(".cronward-"), |name, byte| format!("{name}{byte:02x}"));
    let path = place.join(name);
    let file = options.create_new(true).custom_flags(libc::O_NOFOLLOW).open(&path)?;
    remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(held: &Held) -> Vec<u8> {
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 70_000]);
        loop {
            match held.read(bytes.len() as u64, &mut buffer).unwrap() {
                0 => return bytes,
                count => bytes.extend_from_slice(&buffer[..count]),
            }
        }
    }

    #[test]
    fn what_is_held_comes_back_in_its_order_also_beyond_what_memory_is_for() {
        let place = tempfile::tempdir().unwrap();
        for size in [0, 1, MEMORY_MAX - 1, MEMORY_MAX, MEMORY_MAX + 1, 3 * MEMORY_MAX + 7] {
            let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let mut held = Held::new(vec![place.path().into()]);
            bytes.chunks(65_537).for_each(|chunk| held.push(chunk).unwrap());
            assert_eq!(held.length(), size as u64);
            assert!(all(&held) == bytes, "{size}");
            assert!(held.memory.capacity() <= MEMORY_MAX);
        }
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "no file has a name");
    }

    #[test]
    fn the_first_directory_that_takes_a_file_is_used() {
        let place = tempfile::tempdir().unwrap();
        let mut held = Held::new(vec!["/no/such".into(), place.path().into()]);
        held.push(&vec![b'x'; MEMORY_MAX + 10]).unwrap();
        assert_eq!(all(&held).len(), MEMORY_MAX + 10);
    }

    #[test]
    fn what_finds_no_room_is_told_and_held_all_the_same() {
        let mut held = Held::new(vec!["/no/such".into()]);
        let error = held.push(&vec![b'x'; MEMORY_MAX + 10]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!((all(&held).len(), held.length()), (MEMORY_MAX + 10, MEMORY_MAX as u64 + 10));
    }
}
