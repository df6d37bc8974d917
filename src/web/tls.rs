//! TLS for the server: a certificate that is read again when its file changes.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, Weak},
    time::{Duration, SystemTime},
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::task::spawn_blocking;
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at.
const RELOAD: Duration = Duration::from_secs(5);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {error}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the file system reports.
        error: io::Error,
    },
    /// A file holds no certificate or no key.
    #[error("{}: not in PEM format: {error}", file.display())]
    Pem {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        error: pem::Error,
    },
    /// The key is not that of the certificate, or of a kind that is not supported.
    #[error("the certificate and its key cannot be used: {0}")]
    Key(#[from] rustls::Error),
}

/// A server's certificate and key.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls") // never the key
    }
}

impl Tls {
    /// Reads a certificate, with those of its authorities behind it, and its key, both in PEM format. When a file changes, both
    /// are read again; as long as that fails, the old ones are used. Call it within a runtime of tokio.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn open(certificate: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let files = Files { certificate, key };
        let current = RwLock::new(Arc::new(files.read(&provider)?));
        let resolver = Arc::new(Resolver { current });
        tokio::spawn(reload(files, Arc::clone(&provider), Arc::downgrade(&resolver)));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        Ok(Self { config: Arc::new(config) })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let contents = |file: &Path| fs::read(file).map_err(|error| TlsError::File { file: file.to_owned(), error });
        let (certificate, key) = (contents(&self.certificate)?, contents(&self.key)?);
        let not_pem = |file: &Path| {
            let file = file.to_owned();
            move |error| TlsError::Pem { file, error }
        };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate).collect();
        let chain = chain.and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) });
        let chain = chain.map_err(not_pem(&self.certificate))?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(not_pem(&self.key))?;
        Ok(CertifiedKey::from_der(chain, key, provider)?)
    }

    /// When the files were changed.
    fn changed(&self) -> [Option<SystemTime>; 2] {
        [&self.certificate, &self.key].map(|file| fs::metadata(file).and_then(|file| file.modified()).ok())
    }
}

/// Has the certificate for new connections.
#[derive(Debug)]
struct Resolver {
    current: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Reads the files again when they change, as long as the server exists.
async fn reload(files: Files, provider: Arc<CryptoProvider>, resolver: Weak<Resolver>) {
    let files = Arc::new(files);
    let mut seen = files.changed();
    loop {
        tokio::time::sleep(RELOAD).await;
        let (of_task, provider) = (Arc::clone(&files), Arc::clone(&provider));
        let read = spawn_blocking(move || {
            let changed = of_task.changed();
            (changed != seen).then(|| (changed, of_task.read(&provider)))
        });
        let Some(resolver) = resolver.upgrade() else { return };
        let Ok(Some((changed, read))) = read.await else { continue };
        seen = changed;
        match read {
            Ok(key) => {
                *resolver.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
                tracing::info!("the certificate was read again");
            }
            Err(error) => tracing::error!(%error, "the changed certificate cannot be used; the old one stays"),
        }
    }
}
