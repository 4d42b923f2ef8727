//! A broker in a container, driven through the `docker` program.
//!
//! Not through `testcontainers`: what is needed is seven commands, while that crate brings an HTTP client and a TLS stack to the cold build of every test, and its containers cannot be killed, paused and started again on the same port from blocking code.

use std::env;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{self, POLL};
use crate::guard::Guard;
use crate::names;
use crate::port;
use crate::process::START_LIMIT;
use crate::skip::Failure;

const PULL_LIMIT: Duration = Duration::from_secs(600);
const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// An image and how to run it so that it answers on the given port of the loopback address.
pub(crate) struct Image {
    pub(crate) what: &'static str,
    pub(crate) image: &'static str,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) arguments: Vec<String>,
    /// The port the server has inside; published as the chosen one.
    pub(crate) inner_port: u16,
    pub(crate) answers: Box<dyn Fn() -> io::Result<()> + Send + Sync>,
}

pub(crate) struct Container {
    image: Image,
    name: String,
    running: bool,
    guard: Guard,
}

impl fmt::Debug for Container {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Container({})", self.name)
    }
}

impl Container {
    /// Every failure is an absence: a Docker that is there may still be of no use here, as when it runs on another machine.
    pub(crate) fn start(image: impl Fn(u16) -> Image) -> Result<(u16, Self), Failure> {
        reachable().map_err(|error| Failure::Absent(format!("Docker: {error}")))?;
        let port = port::free().map_err(|error| Failure::broken("port", error))?;
        let image = image(port);
        present(image.image)?;
        let name = names::unique(&format!("talon-{}", image.what));
        let mut guard = Guard::new("docker rm -f -v", None)
            .map_err(|error| Failure::broken("docker", error))?;
        guard.watch(&name).map_err(|error| Failure::broken("docker", error))?;
        let arguments = run_arguments(&image, &name, port);
        let mut container = Self { image, name, running: false, guard };
        docker(&arguments)?;
        container.running = true;
        container.wait().map_err(Failure::Absent)?;
        Ok((port, container))
    }

    pub(crate) fn stop(&mut self) {
        self.end("stop");
    }

    pub(crate) fn kill(&mut self) {
        self.end("kill");
    }

    /// Some versions of Docker refuse to end what is paused, so that is undone where the first try fails.
    fn end(&mut self, action: &str) {
        if !std::mem::take(&mut self.running) {
            return;
        }
        if docker(&[action.to_owned(), self.name.clone()]).is_err() {
            self.expect("unpause");
            self.expect(action);
        }
        self.expect("wait");
    }

    pub(crate) fn pause(&self) {
        self.expect("pause");
    }

    pub(crate) fn resume(&self) {
        self.expect("unpause");
    }

    pub(crate) fn restart(&mut self) -> Result<(), String> {
        self.stop();
        self.expect("start");
        self.running = true;
        self.wait()
    }

    fn wait(&self) -> Result<(), String> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match (self.image.answers)() {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > deadline => {
                    let told = output(&["logs", "--tail", "40", &self.name]);
                    let image = self.image.image;
                    return Err(format!("`{image}` does not answer: {error}; {told}"));
                }
                Err(_) => thread::sleep(POLL),
            }
        }
    }

    fn expect(&self, action: &str) {
        if let Err(failure) = docker(&[action.to_owned(), self.name.clone()]) {
            panic!("cannot {action} the container: {failure:?}");
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let removal = ["rm", "-f", "-v", &self.name].map(str::to_owned);
        if docker(&removal).is_ok() {
            self.guard.forget().ok();
        }
    }
}

fn run_arguments(image: &Image, name: &str, port: u16) -> Vec<String> {
    let mut arguments = ["run", "--detach", "--name", name].map(str::to_owned).to_vec();
    arguments.push("--publish".to_owned());
    arguments.push(format!("127.0.0.1:{port}:{}", image.inner_port));
    for (variable, value) in &image.environment {
        arguments.push("--env".to_owned());
        arguments.push(format!("{variable}={value}"));
    }
    arguments.push(image.image.to_owned());
    arguments.extend(image.arguments.iter().cloned());
    arguments
}

/// Whether somebody accepts connections where Docker listens; costs nothing where there is none.
fn reachable() -> io::Result<()> {
    let host = env::var("DOCKER_HOST").unwrap_or_default();
    if let Some(address) = host.strip_prefix("tcp://") {
        let address: SocketAddr =
            address.to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
        TcpStream::connect_timeout(&address, Duration::from_millis(500))?;
        return Ok(());
    }
    let socket = match host.strip_prefix("unix://") {
        Some(path) => Path::new(path),
        None => Path::new("/var/run/docker.sock"),
    };
    UnixStream::connect(socket).map(drop)
}

fn present(image: &str) -> Result<(), Failure> {
    if docker(&["image", "inspect", image].map(str::to_owned)).is_ok() {
        return Ok(());
    }
    let mut pull = Command::new(command::needed("docker")?);
    pull.args(["pull", "--quiet", image]);
    command::run("docker-pull", &mut pull, PULL_LIMIT).map(drop)
}

fn docker(arguments: &[String]) -> Result<(), Failure> {
    let mut docker = Command::new(command::needed("docker")?);
    command::run("docker", docker.args(arguments), COMMAND_LIMIT).map(drop)
}

fn output(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).stdin(Stdio::null()).output();
    output.map_or_else(
        |error| error.to_string(),
        |output| String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_published_on_the_loopback_address_only() {
        let image = Image {
            what: "nats",
            image: "nats:2.12",
            environment: vec![("A", "b".to_owned())],
            arguments: vec!["--jetstream".to_owned()],
            inner_port: 4222,
            answers: Box::new(|| Ok(())),
        };
        let line = run_arguments(&image, "n", 17_000).join(" ");
        let expected = "run --detach --name n --publish 127.0.0.1:17000:4222 \
                        --env A=b nats:2.12 --jetstream";
        assert_eq!(line, expected);
    }
}
