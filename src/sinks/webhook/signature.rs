//! Signatures of Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks): the receiver, who
//! has the same secret, can tell who has sent it, when, and that nobody has changed it.

use ring::hmac::{Context, HMAC_SHA256, Key};

use crate::base64::{base64, from_base64};
use crate::sinks::secret::Secret;

/// What a secret begins with, so that people know it when they see it.
const PREFIX: &str = "whsec_";

/// A key for signatures.
pub struct SigningKey(Key);

impl SigningKey {
    /// Reads it where it stands: `whsec_` and base64, or base64 alone.
    ///
    /// # Errors
    /// In words, without the secret: it cannot be read, or is none.
    pub fn read(secret: &Secret) -> Result<Self, String> {
        let text = secret.read()?;
        let bytes = from_base64(text.strip_prefix(PREFIX).unwrap_or(&text)).filter(|bytes| !bytes.is_empty());
        let place = || secret.reference().map_or_else(String::new, |place| format!(" in '{place}'"));
        let bytes = bytes.ok_or_else(|| format!("the secret{} is not '{PREFIX}' and base64", place()))?;
        Ok(Self(Key::new(HMAC_SHA256, &bytes)))
    }

    /// The value of the header: `v1,` and the code of id, time in seconds and body, with dots between.
    pub fn sign(&self, id: &str, timestamp: &str, body: &str) -> String {
        let mut context = Context::with_key(&self.0);
        for part in [id, ".", timestamp, ".", body] {
            context.update(part.as_bytes());
        }
        format!("v1,{}", base64(context.sign().as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<SigningKey, String> {
        SigningKey::read(&Secret::new(text, &["KEY=no base64".into()]).unwrap())
    }

    /// Python's hmac has worked them out.
    #[test]
    fn a_signature_is_that_of_another_implementation() {
        for (secret, expected) in [
            ("whsec_a2tra2tra2tra2tra2tra2tra2tra2tr", "JqclAuA3Yy8SewghtC/ejsf6Zg9Y2E12q/UdrmLLtQw="),
            ("a2tra2tra2tra2tra2tra2tra2tra2tr", "JqclAuA3Yy8SewghtC/ejsf6Zg9Y2E12q/UdrmLLtQw="),
            ("whsec_AP+/", "w1Boyechfftyl7c3X6UBXK7v2E2HwpPNI5Y3rSPMibc="),
        ] {
            let signature = key(secret).unwrap().sign("id", "1700000000", "{\"é\":1}");
            assert_eq!(signature, format!("v1,{expected}"), "{secret}");
        }
    }

    #[test]
    fn a_secret_that_is_none_is_refused_without_being_repeated() {
        for (text, said) in [
            ("", "the secret is not 'whsec_' and base64"),
            ("whsec_", "the secret is not 'whsec_' and base64"),
            ("whsec_ab cd", "the secret is not 'whsec_' and base64"),
            ("whsek_abcd", "the secret is not 'whsec_' and base64"),
            ("correct horse", "the secret is not 'whsec_' and base64"),
            ("env:KEY", "the secret in 'env:KEY' is not 'whsec_' and base64"),
            ("env:NOT", "variable 'NOT' is not set"),
        ] {
            assert_eq!(key(text).err().as_deref(), Some(said), "{text}");
        }
    }
}
