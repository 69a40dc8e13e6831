//! A LiveKit server for one test, on free loopback ports.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::process::Process;

/// The key that every server of the stage knows.
pub const API_KEY: &str = "stage";
/// Its secret; the server wants 32 characters.
pub const API_SECRET: &str = "the-secret-of-a-stage-on-loopback";

/// A running server. Ended by SIGKILL when dropped: on SIGTERM it waits for its rooms to empty.
pub struct Server {
    process: Process,
    address: SocketAddr,
    _dir: TempDir,
}

impl Server {
    /// Starts a server and returns when it answers.
    pub fn start() -> Self {
        // Another process may take a port between our look and the server's bind.
        (0..3)
            .find_map(|_| Self::attempt())
            .expect("livekit-server starts on one of three choices of ports")
    }

    fn attempt() -> Option<Self> {
        let dir = TempDir::new().expect("a temporary directory");
        let (signal, tcp, udp) = free_ports();
        let config = dir.path().join("livekit.yaml");
        fs::write(&config, configuration(signal, tcp, udp)).expect("livekit.yaml is written");
        let mut process = Process::spawn(
            "livekit-server",
            Command::new(binary()).arg("--config").arg(&config),
        );
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, signal));
        let answers = super::poll("livekit-server answers", Duration::from_secs(20), || {
            if TcpStream::connect(address).is_ok() {
                return Some(true);
            }
            (!process.is_running()).then_some(false)
        });
        if !answers {
            eprintln!("livekit-server ended at once: {}", process.stderr());
        }
        answers.then_some(Self {
            process,
            address,
            _dir: dir,
        })
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Where its HTTP API listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn configuration(signal: u16, tcp: u16, udp: u16) -> String {
    format!(
        "port: {signal}\n\
         bind_addresses: [\"127.0.0.1\"]\n\
         keys:\n  {API_KEY}: {API_SECRET}\n\
         rtc:\n  tcp_port: {tcp}\n  udp_port: {udp}\n  use_external_ip: false\n  \
         enable_loopback_candidate: true\n\
         logging:\n  level: warn\n\
         room:\n  auto_create: true\n"
    )
}

/// Ports that were free a moment ago, all different because held together.
fn free_ports() -> (u16, u16, u16) {
    let any = (Ipv4Addr::LOCALHOST, 0);
    let signal = TcpListener::bind(any).expect("a free TCP port");
    let tcp = TcpListener::bind(any).expect("a free TCP port");
    let udp = UdpSocket::bind(any).expect("a free UDP port");
    (
        signal.local_addr().expect("its address").port(),
        tcp.local_addr().expect("its address").port(),
        udp.local_addr().expect("its address").port(),
    )
}

fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("REELD_LIVEKIT_SERVER") {
        return path.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|dir| dir.join("livekit-server"))
        .chain([super::tool("bin/livekit-server")])
        .find(|candidate| candidate.is_file())
        .expect(
            "no livekit-server: run scripts/test once, it fetches one, or set REELD_LIVEKIT_SERVER",
        )
}
