//! TLS against a server with a certificate of an authority that nobody knows, `tests/tls/ca.pem` (made
//! by openssl, good until 2099; the authority's own key was thrown away).

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::sinks::delivery;

fn file(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name).to_str().unwrap().to_owned()
}

/// A server whose certificate is for 127.0.0.1. It answers every connection by 200.
fn server() -> SocketAddr {
    let certificate = CertificateDer::from_pem_file(file("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(session, connection);
            let mut head = Vec::new();
            let mut byte = [0];
            // Refused by the client, it reads nothing.
            while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    });
    address
}

/// What a client with these certificates hears, on a stack such as a sink has.
fn said(url: String, bundle: &str) -> Result<u16, String> {
    let variables = Variables(vec![("SSL_CERT_FILE".to_owned(), bundle.to_owned())]);
    let send = move || {
        let url = Url::parse(&url).unwrap();
        let request = Request { method: Method::POST, url: &url, headers: &[], body: b"" };
        let deadline = Deadline::after(Duration::from_secs(30));
        Client::new(&variables).send(&request, deadline).map(|answer| answer.status())
    };
    thread::Builder::new().stack_size(delivery::STACK).spawn(send).unwrap().join().unwrap()
}

#[test]
fn a_certificate_of_an_authority_in_ssl_cert_file_is_trusted_and_no_other() {
    let address = server();
    assert_eq!(said(format!("https://{address}/secret"), &file("ca.pem")), Ok(200));

    let directory = tempfile::tempdir().unwrap();
    let bundle = directory.path().join("other.pem");
    // One that is well formed, and is no issuer of the server's.
    std::fs::copy(file("server.pem"), &bundle).unwrap();
    let refused = said(format!("https://{address}/secret"), bundle.to_str().unwrap());
    let expected = "certificate not trusted: nobody known has issued it; name a file with its issuer's \
                    certificate in SSL_CERT_FILE";
    assert_eq!(refused, Err(expected.to_owned()));
}

#[test]
fn a_certificate_for_another_name_is_not_trusted() {
    let url = format!("https://localhost:{}/secret", server().port());
    let expected = "certificate not trusted: it is not for 'localhost'";
    assert_eq!(said(url, &file("ca.pem")), Err(expected.to_owned()));
}
