//! The `reeld` program: parses, runs a subcommand, maps its outcome to an exit code.

use std::process::ExitCode;

use clap::Parser;
use reeld::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.run() {
        Ok(code) => code.into(),
        Err(failure) => {
            eprintln!("reeld: {failure}");
            failure.code().into()
        }
    }
}
