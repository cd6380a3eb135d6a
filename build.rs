//! The release is linked without the tables that an unwinder reads, a tenth of the binary: nothing unwinds there
//! (`panic = "abort"` in Cargo.toml, src/sys/unwind.rs). Other profiles keep them, for the unit tests; so this is not
//! in .cargo/config.toml, which knows no profiles. Where that adds link/hot-first.ld, the linker reads such files.
//!
//! And `posix_only`: what is compiled does without all that Linux alone has (src/sys/mod.rs).

use std::env;

/// Has a build for Linux do so, too: to test it.
const POSIX_ONLY: &str = "CRONWARD_POSIX_ONLY";

fn main() {
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if is_release && flags.contains("link/hot-first.ld") {
        println!("cargo::rustc-link-arg-bins=-Wl,-T,link/no-unwinding.ld");
    }
    println!("cargo::rerun-if-changed=link/no-unwinding.ld");

    let is_linux = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux");
    println!("cargo::rustc-check-cfg=cfg(posix_only)");
    if !is_linux || env::var_os(POSIX_ONLY).is_some() {
        println!("cargo::rustc-cfg=posix_only");
    }
    println!("cargo::rerun-if-env-changed={POSIX_ONLY}");
}
