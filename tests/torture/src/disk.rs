//! A disk of the broker that is full for a while.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use async_nats::jetstream;
use async_nats::jetstream::stream::Config;

/// As much as JetStream may store, where its disk is filled.
pub(crate) const NATS_BYTES: usize = 64 * 1024 * 1024;
/// As much as there is room for on the disk of a Kafka that is filled.
const KAFKA_BYTES: usize = 192 * 1024 * 1024;
/// Name of the stream that fills JetStream.
const FILLING: &str = "FILLING";
/// Longest wait for an acknowledgement while JetStream is filled.
const PATIENCE: Duration = Duration::from_secs(20);

/// A file system in memory, small enough to be filled. It is there until this is dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one.
    ///
    /// # Errors
    /// It takes the right to mount.
    pub fn mount() -> anyhow::Result<SmallDisk> {
        let place = tempfile::tempdir()?.keep();
        let disk = SmallDisk(place);
        let size = format!("size={KAFKA_BYTES}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&disk.0).status();
        let mounted = mounted.context("no `mount`")?.success();
        ensure!(mounted, "a disk that can be filled takes the right to mount one: run it as root");
        Ok(disk)
    }

    /// Where there is room on it.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn filling(&self) -> PathBuf {
        self.0.join("filling")
    }

    /// Fills it to the last byte.
    pub fn fill(&self) -> anyhow::Result<()> {
        let mut file = File::create(self.filling())?;
        for size in [1 << 20, 4_096, 1] {
            let block = vec![b'x'; size];
            while file.write(&block).is_ok_and(|written| written > 0) {}
        }
        Ok(())
    }

    /// Makes room again.
    pub fn free(&self) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.filling())?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a broker that is just being killed may still have files open.
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        if unmounted.is_ok_and(|status| status.success()) {
            std::fs::remove_dir(&self.0).ok();
        }
    }
}

/// The settings of a NATS that can be filled.
pub(crate) fn nats_settings() -> String {
    format!("jetstream {{ max_file_store: {NATS_BYTES} }}\n")
}

/// Publishes until JetStream takes nothing more, however small.
pub(crate) async fn fill_nats(url: &str) -> anyhow::Result<()> {
    let jetstream = jetstream::new(async_nats::connect(url).await?);
    let config = Config { name: FILLING.to_owned(), ..Config::default() };
    jetstream.get_or_create_stream(config).await?;
    for size in [512 * 1024, 16 * 1024, 512, 1] {
        for number in 0.. {
            if number > 2 * NATS_BYTES / size {
                bail!("JetStream takes more than it has room for");
            }
            let sent = jetstream.publish(FILLING, vec![b'x'; size].into()).await?;
            match tokio::time::timeout(PATIENCE, sent.into_future()).await? {
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }
    Ok(())
}

/// Makes room again.
pub(crate) async fn free_nats(url: &str) -> anyhow::Result<()> {
    let jetstream = jetstream::new(async_nats::connect(url).await?);
    jetstream.delete_stream(FILLING).await?;
    Ok(())
}
