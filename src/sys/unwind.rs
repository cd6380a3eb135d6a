//! In place of an unwinder, which would find nothing to read: `build.rs` has the linker leave out the tables. The
//! standard library asks one for the backtrace of a panic, which nobody is ever shown, since all of ours end in
//! `rescue`. Compiled together with an unwinder that has nothing to say, all that reads and prints a backtrace is left
//! out as well: 190 kB, with the unwinder itself.
//!
//! The names are those of the Itanium C++ ABI (level I) and of what GCC has added to it; all of them, so that no other
//! unwinder is wanted by the linker. Only for musl, which is linked statically, and whose C functions want none.

use std::ffi::{c_int, c_void};
use std::ptr;

type Pointer = *mut c_void;

/// Functions that do nothing, and what they return.
macro_rules! nothing {
    ($($name:ident($($argument:ty),*) -> $type:ty = $value:expr;)*) => {
        $(#[unsafe(no_mangle)]
        extern "C" fn $name($(_: $argument),*) -> $type {
            $value
        })*
    };
}

/// What tells of a walk that it has come to the end of the stack (`_URC_END_OF_STACK`).
const END_OF_STACK: c_int = 5;

// There is no frame, and so there is nothing to be said of one.
nothing! {
    _Unwind_Backtrace(Pointer, Pointer) -> c_int = END_OF_STACK;
    _Unwind_ForcedUnwind(Pointer, Pointer, Pointer) -> c_int = END_OF_STACK;
    _Unwind_RaiseException(Pointer) -> c_int = END_OF_STACK;
    _Unwind_Resume(Pointer) -> ! = std::process::abort();
    _Unwind_Resume_or_Rethrow(Pointer) -> c_int = END_OF_STACK;
    _Unwind_DeleteException(Pointer) -> () = ();
    _Unwind_FindEnclosingFunction(Pointer) -> Pointer = ptr::null_mut();
    _Unwind_GetCFA(Pointer) -> usize = 0;
    _Unwind_GetDataRelBase(Pointer) -> usize = 0;
    _Unwind_GetGR(Pointer, c_int) -> usize = 0;
    _Unwind_GetIP(Pointer) -> usize = 0;
    _Unwind_GetIPInfo(Pointer, *mut c_int) -> usize = 0;
    _Unwind_GetLanguageSpecificData(Pointer) -> Pointer = ptr::null_mut();
    _Unwind_GetRegionStart(Pointer) -> usize = 0;
    _Unwind_GetTextRelBase(Pointer) -> usize = 0;
    _Unwind_SetGR(Pointer, c_int, usize) -> () = ();
    _Unwind_SetIP(Pointer, usize) -> () = ();
}
