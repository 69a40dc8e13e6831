//! Whom signalling over TLS trusts: the system's roots, and a CA of one's own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::{ClientConfig, RootCertStore};

use super::LiveKitError;
use super::secure::Secure;

/// Why a CA file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// It can't be read, or what stands in it is no PEM.
    #[error("it can't be read as certificates in PEM")]
    Read(#[source] PemError),
    /// It is text without a certificate in it.
    #[error("it has no certificate in it: it must have 'BEGIN CERTIFICATE' at least once")]
    Empty,
    /// A certificate in it is none that signs others.
    #[error("it has a certificate that can't be used")]
    Unusable(#[source] rustls::Error),
    /// The TLS library has no protocol version in common with its own cryptography.
    #[error("the TLS library can't be set up")]
    Library(#[source] rustls::Error),
    /// No HTTP client can be made with it.
    #[error("the HTTP client can't be set up")]
    Http(#[source] reqwest::Error),
    /// Another one is in use.
    #[error("connections of this process trust another one already")]
    Late,
}

/// Lets all signalling of this process trust the certificates in `ca_file` (PEM), next to the
/// system's roots. To be called once, before the first connection: `livekit-net` has one client
/// for the process.
///
/// # Errors
/// [`LiveKitError::BadCa`] when the file can't be used.
pub fn trust(ca_file: &Path) -> Result<(), LiveKitError> {
    let bad = |source| LiveKitError::BadCa {
        path: PathBuf::from(ca_file),
        source,
    };
    let config = client_config(ca_file).map_err(bad)?;
    let client = Arc::new(Secure::new(config).map_err(|error| bad(CaError::Http(error)))?);
    if livekit_net::has_ws_client() || livekit_net::has_http_client() {
        return Err(bad(CaError::Late));
    }
    livekit_net::set_ws_client(client.clone());
    livekit_net::set_http_client(client);
    Ok(())
}

fn client_config(ca_file: &Path) -> Result<ClientConfig, CaError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in system.errors {
        tracing::debug!(%error, "a root of the system was left out");
    }
    let (_, ignored) = roots.add_parsable_certificates(system.certs);
    if ignored > 0 {
        tracing::debug!(ignored, "roots of the system that can't be used");
    }
    let mut own = 0;
    for certificate in CertificateDer::pem_file_iter(ca_file).map_err(CaError::Read)? {
        let certificate = certificate.map_err(CaError::Read)?;
        roots.add(certificate).map_err(CaError::Unusable)?;
        own += 1;
    }
    if own == 0 {
        return Err(CaError::Empty);
    }
    // Several libraries in this program bring cryptography along: the choice is made here.
    let cryptography = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(cryptography)
        .with_safe_default_protocol_versions()
        .map_err(CaError::Library)?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn a_file_that_is_no_ca_is_refused_with_the_reason() {
        let missing = client_config(Path::new("/nonexistent/ca.pem"));
        assert!(matches!(missing, Err(CaError::Read(_))), "{missing:?}");
        let empty = client_config(file("no certificate\n").path());
        assert!(matches!(empty, Err(CaError::Empty)), "{empty:?}");
        let cut = client_config(file("-----BEGIN CERTIFICATE-----\nAAAA\n").path());
        assert!(matches!(cut, Err(CaError::Read(_))), "{cut:?}");
        let rubbish = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let rubbish = client_config(file(rubbish).path());
        assert!(matches!(rubbish, Err(CaError::Unusable(_))), "{rubbish:?}");
    }
}
