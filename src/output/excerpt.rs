//! PURE. The first and the last part of something long, in a memory that does not grow with it.

use crate::outcome;

/// Collects bytes, and keeps the first and the last of them.
#[derive(Debug)]
pub struct Excerpt {
    /// How many bytes are kept at most, at each end.
    head_max: usize,
    tail_max: usize,
    head: Vec<u8>,
    /// The last ones, as a ring once it is full.
    tail: Vec<u8>,
    /// Where the oldest byte of a full ring is.
    oldest: usize,
    total: u64,
}

impl Excerpt {
    /// Keeps so many bytes, half of them at each end.
    pub fn new(size: usize) -> Self {
        let tail_max = size / 2;
        let head_max = size - tail_max;
        Self { head_max, tail_max, head: Vec::new(), tail: Vec::new(), oldest: 0, total: 0 }
    }

    /// Adds bytes to the end.
    pub fn push(&mut self, bytes: &[u8]) {
        self.total = self.total.saturating_add(bytes.len() as u64);
        let room = self.head_max - self.head.len();
        // A vector doubles its room, and twice as much memory as was asked for would be touched.
        if self.head.try_reserve_exact(room.min(bytes.len())).is_err() {
            // Without memory for more this is where the first part ends.
            self.head_max = self.head.len();
        }
        let (first, rest) = bytes.split_at((self.head_max - self.head.len()).min(bytes.len()));
        self.head.extend_from_slice(first);
        self.push_to_tail(rest);
    }

    /// Of so many bytes that come next, one after the other, how many of the first can be left out for certain.
    pub fn spare(&self, coming: usize) -> usize {
        let has_head = self.head.len() == self.head_max;
        if has_head { coming.saturating_sub(self.tail_max) } else { 0 }
    }

    /// Adds bytes that nobody has looked at. What was the last part until now is left out with them, so that it
    /// is in one piece whatever comes.
    pub fn pass_over(&mut self, count: usize) {
        self.total = self.total.saturating_add(count as u64);
        self.tail.clear();
        self.oldest = 0;
    }

    fn push_to_tail(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() && self.tail.capacity() < self.tail_max {
            // There is memory for all of it or nothing is kept there.
            let has_room = self.tail.try_reserve_exact(self.tail_max).is_ok();
            self.tail_max = if has_room { self.tail_max } else { 0 };
        }
        let size = self.tail_max;
        if size == 0 {
            return;
        }
        let bytes = &bytes[bytes.len().saturating_sub(size)..];
        let (filling, over) = bytes.split_at((size - self.tail.len()).min(bytes.len()));
        self.tail.extend_from_slice(filling);
        let (to_end, from_start) = over.split_at((size - self.oldest).min(over.len()));
        self.tail[self.oldest..self.oldest + to_end.len()].copy_from_slice(to_end);
        self.tail[..from_start.len()].copy_from_slice(from_start);
        self.oldest = (self.oldest + over.len()) % size;
    }

    /// What was kept. Where something had to be left out, no character of UTF-8 is cut in two: what is left
    /// of it is left out, too.
    pub fn finish(mut self) -> outcome::Excerpt {
        self.tail.rotate_left(self.oldest);
        let Self { mut head, mut tail, total, .. } = self;
        if total == (head.len() + tail.len()) as u64 {
            head.append(&mut tail);
            return outcome::Excerpt { head, tail, total, left_out: 0 };
        }
        head.truncate(whole_characters(&head));
        tail.drain(..tail.iter().take(3).take_while(|&&byte| byte & 0xc0 == 0x80).count());
        let left_out = total - (head.len() + tail.len()) as u64;
        outcome::Excerpt { head, tail, total, left_out }
    }
}

/// How many bytes there are without a character that was begun and not ended.
fn whole_characters(bytes: &[u8]) -> usize {
    let last = bytes.len().saturating_sub(4);
    let Some(start) = bytes[last..].iter().rposition(|&byte| byte & 0xc0 != 0x80) else { return bytes.len() };
    // RFC 3629: the first byte says how many there are.
    let length = match bytes[last + start] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    if last + start + length > bytes.len() { last + start } else { bytes.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn excerpt(size: usize, chunks: &[&[u8]]) -> outcome::Excerpt {
        let mut excerpt = Excerpt::new(size);
        chunks.iter().for_each(|chunk| excerpt.push(chunk));
        excerpt.finish()
    }

    #[test]
    fn what_fits_is_kept_in_one_piece() {
        let kept = excerpt(10, &[b"hello", b"world"]);
        assert_eq!(
            (&kept.head[..], &kept.tail[..], kept.total, kept.left_out),
            (&b"helloworld"[..], &b""[..], 10, 0)
        );
        assert_eq!(excerpt(10, &[]), outcome::Excerpt::default());
    }

    #[test]
    fn of_what_does_not_fit_both_ends_are_kept() {
        let kept = excerpt(6, &[b"abcdefghij"]);
        assert_eq!((&kept.head[..], &kept.tail[..], kept.left_out), (&b"abc"[..], &b"hij"[..], 4));
        let kept = excerpt(1, &[b"abc"]);
        assert_eq!((&kept.head[..], &kept.tail[..], kept.left_out), (&b"a"[..], &b""[..], 2));
    }

    #[test]
    fn a_character_is_not_cut_in_two() {
        // Each has three bytes; of eight at each end, two are a part of one.
        let text = "€".repeat(10);
        let kept = excerpt(16, &[text.as_bytes()]);
        assert_eq!((&kept.head[..], &kept.tail[..]), ("€€".as_bytes(), "€€".as_bytes()));
        assert_eq!((kept.total, kept.left_out), (30, 18));
    }

    #[test]
    fn bytes_that_are_no_text_are_kept_as_they_are() {
        let kept = excerpt(8, &[&[0xff; 20]]);
        assert_eq!((kept.head.len(), kept.tail.len(), kept.left_out), (4, 4, 12));
    }

    #[test]
    fn after_what_was_passed_over_the_last_part_begins_anew() {
        let mut excerpt = Excerpt::new(6);
        assert_eq!(excerpt.spare(100), 0, "the first part is not full");
        excerpt.push(b"abcde");
        assert_eq!((excerpt.spare(2), excerpt.spare(3), excerpt.spare(10)), (0, 0, 7));
        excerpt.pass_over(7);
        excerpt.push(b"xy");
        let kept = excerpt.finish();
        assert_eq!(
            (&kept.head[..], &kept.tail[..], kept.total, kept.left_out),
            (&b"abc"[..], &b"xy"[..], 14, 9)
        );
    }

    proptest! {
        #[test]
        fn what_can_be_spared_makes_no_difference(
            bytes in proptest::collection::vec(any::<u8>(), 0..200), size in 1..60_usize,
            takes in proptest::collection::vec(1..40_usize, 1..20),
        ) {
            let mut excerpt = Excerpt::new(size);
            let mut rest = &bytes[..];
            for take in takes.iter().cycle() {
                // Not all that could be: it may come in pieces.
                let spare = excerpt.spare(rest.len()).min(*take);
                let (over, more) = rest.split_at(spare);
                if spare > 0 {
                    excerpt.pass_over(over.len());
                }
                let (chunk, more) = more.split_at(more.len().min(*take));
                excerpt.push(chunk);
                rest = more;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(excerpt.finish(), super::tests::excerpt(size, &[&bytes]));
        }

        #[test]
        fn what_is_kept_does_not_depend_on_how_it_came_and_is_never_more_than_asked_for(
            text in ".{0,200}", size in 1..300_usize, cuts in proptest::collection::vec(0..1000_usize, 0..20),
        ) {
            let bytes = text.as_bytes();
            let whole = excerpt(size, &[bytes]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts {
                chunks.push(&bytes[from..cut]);
                from = cut;
            }
            chunks.push(&bytes[from..]);
            prop_assert_eq!(&excerpt(size, &chunks), &whole);

            prop_assert!(whole.head.len() + whole.tail.len() <= size);
            prop_assert!(bytes.starts_with(&whole.head) && bytes.ends_with(&whole.tail));
            prop_assert_eq!(whole.total, (whole.head.len() + whole.tail.len()) as u64 + whole.left_out);
            prop_assert_eq!(whole.left_out == 0, bytes.len() <= size);
            prop_assert!(std::str::from_utf8(&whole.head).is_ok() && std::str::from_utf8(&whole.tail).is_ok());
        }
    }
}
