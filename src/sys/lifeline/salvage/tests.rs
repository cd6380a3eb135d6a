use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::pipe;

use super::*;

/// A pipe that is read without waiting.
fn source() -> (OwnedFd, File) {
    let (reader, writer) = pipe().unwrap();
    fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    (reader, writer.into())
}

/// A descriptor that is left open for as long as the tests run.
fn kept(fd: impl IntoRawFd) -> BorrowedFd<'static> {
    // SAFETY: nobody closes it.
    unsafe { BorrowedFd::borrow_raw(fd.into_raw_fd()) }
}

fn salvage(flow: Flow<'static>) -> Salvage {
    Salvage([None, Some(Stream::new(flow))])
}

fn text(file: &mut File) -> String {
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

const NO_PARTS: [Part<'static>; 4] = [Part::NONE; 4];

#[test]
fn what_was_taken_goes_on_first_and_in_its_order_and_then_what_comes_through_the_pipe() {
    let (source, mut command) = source();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&[b'-'; 2].repeat(5000)).unwrap();
    let mut read = tempfile::tempfile().unwrap();
    let to = kept(read.try_clone().unwrap());
    let parts = [
        Part::Memory(b"one ").behind(1),
        Part::NONE,
        Part::File(kept(file), 0, 9_999).behind(1),
        Part::Memory(b" two "),
    ];
    let mut salvage = salvage(Flow { parts, source: Some(kept(source)), gone_on: 3, to, most: usize::MAX });
    command.write_all(b"ab").unwrap();
    while salvage.go_on() {}
    command.write_all(b"cthree").unwrap();
    while salvage.go_on() {}
    assert_eq!(text(&mut read), format!("ne {} two three", "-".repeat(9_998)));
    assert!(!salvage.owes() && !salvage.was_lost());
}

#[test]
fn what_the_command_had_written_when_it_ended_is_owed_and_what_others_write_is_not() {
    let (source, mut command) = source();
    let (reader, writer) = pipe().unwrap();
    let flow =
        Flow { parts: NO_PARTS, source: Some(kept(source)), gone_on: 0, to: kept(writer), most: usize::MAX };
    let mut salvage = salvage(flow);
    // More than there is room for: a pipe has 64 KiB, and so has this one.
    command.write_all(&[b'x'; 50_000]).unwrap();
    while salvage.go_on() {}
    command.write_all(&[b'y'; 50_000]).unwrap();
    salvage.settle_account();
    while salvage.go_on() {}
    assert!(salvage.owes(), "there is no room for all of it");
    let mut reader = File::from(reader);
    reader.read_exact(&mut vec![0; 50_000]).unwrap();
    while salvage.go_on() {}
    assert!(!salvage.owes());
    command.write_all(b"of another").unwrap();
    assert!(!salvage.owes());
}

#[test]
fn nobody_who_reads_it_is_an_end_and_no_loss() {
    let (source, mut command) = source();
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let parts = [Part::Memory(b"taken"), Part::NONE, Part::NONE, Part::Memory(b"more")];
    let flow = Flow { parts, source: Some(kept(source)), gone_on: 0, to: kept(writer), most: usize::MAX };
    let mut salvage = salvage(flow);
    while salvage.go_on() {}
    assert!(!salvage.owes() && !salvage.was_lost());
    let error = command.write_all(b"x").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe, "the command is told");
}

#[test]
fn what_cannot_be_written_is_lost() {
    let parts = [Part::Memory(b"taken"), Part::NONE, Part::NONE, Part::NONE];
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut salvage = salvage(Flow { parts, source: None, gone_on: 0, to: kept(full), most: usize::MAX });
    while salvage.go_on() {}
    assert!(!salvage.owes() && salvage.was_lost());
}

#[test]
fn no_more_is_written_at_once_than_the_destination_takes() {
    let parts = [Part::Memory(b"abcdef"), Part::NONE, Part::NONE, Part::NONE];
    // Of datagrams each is one write.
    let (ours, theirs) = std::os::unix::net::UnixDatagram::pair().unwrap();
    let mut salvage = salvage(Flow { parts, source: None, gone_on: 0, to: kept(ours), most: 4 });
    while salvage.go_on() {}
    let mut buffer = [0; 10];
    assert_eq!([theirs.recv(&mut buffer).unwrap(), theirs.recv(&mut buffer).unwrap()], [4, 2]);
}

#[test]
fn it_waits_for_a_signal_what_comes_or_for_room_and_not_for_nothing() {
    let (source, mut command) = source();
    let (mut reader, writer) = pipe().map(|(reader, writer)| (File::from(reader), writer)).unwrap();
    let flow =
        Flow { parts: NO_PARTS, source: Some(kept(source)), gone_on: 0, to: kept(writer), most: usize::MAX };
    let mut salvage = salvage(flow);
    let (signals, mut signaller) = self::source();
    salvage.wait(Some(signals.as_fd()), 0);
    signaller.write_all(b"x").unwrap();
    salvage.wait(Some(signals.as_fd()), -1);
    command.write_all(b"x").unwrap();
    salvage.wait(None, -1);
    assert!(salvage.go_on());
    reader.read_exact(&mut [0]).unwrap();
}
