//! The allocator. A run makes a few hundred small allocations, most of them for the life of the
//! process, which is over a millisecond after its job. A general allocator asks the kernel for pages
//! by the handful, gives them back and faults them in again (half of our instructions and a quarter of
//! our system calls, measured by `benches/run`); here they come one behind the other out of one piece
//! of memory that costs nothing until it is touched. When it is used up, the system's
//! allocator serves the rest, so that work which does last, such as `status` over many jobs, reuses
//! its memory as usual. Where the system has none, for a moment or under a limit (RLIMIT_AS), there is a
//! reserve: without it Rust ends the process, and the exit status of the command would be lost.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::hint::black_box;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Size of the arena, in bytes: several times what a run needs, the stack of its child included.
const SIZE: usize = 256 * 1024;

/// Size of the reserve behind the ordinary room, in bytes: what a run may still want when the system has no memory.
const RESERVE: usize = 256 * 1024;

/// Alignment of every block, in bytes: malloc(3)'s, whatever less a layout asks for. C relies on it, and so does the
/// unwinder of the unit tests: the exception of a panic is 8-aligned as Rust declares it, and written to there by
/// instructions that fault unless it is 16-aligned.
const ALIGN: usize = 16;

/// Memory that begins as untouched zero pages.
#[repr(C, align(4096))]
struct Room(UnsafeCell<[u8; SIZE + RESERVE]>);

// SAFETY: the bytes are only handed out in disjoint blocks, see `Arena`.
unsafe impl Sync for Room {}

static ROOM: Room = Room(UnsafeCell::new([0; SIZE + RESERVE]));

/// How much of the room is in use: the end of its last block.
static USED: AtomicUsize = AtomicUsize::new(0);

struct Arena;

#[global_allocator]
static ARENA: Arena = Arena;

impl Arena {
    /// Where a pointer lies in the room; `None`: it is the system's.
    fn place(pointer: *mut u8) -> Option<usize> {
        let at = (pointer as usize).wrapping_sub(ROOM.0.get() as usize);
        (at < SIZE + RESERVE).then_some(at)
    }

    /// A block that ends before `limit`; null if there is no room for it.
    fn cut(layout: Layout, limit: usize) -> *mut u8 {
        let base = ROOM.0.get().cast::<u8>();
        loop {
            let used = USED.load(Ordering::Relaxed);
            // The room is aligned to a page; no layout of ours asks for more.
            let start = used.next_multiple_of(layout.align().max(ALIGN));
            let end = start.saturating_add(layout.size());
            if end > limit || layout.align() > 4096 {
                return ptr::null_mut();
            }
            if Self::move_end(used, end, limit) {
                return base.wrapping_add(start);
            }
        }
    }

    /// Moves the end of the last block from `from` to `to`, at most `limit`. False if another block is the last.
    ///
    /// Blocks are disjoint, so only the block that ends at `from` can be the last one while `USED` is
    /// `from`. Acquire and release: whoever is given memory that another thread gave back must
    /// see that thread done with it.
    fn move_end(from: usize, to: usize, limit: usize) -> bool {
        to <= limit && USED.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// Whether the system's allocator has room for a few small blocks. To be asked before a thread is made: Rust allocates
/// the handle of one there and not in the room, and ends the process if it cannot.
pub fn system_has_room() -> bool {
    // As large as that handle: blocks of one size come from one page.
    const HANDLE: Layout = Layout::new::<[u64; 6]>();
    // SAFETY: the layout is not empty. The block is not given back: it keeps the blocks beside it at hand. The compiler may
    // leave out an allocation that nobody looks at.
    unsafe { !black_box(System.alloc(HANDLE)).is_null() }
}

// Kept out of line: inlined everywhere, these few instructions are 50 kB of binary.
//
// SAFETY: a block is the span between two values of USED that one compare-and-swap went through, so
// no two live blocks share a byte; it is aligned as asked; whatever is not in the room came from
// System and goes back there.
unsafe impl GlobalAlloc for Arena {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let cut = Self::cut(layout, SIZE);
        if !cut.is_null() {
            return cut;
        }
        // SAFETY: the caller's layout, unchanged.
        let block = unsafe { System.alloc(layout) };
        if block.is_null() { Self::cut(layout, SIZE + RESERVE) } else { block }
    }

    #[inline(never)]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match Self::place(pointer) {
            // Not the last block: its bytes stay unused, which the size of the room allows for.
            Some(at) => drop(Self::move_end(at + layout.size(), at, SIZE + RESERVE)),
            // SAFETY: not from the room, so from System, with this layout.
            None => unsafe { System.dealloc(pointer, layout) },
        }
    }

    #[inline(never)]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match Self::place(pointer) {
            Some(at) => {
                if Self::move_end(at + layout.size(), at + size, SIZE) || size <= layout.size() {
                    return pointer;
                }
            }
            None => {
                // SAFETY: not from the room, so from System, with this layout.
                let block = unsafe { System.realloc(pointer, layout, size) };
                if !block.is_null() {
                    return block;
                }
            }
        }
        // SAFETY: the caller promises a size that makes a layout; the new block is another one and at
        // least as large as the old.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(pointer, new, layout.size().min(size));
                self.dealloc(pointer, layout);
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    /// Every thread fills its own vectors and finds them unchanged, whatever the others do, also
    /// beyond what the room holds.
    #[test]
    fn memory_that_is_handed_out_belongs_to_one_owner() {
        let fill = |seed: u8| {
            let mut kept: Vec<Vec<u8>> = Vec::new();
            for round in 0..2000_usize {
                let mut block = Vec::with_capacity(round % 7 + 1);
                for step in 0..round % 97 {
                    block.push(seed.wrapping_add((round + step) as u8));
                }
                block.shrink_to(block.len() / 2);
                kept.push(block);
                if round % 3 == 0 {
                    kept.swap_remove(round / 5 % kept.len());
                }
                if round % 11 == 0 {
                    kept.pop();
                }
            }
            for block in &kept {
                for (step, byte) in block.iter().enumerate().skip(1) {
                    assert_eq!(*byte, block[0].wrapping_add(step as u8));
                }
            }
        };
        let threads: Vec<_> = (0..4).map(|seed| thread::spawn(move || fill(seed * 50))).collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no owner found another's bytes"));
    }

    #[test]
    fn zeroed_memory_is_zero_also_where_somebody_was_before() {
        drop(vec![0xff_u8; 3000]);
        assert!(vec![0_u8; 3000].iter().all(|&byte| byte == 0));
    }

    /// The C unwinder relies on it when Rust throws a panic (see `ALIGN`).
    #[test]
    fn every_block_is_aligned_like_those_of_malloc() {
        for size in 1..100 {
            let (odd, block) = (vec![0_u8; size], Box::new([0_u64; 5]));
            assert_eq!(
                (odd.as_ptr() as usize % 16, block.as_ptr() as usize % 16),
                (0, 0),
                "behind {size} bytes"
            );
        }
    }

    #[test]
    fn alignment_is_as_asked() {
        #[repr(align(64))]
        struct Aligned([u8; 64]);
        let boxes: Vec<Box<Aligned>> = (0..10).map(|byte| Box::new(Aligned([byte; 64]))).collect();
        for (index, aligned) in boxes.iter().enumerate() {
            assert_eq!(std::ptr::from_ref(&**aligned) as usize % 64, 0);
            assert_eq!(usize::from(aligned.0[63]), index);
        }
    }
}
