// They have to do with pipes of a size of their own.
#![cfg(target_os = "linux")]

use std::os::fd::AsRawFd;

use nix::unistd::{pipe, write};

use super::*;
use crate::output::Excerpt;

/// A stream to a pipe of the kernel's default size, which somebody reads here, with what is kept of it.
struct Bench {
    stream: Stream,
    command: OwnedFd,
    reader: OwnedFd,
    observers: Observers,
}

fn bench(kept: usize) -> Bench {
    // Without FD_CLOEXEC, as what a caller leaves open has none.
    let (reader, writer) = pipe().unwrap();
    let mut stream = Stream::passing(0, Destination::of(writer.as_raw_fd()).unwrap().unwrap());
    let command = stream.connect().unwrap();
    // It would be so once much has come.
    fcntl(&command, FcntlArg::F_SETPIPE_SZ(PIPE_SIZE)).unwrap();
    let observers = Observers { excerpt: Some(Excerpt::new(kept)), log: None };
    Bench { stream, command, reader, observers }
}

/// Bytes of which no part is like another.
fn numbered(count: u32) -> Vec<u8> {
    (0..count).flat_map(u32::to_be_bytes).collect()
}

impl Bench {
    fn kept(&mut self) -> crate::outcome::Excerpt {
        self.observers.excerpt.take().unwrap().finish()
    }
}

#[test]
fn all_of_it_arrives_and_what_is_kept_is_its_beginning_and_its_end() {
    let mut bench = bench(1000);
    let sent = numbered(100_000);
    write(&bench.command, &sent).unwrap();
    let (mut arrived, mut buffer) = (Vec::new(), vec![0; 30_000]);
    while arrived.len() < sent.len() {
        bench.stream.advance(&mut bench.observers);
        let count = read(&bench.reader, &mut buffer).unwrap();
        arrived.extend_from_slice(&buffer[..count]);
    }
    assert!(arrived == sent);
    // Taken out of the pipe after it has arrived, in part.
    bench.stream.advance(&mut bench.observers);
    let kept = bench.kept();
    assert_eq!((kept.total, kept.left_out), (400_000, 399_000));
    assert!(sent.starts_with(&kept.head) && sent.ends_with(&kept.tail));
}

#[test]
fn what_nobody_has_taken_is_kept_all_the_same() {
    let mut bench = bench(1000);
    let sent = numbered(100_000);
    write(&bench.command, &sent).unwrap();
    bench.stream.advance(&mut bench.observers);
    assert!(matches!(bench.stream.want(), Want::Room(_)), "its reader does nothing");
    bench.stream.close(&mut bench.observers);
    let kept = bench.kept();
    assert_eq!((kept.total, kept.left_out), (400_000, 399_000));
    assert!(sent.starts_with(&kept.head) && sent.ends_with(&kept.tail));
}

#[cfg(not(posix_only))]
#[test]
fn the_pipe_is_large_only_for_a_job_that_writes_much() {
    let mut bench = bench(1000);
    fcntl(&bench.command, FcntlArg::F_SETPIPE_SZ(65_536)).unwrap();
    let mut buffer = vec![0; 65_536];
    let mut sizes = Vec::new();
    for _ in 0..10 {
        write(&bench.command, &buffer[..60_000]).unwrap();
        bench.stream.advance(&mut bench.observers);
        read(&bench.reader, &mut buffer).unwrap();
        sizes.push(fcntl(&bench.command, FcntlArg::F_GETPIPE_SZ).unwrap());
    }
    assert_eq!((sizes[0], sizes[9]), (65_536, PIPE_SIZE));
}
