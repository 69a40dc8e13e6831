//! The `reeld` program: parses, runs a subcommand, maps its outcome to an exit code.

use std::process::ExitCode;

use clap::Parser;
use reeld::cli::Cli;

fn main() -> ExitCode {
    // Encoders ask for huge pages: 7 MB more at 720p for time that can't be measured. A kernel
    // that knows no huge pages refuses, and loses nothing.
    let _ = nix::sys::prctl::set_thp_disable(true);
    reeld::heap::limit();
    let cli = Cli::parse();
    match cli.run() {
        Ok(code) => code.into(),
        Err(failure) => {
            eprintln!("reeld: {failure}");
            failure.code().into()
        }
    }
}
