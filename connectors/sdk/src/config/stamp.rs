//! Whether a file is still the one that was read.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What tells a file from the one that was there before. Links are followed, so one that leads elsewhere
/// now, as Kubernetes swaps `..data`, is a change.
///
/// Not its time alone, which deployment tools keep or set to the same for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp(Option<Seen>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Seen {
    device: u64,
    number: u64,
    bytes: u64,
    modified: (i64, i64),
    /// When its content, name or rights were changed, which nobody can set.
    changed: (i64, i64),
}

impl Stamp {
    /// As it is now; to be taken before the file is read, so that what changes meanwhile is read again.
    pub fn of(path: impl AsRef<Path>) -> Stamp {
        Stamp(fs::metadata(path).ok().map(|file| Seen {
            device: file.dev(),
            number: file.ino(),
            bytes: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }))
    }

    /// Whether there is a file.
    pub fn is_there(self) -> bool {
        self.0.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_link_that_leads_elsewhere_is_a_change_whatever_the_times_say() {
        let folder = std::env::temp_dir().join(format!("talon-stamp-{}", std::process::id()));
        for version in ["..1", "..2"] {
            fs::create_dir_all(folder.join(version)).unwrap();
            let path = folder.join(version).join("password");
            fs::write(&path, "secret").unwrap();
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
        symlink("..1", folder.join("..data")).unwrap();
        symlink("..data/password", folder.join("password")).unwrap();
        let path = folder.join("password");
        let first = Stamp::of(&path);
        assert_eq!(first, Stamp::of(&path));
        symlink("..2", folder.join("..next")).unwrap();
        fs::rename(folder.join("..next"), folder.join("..data")).unwrap();
        assert_ne!(first, Stamp::of(&path));
        assert!(first.is_there());
        fs::remove_dir_all(&folder).unwrap();
        assert!(!Stamp::of(&path).is_there());
    }
}
