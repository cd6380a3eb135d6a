//! The release is linked without the tables that an unwinder reads, a tenth of the binary: nothing unwinds there
//! (`panic = "abort"` in Cargo.toml, src/sys/unwind.rs). Other profiles keep them, for the unit tests; so this is not
//! in .cargo/config.toml, which knows no profiles. Where that adds link/hot-first.ld, the linker reads such files.

use std::env;

fn main() {
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if is_release && flags.contains("link/hot-first.ld") {
        println!("cargo::rustc-link-arg-bins=-Wl,-T,link/no-unwinding.ld");
    }
    println!("cargo::rerun-if-changed=link/no-unwinding.ld");
}
