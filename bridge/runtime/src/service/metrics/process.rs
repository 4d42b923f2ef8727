//! What is shown of the process itself.

use std::path::Path;

use prometheus::{IntGaugeVec, Registry};

use super::register::Register;

/// Where the kernel shows control groups.
const CONTROL_GROUPS: &str = "/sys/fs/cgroup";

/// The memory that the process may take. Cheap to clone.
#[derive(Clone)]
pub(super) struct Process {
    memory_limit: IntGaugeVec,
}

impl Process {
    /// With the version, and with the metrics that Prometheus' clients have of their process.
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Process> {
        let register = Register(registry);
        let build = register.numbers("talon_build_info", "Always 1.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(Process {
            memory_limit: register.numbers(
                "talon_memory_limit_bytes",
                "Memory that the process may take by its control group; none where there is no limit.",
                &[],
            )?,
        })
    }

    /// Looks at the limit, which may be changed while the process runs.
    pub(super) fn refresh(&self) {
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        self.show(memory_limit(&groups, Path::new(CONTROL_GROUPS)));
    }

    pub(super) fn show(&self, memory_limit: Option<i64>) {
        match memory_limit {
            Some(bytes) => self.memory_limit.with_label_values::<&str>(&[]).set(bytes),
            // What is not there need not be removed.
            None => {
                self.memory_limit.remove_label_values::<&str>(&[]).ok();
            }
        }
    }
}

/// The least of the limits of a process's control groups, version 2 or 1.
///
/// `groups` is `/proc/self/cgroup`. Inside a container its path may be that of the host, which is not there:
/// the container's own group is the root then.
fn memory_limit(groups: &str, root: &Path) -> Option<i64> {
    let limits = groups.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let (root, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            some if some.split(',').any(|one| one == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => return Vec::new(),
        };
        let group = Path::new(group.trim_start_matches('/'));
        let texts = group.ancestors().filter_map(|above| {
            std::fs::read_to_string(root.join(above).join(file)).ok()?.trim().parse::<i64>().ok()
        });
        texts.collect()
    });
    // Version 1 writes "no limit" as a number near the largest.
    limits.filter(|bytes| *bytes < 1 << 60).min()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_limit_of_memory_is_the_least_of_the_groups_around_the_process() {
        let root = tree(&[
            ("memory.max", "max\n"),
            ("pods/memory.max", "3000000000\n"),
            ("pods/talon/memory.max", "4000000000\n"),
        ]);
        assert_eq!(memory_limit("0::/pods/talon\n", root.path()), Some(3_000_000_000));
        assert_eq!(memory_limit("0::/\n", root.path()), None, "no limit is none");
        let inside = tree(&[("memory.max", "500\n")]);
        let of_host = "0::/kubepods/burstable/pod1/abc\n";
        assert_eq!(memory_limit(of_host, inside.path()), Some(500));
        assert_eq!(memory_limit("", inside.path()), None);
    }

    #[test]
    fn control_groups_of_version_1_have_their_limit_too() {
        let root = tree(&[
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/talon/memory.limit_in_bytes", "700\n"),
            ("cpu/talon/memory.limit_in_bytes", "1\n"),
        ]);
        let groups = "3:cpu,cpuacct:/talon\n2:memory:/talon\n1:name=systemd:/\n";
        assert_eq!(memory_limit(groups, root.path()), Some(700));
        assert_eq!(memory_limit("2:memory:/\n", root.path()), None);
    }
}
