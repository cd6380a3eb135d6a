//! Whom a receiver's certificate must come from: the bundle that `SSL_CERT_FILE` names, as with every
//! program that uses OpenSSL, else the system's, else the one that cronward was built with.

use std::fs;
use std::path::Path;

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use crate::os_error;
use crate::plan::Variables;

/// Names a bundle of certificates in the PEM format.
const VARIABLE: &str = "SSL_CERT_FILE";

/// Where systems keep their bundle: Debian, Ubuntu, Arch and Gentoo; Fedora and its relatives; openSUSE;
/// Alpine and the BSDs.
const OF_THE_SYSTEM: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The certificates that are trusted: those of the file that the variable `first` names, if that is set, else that
/// `SSL_CERT_FILE` names. Reads a file.
///
/// # Errors
/// In words: the file that a variable names cannot be read, or there is no certificate in it.
/// Somebody who names one does not want to trust others.
pub fn roots(first: Option<&str>, variables: &Variables) -> Result<RootCerts, String> {
    let set = |name| variables.get(name).map(|path| (name, path));
    match first.and_then(set).or_else(|| set(VARIABLE)) {
        Some((name, path)) => named(name, path),
        None => Ok(of_the_system(&OF_THE_SYSTEM)),
    }
}

fn named(variable: &str, path: &str) -> Result<RootCerts, String> {
    let pem = fs::read(path)
        .map_err(|error| format!("cannot read '{path}' of {variable}: {}", os_error::words_of(&error)))?;
    let found = certificates(&pem);
    if found.is_empty() {
        return Err(format!("there is no certificate in '{path}' of {variable}; it is to be a PEM file"));
    }
    Ok(found.into())
}

/// The first of these bundles that holds a certificate.
fn of_the_system(places: &[impl AsRef<Path>]) -> RootCerts {
    let bundles = places.iter().filter_map(|place| fs::read(place).ok());
    let found = bundles.map(|pem| certificates(&pem)).find(|found| !found.is_empty());
    found.map_or(RootCerts::WebPki, RootCerts::from)
}

/// The certificates of a PEM file. What else is in it, or damaged, is passed over.
fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    let item = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        Ok(_) | Err(_) => None,
    };
    parse_pem(pem).filter_map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frame is all that is looked at here; the certificate is judged when it is needed.
    const BUNDLE: &str = "# a comment\n\
        -----BEGIN CERTIFICATE-----\nMDEy\n-----END CERTIFICATE-----\n\
        -----BEGIN PRIVATE KEY-----\nMDEy\n-----END PRIVATE KEY-----\n\
        -----BEGIN CERTIFICATE-----\nMzQ1\n-----END CERTIFICATE-----\n";

    fn count(roots: &RootCerts) -> Option<usize> {
        if let RootCerts::Specific(found) = roots { Some(found.len()) } else { None }
    }

    fn with(value: &str) -> Variables {
        Variables(vec![(VARIABLE.to_owned(), value.to_owned())])
    }

    #[test]
    fn the_bundle_of_the_variable_is_the_only_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bundle.pem");
        let name = path.to_str().unwrap();
        let refused = roots(None, &with(name)).unwrap_err();
        assert_eq!(refused, format!("cannot read '{name}' of SSL_CERT_FILE: no such file or directory"));
        fs::write(&path, "nothing of the kind").unwrap();
        let refused = roots(None, &with(name)).unwrap_err();
        assert_eq!(
            refused,
            format!("there is no certificate in '{name}' of SSL_CERT_FILE; it is to be a PEM file")
        );
        fs::write(&path, BUNDLE).unwrap();
        assert_eq!(count(&roots(None, &with(name)).unwrap()), Some(2));
    }

    #[test]
    fn another_variable_comes_before_the_usual_one_if_it_is_set() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bundle.pem");
        fs::write(&path, BUNDLE).unwrap();
        let mut variables = with(path.to_str().unwrap());
        assert_eq!(count(&roots(Some("OTHER"), &variables).unwrap()), Some(2));
        variables.0.push(("OTHER".to_owned(), "/nowhere".to_owned()));
        let refused = roots(Some("OTHER"), &variables).unwrap_err();
        assert_eq!(refused, "cannot read '/nowhere' of OTHER: no such file or directory");
    }

    #[test]
    fn without_it_the_first_bundle_of_the_system_is_taken_else_our_own() {
        let directory = tempfile::tempdir().unwrap();
        let [absent, empty, good] = ["absent", "empty", "good"].map(|name| directory.path().join(name));
        fs::write(&empty, "").unwrap();
        fs::write(&good, BUNDLE).unwrap();
        assert_eq!(count(&of_the_system(&[&absent, &empty, &good])), Some(2));
        assert!(matches!(of_the_system(&[&absent, &empty]), RootCerts::WebPki));
    }
}
