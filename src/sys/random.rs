//! Bytes that nobody else has drawn.

use std::time::SystemTime;

use super::kernel;

/// Ten random bytes, as many as a UUID version 7 has room for. They make ids unique;
/// nothing secret hangs on them. Where the kernel has none to give, the clock and the process
/// stand in.
pub fn bytes() -> [u8; 10] {
    let mut bytes = [0_u8; 10];
    if !kernel::draw(&mut bytes) {
        let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        bytes[..6].copy_from_slice(&nanos.to_le_bytes()[..6]);
        bytes[6..].copy_from_slice(&std::process::id().to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_draws_differ() {
        assert_ne!(super::bytes(), super::bytes());
    }
}
