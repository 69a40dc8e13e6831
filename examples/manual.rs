//! Writes the manual pages and the completions of shells into a directory, for packages.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::Shell;
use reeld::cli::Cli;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os().nth(1).ok_or("which directory?")?;
    let directory = PathBuf::from(directory);
    fs::create_dir_all(&directory)?;
    let mut program = Cli::command();
    clap_mangen::generate_to(program.clone(), &directory)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut program, "reeld", &directory)?;
    }
    Ok(())
}
