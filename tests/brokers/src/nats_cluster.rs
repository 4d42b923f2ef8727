//! Three NATS servers as one cluster.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use crate::command::POLL;
use crate::process::{Launch, Process, START_LIMIT};
use crate::route::{self, Route};
use crate::skip::{self, Failure};
use crate::{fetch, nats, port, probe};

/// As many as streams with three replicas need.
const SERVERS: usize = 3;

/// Three NATS servers with JetStream that form a cluster; server `i` is called `n{i}`. They end when dropped.
#[derive(Debug)]
pub struct NatsCluster {
    urls: Vec<String>,
    servers: Vec<Process>,
}

type Way<'a> = Box<dyn FnOnce() -> Result<NatsCluster, Failure> + 'a>;

impl NatsCluster {
    /// One of the test's own; `None` where `test` is skipped. Returns when the cluster has a leader.
    ///
    /// Panics where it should be there and is not: see the crate's "Skips".
    pub fn start(test: &str) -> Option<Self> {
        let ways: [(Route, Way<'_>); 2] = [
            (Route::Path, Box::new(|| Self::of(nats::on_path()?))),
            (Route::Packages, Box::new(|| Self::of(fetch::nats()?))),
        ];
        match route::first("NATS cluster", ways) {
            Ok(cluster) => Some(cluster),
            Err(unavailable) => skip::or_skip(test, Err(&unavailable)),
        }
    }

    fn of(program: PathBuf) -> Result<Self, Failure> {
        let failed = |error| Failure::broken("port", error);
        let routes: Vec<u16> =
            (0..SERVERS).map(|_| port::free()).collect::<io::Result<_>>().map_err(failed)?;
        let mut cluster = Self { urls: Vec::new(), servers: Vec::new() };
        for server in 0..SERVERS {
            let launch = |port: u16, data: &Path| launch(&program, server, &routes, port, data);
            let (port, process) = Process::start("nats-cluster", launch)?;
            cluster.urls.push(format!("nats://127.0.0.1:{port}"));
            cluster.servers.push(process);
        }
        cluster.wait().map_err(Failure::Broken)?;
        Ok(cluster)
    }

    /// The urls of all, separated by commas.
    pub fn urls(&self) -> String {
        self.urls.join(",")
    }

    /// The url of one.
    pub fn url(&self, server: usize) -> &str {
        &self.urls[server]
    }

    /// Ends one at once (SIGKILL).
    pub fn kill(&mut self, server: usize) {
        self.servers[server].kill();
    }

    /// Tells one that it is to stop (lame duck mode): it hands its streams over, sends its clients away, and ends.
    ///
    /// Returns when it has ended.
    pub fn retire(&mut self, server: usize) {
        self.servers[server].retire("USR2");
    }

    /// Starts one again that has ended, and waits until the cluster has a leader.
    pub fn restart(&mut self, server: usize) {
        let started = self.servers[server].restart();
        if let Err(reason) = started.and_then(|()| self.wait()) {
            panic!("cannot restart server {server} of the cluster: {reason}");
        }
    }

    /// Waits until JetStream answers on each.
    fn wait(&self) -> Result<(), String> {
        let deadline = Instant::now() + START_LIMIT;
        for url in &self.urls {
            while let Err(error) = jetstream(url.trim_start_matches("nats://")) {
                if Instant::now() > deadline {
                    return Err(format!("JetStream at {url} does not answer: {error}"));
                }
                thread::sleep(POLL);
            }
        }
        Ok(())
    }
}

fn launch(
    program: &Path,
    server: usize,
    routes: &[u16],
    port: u16,
    data: &Path,
) -> Result<Launch, Failure> {
    let others: Vec<String> =
        routes.iter().map(|route| format!("\"nats://127.0.0.1:{route}\"")).collect();
    // The shortest that is allowed; one client is sent away within a second after the grace.
    let settings = format!(
        "server_name: n{server}\n\
         listen: \"127.0.0.1:{port}\"\n\
         jetstream {{ store_dir: \"{}\" }}\n\
         cluster {{ name: talon, listen: \"127.0.0.1:{}\", routes: [{}] }}\n\
         lame_duck_duration: 30s\n\
         lame_duck_grace_period: 1s\n",
        data.display(),
        routes[server],
        others.join(", "),
    );
    let file = data.join("server.conf");
    fs::write(&file, settings).map_err(|error| Failure::broken("server.conf", error))?;
    Ok(Launch {
        what: "nats-cluster",
        program: program.to_owned(),
        arguments: vec!["--config".to_owned(), file.display().to_string()],
        environment: Vec::new(),
        // JetStream answers only when there is more than one.
        answers: Box::new(move || probe::nats(&format!("127.0.0.1:{port}"))),
    })
}

/// Asks JetStream for the account, over the text protocol.
fn jetstream(address: &str) -> io::Result<()> {
    let mut stream = probe::connect(address)?;
    stream.write_all(
        b"CONNECT {\"verbose\":false}\r\nSUB _INBOX.probe.1 1\r\nPUB $JS.API.INFO _INBOX.probe.1 0\r\n\r\n",
    )?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if line.starts_with('{') {
            return match line.contains("\"error\"") {
                false => Ok(()),
                true => Err(io::Error::other(line)),
            };
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}
