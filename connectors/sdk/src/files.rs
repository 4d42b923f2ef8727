//! Files that cannot be read.

use std::io::ErrorKind;
use std::path::Path;

/// Why a file cannot be read, in words: which one, and what to do. The library's own word for one that is not
/// there is "entity not found".
///
/// The path stands in the configuration, and is no secret.
pub fn unreadable(path: &Path, why: ErrorKind) -> String {
    let what = match why {
        ErrorKind::NotFound => {
            "there is none at this path; if it is mounted, see the mount and the file's name"
                .to_owned()
        }
        ErrorKind::PermissionDenied => {
            "this process's user may not read it; see its owner and its mode".to_owned()
        }
        ErrorKind::IsADirectory => "this is a directory; name a file in it".to_owned(),
        ErrorKind::NotADirectory => "a part of this path is a file, no directory".to_owned(),
        ErrorKind::InvalidData => "it is no UTF-8 text".to_owned(),
        other => other.to_string(),
    };
    format!("the file `{}` cannot be read: {what}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_named_with_what_to_do() {
        let said = |path: &str| {
            let error = std::fs::read_to_string(path).unwrap_err();
            unreadable(Path::new(path), error.kind())
        };
        let words = said("/no/such/file.pem");
        assert!(words.contains("`/no/such/file.pem`"), "{words}");
        assert!(words.contains("there is none at this path"), "{words}");
        assert!(!words.contains("entity"), "{words}");
        assert!(said("/").contains("this is a directory"), "{}", said("/"));
    }
}
