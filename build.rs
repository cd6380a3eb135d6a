//! The release for musl is linked without the tables that an unwinder reads: a tenth of the binary, and nothing
//! unwinds (`panic = "abort"` in Cargo.toml, src/sys/unwind.rs). Not so other profiles, of which the unit tests do; and
//! not by .cargo/config.toml, which knows no profiles.

#![expect(clippy::print_stdout, reason = "so Cargo is told")]

use std::env;

fn main() {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "musl") {
        println!("cargo::rustc-link-arg-bins=-Wl,-T,link/no-unwinding.ld");
    }
    println!("cargo::rerun-if-changed=link/no-unwinding.ld");
}
