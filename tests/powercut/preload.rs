//! A library in front of libc whose calls succeed and do nothing.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Builds one at `library` in which each of `functions` takes a descriptor and returns 0.
pub fn build(library: &Path, functions: &[&str]) {
    let mut compiler = Command::new("cc")
        .args(["-shared", "-fPIC", "-x", "c", "-o"])
        .arg(library)
        .arg("-")
        .stdin(Stdio::piped())
        .spawn()
        .expect("cc runs; scripts/test installs it");
    let mut source = compiler.stdin.take().expect("stdin is piped");
    for name in functions {
        writeln!(source, "int {name}(int fd) {{ (void)fd; return 0; }}").expect("cc reads");
    }
    drop(source);
    assert!(compiler.wait().expect("cc ends").success());
}
