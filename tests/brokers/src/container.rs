//! A broker in a container, through the crate `testcontainers`.
//!
//! The crate is asynchronous and needs to be called from one runtime, which is kept here. It cannot kill a container,
//! so that is asked of its client; and it removes none when the process was killed, so a [`Guard`] does.

use std::env;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use testcontainers::bollard::models::{HostConfig, PortBinding};
use testcontainers::core::IntoContainerPort;
use testcontainers::core::client::docker_client_instance;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt};
use tokio::runtime::{Builder, Runtime};

use crate::command::POLL;
use crate::guard::Guard;
use crate::names;
use crate::port;
use crate::process::START_LIMIT;
use crate::skip::Failure;

/// For an image that has to be pulled, too.
const CREATE_LIMIT: Duration = Duration::from_secs(600);
const STOP_SECONDS: i32 = 60;

/// An image and how to run it so that it answers on the given port of the loopback address.
pub(crate) struct Image {
    pub(crate) what: &'static str,
    /// The environment variable with the name of another image that is run alike.
    pub(crate) variable: &'static str,
    pub(crate) image: &'static str,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) arguments: Vec<String>,
    /// The port the server has inside; published as the chosen one.
    pub(crate) inner_port: u16,
    pub(crate) answers: Box<dyn Fn() -> io::Result<()> + Send + Sync>,
}

pub(crate) struct Container {
    image: Image,
    /// None when it was removed.
    container: Option<ContainerAsync<GenericImage>>,
    running: bool,
    guard: Guard,
}

impl fmt::Debug for Container {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Container({})", self.image.what)
    }
}

impl Container {
    /// Every failure is an absence: an engine that is there may still be of no use here, as when it runs on another
    /// machine or is too old for the crate.
    pub(crate) fn start(image: impl Fn(u16) -> Image) -> Result<(u16, Self), Failure> {
        let port = port::free().map_err(|error| Failure::broken("port", error))?;
        let image = image(port);
        let name = names::unique(&format!("talon-{}", image.what));
        let mut guard = Guard::new("docker rm -f -v", None)
            .and_then(|mut guard| guard.watch(&name).map(|()| guard))
            .map_err(|error| Failure::broken("guard", error))?;
        let request = request(&image, &name, port);
        let container = match wait_for(request.start()) {
            Ok(container) => container,
            Err(error) => {
                // Where there is no engine, there is nothing to remove.
                guard.forget().ok();
                return Err(Failure::Absent(error.to_string()));
            }
        };
        let container = Self { image, container: Some(container), running: true, guard };
        container.wait().map_err(Failure::Absent)?;
        Ok((port, container))
    }

    pub(crate) fn stop(&mut self) {
        if std::mem::take(&mut self.running) {
            let container = self.container();
            // What is paused cannot end.
            wait_for(container.unpause()).ok();
            ended("stop", wait_for(container.stop_with_timeout(Some(STOP_SECONDS))));
        }
    }

    pub(crate) fn kill(&mut self) {
        if std::mem::take(&mut self.running) {
            let container = self.container();
            wait_for(container.unpause()).ok();
            ended(
                "kill",
                wait_for(async {
                    let client = docker_client_instance().await.map_err(io::Error::other)?;
                    client.kill_container(container.id(), None).await.map_err(io::Error::other)?;
                    while container.is_running().await.map_err(io::Error::other)? {
                        tokio::time::sleep(POLL).await;
                    }
                    Ok::<(), io::Error>(())
                }),
            );
        }
    }

    pub(crate) fn pause(&self) {
        ended("pause", wait_for(self.container().pause()));
    }

    pub(crate) fn resume(&self) {
        ended("resume", wait_for(self.container().unpause()));
    }

    pub(crate) fn restart(&mut self) -> Result<(), String> {
        self.stop();
        wait_for(self.container().start()).map_err(|error| error.to_string())?;
        self.running = true;
        self.wait()
    }

    fn wait(&self) -> Result<(), String> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match (self.image.answers)() {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > deadline || self.has_ended() => {
                    let what = self.image.what;
                    return Err(format!("{what} does not answer: {error}; {}", self.told()));
                }
                Err(_) => thread::sleep(POLL),
            }
        }
    }

    fn has_ended(&self) -> bool {
        matches!(wait_for(self.container().is_running()), Ok(false))
    }

    /// What it has printed.
    fn told(&self) -> String {
        let container = self.container();
        let told =
            wait_for(async { [container.stdout_to_vec().await, container.stderr_to_vec().await] });
        let told = told.map(|bytes| bytes.unwrap_or_default()).concat();
        String::from_utf8_lossy(&told).into_owned()
    }

    fn container(&self) -> &ContainerAsync<GenericImage> {
        match &self.container {
            Some(container) => container,
            None => panic!("the container of {} was removed", self.image.what),
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let Some(container) = self.container.take() else { return };
        if wait_for(container.rm()).is_ok() {
            self.guard.forget().ok();
        }
    }
}

fn ended<E: fmt::Display>(action: &str, result: Result<(), E>) {
    if let Err(error) = result {
        panic!("cannot {action} the container: {error}");
    }
}

/// From a thread of its own, since a test may run in a runtime, in which one must not wait for another.
fn wait_for<F>(future: F) -> F::Output
where
    F: Future + Send,
    F::Output: Send,
{
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        match Builder::new_multi_thread().worker_threads(1).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => panic!("no runtime for containers: {error}"),
        }
    });
    thread::scope(|scope| match scope.spawn(|| runtime.block_on(future)).join() {
        Ok(output) => output,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

fn request(image: &Image, name: &str, port: u16) -> ContainerRequest<GenericImage> {
    let chosen = env::var(image.variable).ok().filter(|chosen| !chosen.is_empty());
    let (repository, tag) = repository_and_tag(chosen.as_deref().unwrap_or(image.image));
    let mut request = GenericImage::new(repository, tag)
        .with_cmd(image.arguments.clone())
        .with_container_name(name)
        .with_mapped_port(port, image.inner_port.tcp())
        .with_host_config_modifier(on_loopback)
        .with_startup_timeout(CREATE_LIMIT);
    for (variable, value) in &image.environment {
        request = request.with_env_var(*variable, value);
    }
    request
}

/// The crate publishes ports on every address of the machine.
fn on_loopback(host: &mut HostConfig) {
    let bindings: Vec<&mut PortBinding> = match &mut host.port_bindings {
        Some(ports) => ports.values_mut().flatten().flatten().collect(),
        None => Vec::new(),
    };
    for binding in bindings {
        binding.host_ip = Some("127.0.0.1".to_owned());
    }
}

/// A registry's address may have a port.
fn repository_and_tag(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (image, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_container_is_published_on_the_loopback_address_only() {
        let binding = PortBinding { host_ip: None, host_port: Some("17000".to_owned()) };
        let bindings = HashMap::from([("4222/tcp".to_owned(), Some(vec![binding]))]);
        let mut host = HostConfig { port_bindings: Some(bindings), ..HostConfig::default() };
        on_loopback(&mut host);
        let bindings = host.port_bindings.expect("bindings");
        let published = bindings["4222/tcp"].as_ref().expect("published");
        assert_eq!(published[0].host_ip.as_deref(), Some("127.0.0.1"));
    }

    #[test]
    fn an_image_may_come_from_a_registry_with_a_port_and_without_a_tag() {
        assert_eq!(repository_and_tag("apache/kafka:4.1.1"), ("apache/kafka", "4.1.1"));
        assert_eq!(repository_and_tag("localhost:5000/nats"), ("localhost:5000/nats", "latest"));
    }
}
