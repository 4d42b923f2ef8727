//! The check by stock clients: scripts of `python/`, run in an environment that is made once in `target/brokers/`.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::skip::{self, Failure, Unavailable};
use crate::{command, fetch};

const REQUIREMENTS: &str = include_str!("../python/requirements.txt");
const INSTALL_LIMIT: Duration = Duration::from_secs(600);

/// Runs `python/<script>` with `arguments` to its end and returns its status and output; `None` where `test` is skipped for want of Python or the packages.
///
/// The script must end by itself: those here take `--timeout`.
///
/// Panics where the script cannot be run at all, and as the brokers' `shared` does.
pub fn run(test: &str, script: &str, arguments: &[&str]) -> Option<Output> {
    static PYTHON: OnceLock<Result<PathBuf, Unavailable>> = OnceLock::new();
    let python = skip::or_skip(test, PYTHON.get_or_init(interpreter).as_ref())?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script);
    let output = Command::new(python)
        .arg(&script)
        .args(arguments)
        .stdin(Stdio::null())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output();
    match output {
        Ok(output) => Some(output),
        Err(error) => panic!("{test}: cannot run `{}`: {error}", script.display()),
    }
}

/// The interpreter with the packages of `python/requirements.txt`, which are installed the first time.
///
/// # Errors
///
/// Where there is no Python, or the packages cannot be had.
pub fn interpreter() -> Result<PathBuf, Unavailable> {
    make().map_err(|failure| {
        let (reason, broken) = match failure {
            Failure::Absent(reason) => (reason, false),
            Failure::Broken(reason) => (reason, true),
        };
        Unavailable {
            what: "Python with the stock clients",
            reasons: vec![("packages", reason)],
            broken,
        }
    })
}

/// The environment may be moved once it is made: only its `python` is used, which finds the rest beside itself.
fn make() -> Result<PathBuf, Failure> {
    let python = command::needed("python3")?;
    let version = command::output(Command::new(&python).arg("--version"))
        .ok_or_else(|| Failure::Absent("`python3 --version` fails".to_owned()))?;
    let directory = fetch::once(&name(version.trim()), |directory| {
        let mut venv = Command::new(&python);
        venv.args(["-m", "venv"]).arg(directory);
        command::run("python-venv", &mut venv, INSTALL_LIMIT)?;
        let requirements = directory.join("requirements.txt");
        fs::write(&requirements, REQUIREMENTS)
            .map_err(|error| Failure::broken("requirements", error))?;
        let mut pip = Command::new(directory.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--only-binary=:all:"])
            .args(["--disable-pip-version-check", "--requirement"])
            .arg(&requirements);
        command::run("python-packages", &mut pip, INSTALL_LIMIT).map(drop)
    })?;
    Ok(directory.join("bin/python"))
}

/// Another environment for another Python and for other requirements.
fn name(version: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (version, REQUIREMENTS).hash(&mut hasher);
    format!("python-{:016x}", hasher.finish())
}
