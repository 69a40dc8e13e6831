//! Stands in for `reeld recover` until there is one: cuts at the first tail of zeros.

use std::fs;
use std::io;
use std::path::Path;

use super::stage::reeld::{files, transport_streams};

const PACKET: usize = 188;

pub fn recover(root: &Path) -> io::Result<()> {
    for file in transport_streams(root) {
        let name = file.to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".recording.ts") else {
            continue;
        };
        let bytes = fs::read(&file)?;
        let whole = bytes
            .chunks_exact(PACKET)
            .take_while(|packet| packet[0] == 0x47);
        let length = whole.count() * PACKET;
        if length == 0 {
            fs::remove_file(&file)?;
        } else {
            fs::write(format!("{name}.ts"), &bytes[..length])?;
            fs::remove_file(&file)?;
        }
    }
    for file in files(root) {
        if file.ends_with("manifest.json") || file.ends_with("index.m3u8") {
            fs::remove_file(file)?;
        }
    }
    Ok(())
}
