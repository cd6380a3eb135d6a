//! PURE. Base64 with padding (RFC 4648 section 4): how bytes that are not text stand in JSON, and how keys
//! are handed out.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `bytes` in base64.
pub fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_u32, |group, &byte| group << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let index = (group >> (18 - 6 * place)) & 63;
            let written = place <= chunk.len();
            text.push(if written { char::from(ALPHABET[index as usize]) } else { '=' });
        }
    }
    text
}

/// The bytes that a text in base64 stands for; `None` if it is none. The padding may have been left out.
#[cfg(feature = "http")]
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if digits.len() % 4 == 1 || (padding > 0 && (!text.len().is_multiple_of(4) || padding > 2)) {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut group, mut bits) = (0_u32, 0);
    for digit in digits.bytes() {
        let index = ALPHABET.iter().position(|&known| known == digit)?;
        group = group << 6 | u32::try_from(index).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((group >> bits) as u8);
            group &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "http")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn base64_gives_the_test_vectors_of_rfc_4648() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[cfg(feature = "http")]
    #[test]
    fn what_is_no_base64_stands_for_nothing() {
        for bad in
            ["a", "=", "====", "Zg=", "Zg===", "Zm9v====", "Zm9vYg=", "Z g=", "Zm9-", "Zm=v", "é", "Zm9v\n"]
        {
            assert_eq!(from_base64(bad), None, "{bad:?}");
        }
        assert_eq!(from_base64("Zm9vYg"), Some(b"foob".to_vec()));
    }

    #[cfg(feature = "http")]
    proptest! {
        #[test]
        fn what_was_coded_is_read_back(bytes: Vec<u8>) {
            let coded = base64(&bytes);
            prop_assert_eq!(from_base64(&coded), Some(bytes.clone()));
            prop_assert_eq!(from_base64(coded.trim_end_matches('=')), Some(bytes));
        }
    }
}
