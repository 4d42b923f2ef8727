//! Faults of what is around the process: the certificate of an upstream, and memory.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use talon_simulators::contractor::Simulator;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::authority::{Authority, authority, write};
use crate::fault::Fault;
use crate::site::Site;
use crate::upstream::{contractor, field};

/// What a server shows: each change closes the connections that are there.
type Shown = watch::Sender<Arc<ServerConfig>>;

/// The certificate of the upstream has expired.
pub(crate) struct TlsExpired {
    address: String,
    upstream: Simulator,
    authority: Authority,
    directory: tempfile::TempDir,
    shown: Shown,
    url: String,
}

/// A certificate that holds until the first day of this year.
fn certificate(authority: &Authority, until: i32) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth();
    Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap())
}

/// Passes on what comes by TLS.
async fn pass(
    listener: TcpListener,
    to: std::net::SocketAddr,
    shown: watch::Receiver<Arc<ServerConfig>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let mut changed = shown.clone();
        let config = changed.borrow_and_update().clone();
        tokio::spawn(async move {
            let passed = async {
                let mut inner = TlsAcceptor::from(config).accept(stream).await?;
                let mut outer = TcpStream::connect(to).await?;
                tokio::io::copy_bidirectional(&mut inner, &mut outer).await
            };
            tokio::select! {
                _ = passed => {}
                _ = changed.changed() => {}
            }
        });
    }
}

impl TlsExpired {
    pub(crate) async fn new(address: &str) -> TlsExpired {
        let (upstream, authority) = (contractor(0.5).await, authority("ours"));
        let (shown, seen) = watch::channel(certificate(&authority, 4_000));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(pass(listener, upstream.addr(), seen));
        let (address, directory) = (address.to_owned(), tempfile::tempdir().unwrap());
        TlsExpired { address, upstream, authority, directory, shown, url }
    }
}

#[async_trait(?Send)]
impl Fault for TlsExpired {
    fn name(&self) -> &'static str {
        "TLS certificate expired"
    }

    fn alert(&self) -> &'static str {
        "TalonUpstreamTls"
    }

    fn address(&self) -> &str {
        &self.address
    }

    async fn begin(&mut self, site: &mut Site) {
        assert!(self.upstream.url().starts_with("http://"));
        let ca = write(self.directory.path(), "ca.pem", &self.authority.pem());
        let texts = field(site, &self.url, &[("upstream.ca.file", &ca)]);
        site.run_ready(0, &texts).await;
        site.pod(0).becomes("field/call", "up").await;
    }

    async fn strike(&mut self, _: &mut Site) {
        self.shown.send_replace(certificate(&self.authority, 2_020));
    }

    async fn mend(&mut self, _: &mut Site) {
        self.shown.send_replace(certificate(&self.authority, 4_000));
    }
}

/// A control group whose limit is soon reached.
pub(crate) struct MemoryNearLimit {
    address: String,
    upstream: Simulator,
    group: PathBuf,
    limit: &'static str,
    usual: String,
}

/// The groups of memory, and the file of the limit: version 2, or 1.
const GROUPS: [(&str, &str); 2] =
    [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];

impl MemoryNearLimit {
    /// `None` where control groups cannot be made here.
    pub(crate) async fn new(address: &str) -> Option<MemoryNearLimit> {
        static ONE: Mutex<u32> = Mutex::new(0);
        let number = {
            let mut one = ONE.lock().unwrap();
            *one += 1;
            *one
        };
        let name = format!("talon-alerts-{}-{number}", std::process::id());
        let (group, limit) = GROUPS.iter().find_map(|(root, limit)| {
            let group = PathBuf::from(root).join(&name);
            fs::create_dir(&group).ok()?;
            let fits = group.join(limit).exists();
            if !fits {
                fs::remove_dir(&group).ok();
            }
            fits.then_some((group, *limit))
        })?;
        let usual = fs::read_to_string(group.join(limit)).unwrap();
        let upstream = contractor(0.5).await;
        Some(MemoryNearLimit { address: address.to_owned(), upstream, group, limit, usual })
    }

    fn set(&self, bytes: &str) {
        fs::write(self.group.join(self.limit), bytes.trim()).unwrap();
    }
}

#[async_trait(?Send)]
impl Fault for MemoryNearLimit {
    fn name(&self) -> &'static str {
        "memory near its limit"
    }

    fn alert(&self) -> &'static str {
        "TalonMemoryNearLimit"
    }

    fn address(&self) -> &str {
        &self.address
    }

    async fn begin(&mut self, site: &mut Site) {
        let texts = field(site, &self.upstream.url(), &[]);
        site.run_ready(0, &texts).await;
        site.pod(0).becomes("field/call", "up").await;
        let pid = site.pod(0).id().to_string();
        fs::write(self.group.join("cgroup.procs"), pid).unwrap();
        self.set(&(1_u64 << 34).to_string());
    }

    /// Instead of a process that grows, a limit that comes nearer. Pages that are not of the process alone
    /// count in its memory and may not in the group's.
    async fn strike(&mut self, site: &mut Site) {
        let resident = site.pod(0).resident();
        self.set(&(resident * 104 / 100).to_string());
    }

    async fn mend(&mut self, _: &mut Site) {
        self.set(&(1_u64 << 34).to_string());
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.set(&self.usual.clone());
    }
}

impl Drop for MemoryNearLimit {
    fn drop(&mut self) {
        // It is empty when the process has ended; what is left is an empty group.
        fs::remove_dir(&self.group).ok();
    }
}
