//! A web server for one recording, one page and what the page reports.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use serde::Deserialize;

const PAGE: &str = include_str!("page.html");

/// What the page says, four times a second.
#[derive(Debug, Deserialize)]
pub struct Report {
    /// Seconds played.
    pub time: f64,
    /// The end was reached.
    pub ended: bool,
    /// `EVENT` or `VOD`.
    pub kind: String,
    /// More is expected.
    pub live: bool,
    pub width: u32,
    pub height: u32,
    pub decoded_pictures: u64,
    /// Bytes.
    pub decoded_sound: u64,
    /// What hls.js reported, whether or not it went on.
    pub errors: Vec<String>,
}

pub struct Site {
    address: SocketAddr,
    reports: Receiver<Report>,
}

impl Site {
    /// Serves the files of `folder` for as long as the test's process lives.
    pub fn serve(folder: &Path) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let folder = folder.to_owned();
        // More reports than a test takes.
        let (sender, reports) = sync_channel(10_000);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (folder, sender) = (folder.clone(), sender.clone());
                std::thread::spawn(move || answer(&stream, &folder, &sender));
            }
        });
        Self { address, reports }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The first report from now on that is `wanted`.
    pub fn await_report(
        &self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&Report) -> bool,
    ) -> Report {
        let deadline = Instant::now() + limit;
        let mut last = None;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.reports.recv_timeout(left) {
                Ok(report) if wanted(&report) => return report,
                Ok(report) => last = Some(report),
                Err(error) => panic!("{what}: {error} within {limit:?}; last report: {last:?}"),
            }
        }
    }
}

/// Answers one request. A browser that goes away in the middle is no failure.
fn answer(stream: &TcpStream, folder: &Path, reports: &SyncSender<Report>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request).ok()?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let path = request.split(' ').nth(1)?;
    let body = match path {
        "/" => PAGE.as_bytes().to_vec(),
        "/hls.js" => std::fs::read(hls_js()).expect("hls.js; scripts/test fetches it"),
        "/report" => {
            let mut report = vec![0; length];
            reader.read_exact(&mut report).ok()?;
            let report = serde_json::from_slice(&report).expect("a report of the page");
            // The test has ended when nobody takes it.
            reports.try_send(report).ok()?;
            Vec::new()
        }
        name => std::fs::read(folder.join(name.trim_start_matches('/'))).unwrap_or_default(),
    };
    let status = if body.is_empty() && path != "/report" {
        "404 Not Found"
    } else {
        "200 OK"
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        kind_of(path),
        body.len()
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&body).ok()
}

fn kind_of(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("m3u8") => "application/vnd.apple.mpegurl",
        Some("ts") => "video/mp2t",
        Some("js") => "text/javascript",
        _ => "text/html",
    }
}

fn hls_js() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/hls.js/dist/hls.min.js")
}
