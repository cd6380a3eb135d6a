//! Errors of system calls as people read them: the C library's words, in lower case and without the
//! number.

use std::io;

use nix::errno::Errno;

/// `no such file or directory`.
pub fn words(errno: Errno) -> String {
    words_of(&errno.into())
}

/// The same of an error of the standard library, which may have been none of a system call.
pub fn words_of(error: &io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error() {
        Some(_) => text.split(" (os error").next().unwrap_or(&text).to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_in_lower_case_and_has_no_number() {
        assert_eq!(words(Errno::ENOENT), "no such file or directory");
        assert_eq!(words_of(&io::Error::from_raw_os_error(13)), "permission denied");
        assert_eq!(words_of(&io::Error::other("failed to look it up")), "failed to look it up");
    }
}
