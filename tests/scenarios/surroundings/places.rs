//! Odd places to run in.

use std::path::Path;
use std::process::Stdio;

use crate::descriptors::after;
use crate::service::{Service, arguments};
use crate::signals::can;
use crate::support::{self, On};

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_environment_is_enough_and_odd_ones_do_no_harm() {
    let Some(address) = On::Nats.shared("environment") else { return };
    let odd = [
        ("TZ", "Nowhere/At_All"),
        ("LANG", "xx_YY.ISO-8859-5"),
        ("LC_ALL", "\u{1}"),
        ("HOME", "/no/such/home"),
        ("TMPDIR", "/no/such/place"),
        ("PATH", ""),
    ];
    for environment in [&[][..], &odd] {
        let start = |config: &Path| {
            let mut command = support::program();
            command.env_clear().envs(environment.iter().copied()).args(arguments(config));
            command
        };
        let mut service = Service::start(address, Stdio::null(), start).await;
        service.works().await;
        service.stops().await;
    }
}

/// In a namespace of mounts of its own: nothing can be written anywhere, the work directory is on a disk
/// that is full, and the machine does not know its time zone.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_to_any_disk() {
    if !can(&["--mount"]) {
        return;
    }
    for on in [On::Nats, On::Kafka] {
        let Some(address) = on.shared("read_only") else { continue };
        let full = tempfile::tempdir().unwrap();
        let script = format!(
            "set -e
            mount --make-rprivate /
            mount -t tmpfs -o size=16k none {0}
            cd {0}
            dd if=/dev/zero of=all bs=1k count=64 2>/dev/null || true
            (echo more > more) 2>/dev/null && exit 9
            [ ! -e /etc/localtime ] || mount --bind /dev/null /etc/localtime
            mount -o remount,ro,bind /
            touch /written-by-a-test 2>/dev/null && exit 9
            unset HOME TMPDIR LANG",
            full.path().display()
        );
        let start = |config: &Path| {
            let inner = after(&script, config);
            let mut command = std::process::Command::new("unshare");
            command.arg("--mount").arg(inner.get_program()).args(inner.get_args());
            command
        };
        let mut service = Service::start(address, Stdio::inherit(), start).await;
        service.works().await;
        service.stops().await;
    }
}
