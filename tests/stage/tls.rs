//! TLS in front of a server, by a CA that nobody knows.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::stage::aside::Aside;

/// Takes TLS off and passes the rest on to a server; it ends when dropped.
pub struct Front {
    aside: Aside,
    dir: TempDir,
}

impl Front {
    pub fn start(server: SocketAddr) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let (ca, acceptor) = certify();
        fs::write(dir.path().join("ca.pem"), pem(&ca)).expect("ca.pem is written");
        let aside = Aside::start(move |listener| relay(listener, acceptor, server));
        Self { aside, dir }
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("wss://{}", self.aside.address())
    }

    /// The certificate of its CA.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }
}

async fn relay(listener: TcpListener, acceptor: TlsAcceptor, server: SocketAddr) {
    loop {
        let (client, _) = listener.accept().await.expect("a connection");
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // A client that does not trust us ends the handshake: that is its own business.
            let Ok(mut client) = acceptor.accept(client).await else {
                return;
            };
            let mut server = TcpStream::connect(server).await.expect("the server");
            // Either side may end without a goodbye.
            drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
        });
    }
}

/// A CA's certificate, and a server on loopback that it vouches for.
fn certify() -> (CertificateDer<'static>, TlsAcceptor) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().expect("a key");
    let ca = params.self_signed(&ca_key).expect("a CA");
    let issuer = Issuer::new(params, ca_key);
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a key and its certificate");
    (ca.der().clone(), TlsAcceptor::from(Arc::new(config)))
}

/// RFC 7468.
fn pem(certificate: &CertificateDer<'_>) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = "-----BEGIN CERTIFICATE-----".to_owned();
    for (index, three) in certificate.chunks(3).enumerate() {
        if index % 16 == 0 {
            text.push('\n');
        }
        let mut bytes = [0; 4];
        bytes[1..=three.len()].copy_from_slice(three);
        let bits = u32::from_be_bytes(bytes);
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) & 63;
            let padding = digit > three.len();
            let letter = char::from(DIGITS[usize::try_from(value).expect("6 bits")]);
            text.push(if padding { '=' } else { letter });
        }
    }
    text + "\n-----END CERTIFICATE-----\n"
}
