//! The program; all of it is the library beside, so that tests reach it.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    talon::main()
}
