//! A URL that is a secret: it was written down as it is, or it stands in a file or a variable.

use std::ffi::OsString;
use std::sync::OnceLock;

use super::url::Url;
use crate::sinks::secret::Secret;

/// A URL, or where it is.
pub struct SecretUrl {
    pub(super) secret: Secret,
    /// Once it has been read.
    url: OnceLock<Url>,
}

impl SecretUrl {
    /// Reads the target of a sink. `environment` are `NAME=VALUE` words.
    ///
    /// # Errors
    /// In words, without the text: it refers to nothing, or what was written down as it is, is no URL.
    pub fn new(target: &str, environment: &[OsString]) -> Result<Self, String> {
        let secret = Secret::new(target, environment)?;
        let url = match secret.reference() {
            Some(_) => OnceLock::new(),
            None => OnceLock::from(Url::parse(&secret.read()?)?),
        };
        Ok(Self { secret, url })
    }

    /// What may be shown: where the URL is, or its origin.
    pub fn shown(&self) -> String {
        match (self.secret.reference(), self.url.get()) {
            (Some(reference), _) => reference,
            (None, Some(url)) => format!("{url:?}"),
            (None, None) => "…".to_owned(),
        }
    }

    /// The URL. Only success is kept: a file that was not there at the start of a run may be there at its
    /// end.
    ///
    /// # Errors
    /// In words, without the text: it cannot be read, or is no URL.
    pub fn url(&self) -> Result<&Url, String> {
        if let Some(url) = self.url.get() {
            return Ok(url);
        }
        let url = Url::parse(&self.secret.read()?)?;
        Ok(self.url.get_or_init(|| url))
    }
}
