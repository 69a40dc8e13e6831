//! A LiveKit server for one test, on free loopback ports.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::process::Process;
use super::relay::{self, Ends};

/// The key that every server of the stage knows.
pub const API_KEY: &str = "stage";
/// Its secret; the server wants 32 characters.
pub const API_SECRET: &str = "the-secret-of-a-stage-on-loopback";
const CONFIGURATION: &str = "livekit.yaml";

/// A running server. Ended by SIGKILL when dropped: on SIGTERM it waits for its rooms to empty.
pub struct Server {
    /// None between an end and a start on the same ports.
    process: Option<Process>,
    ends: Ends,
    dir: TempDir,
}

impl Server {
    /// Starts a server and returns when it answers.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Starts one that says its media is where a [`Relay`] is to listen.
    ///
    /// Of two full ICE agents the server would find the client's own address and go past the
    /// relay: as a lite one it answers and looks for nothing. It listens on 127.0.0.1 alone,
    /// because it can give one advertised address to one of its own only.
    ///
    /// [`Relay`]: super::relay::Relay
    pub fn start_behind_relay() -> Self {
        Self::start_with(&format!(
            "  node_ip: {}\n  use_ice_lite: true\n  ips:\n    includes: [\"127.0.0.1/32\"]\n",
            relay::MEDIA
        ))
    }

    /// Starts one whose media goes over TCP only.
    pub fn start_without_udp() -> Self {
        Self::start_with("  force_tcp: true\n")
    }

    /// Starts one that is reached, for signalling and media, at that address of this machine only.
    ///
    /// Not at `::1`: the server gives no candidates of it (`isSupportedIPv6` in mediatransportutil's
    /// `pkg/transport/ip.go`, after RFC 8445 5.1.1.1), nor of any link-local one.
    pub fn start_at(address: IpAddr) -> Self {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let media = format!("  ips:\n    includes: [\"{address}/{bits}\"]\n");
        Self::start_on(address, &media)
    }

    fn start_with(media: &str) -> Self {
        Self::start_on(Ipv4Addr::LOCALHOST.into(), media)
    }

    fn start_on(host: IpAddr, media: &str) -> Self {
        // Another process may take a port between our look and the server's bind.
        (0..3)
            .find_map(|_| Self::attempt(host, media))
            .expect("livekit-server starts on one of three choices of ports")
    }

    fn attempt(host: IpAddr, media: &str) -> Option<Self> {
        let dir = TempDir::new().expect("a temporary directory");
        let ports = free_ports(host);
        let text = configuration(host, ports, media);
        fs::write(dir.path().join(CONFIGURATION), text).expect("livekit.yaml is written");
        let (signal, _, udp) = ports;
        let at = |port| SocketAddr::from((host, port));
        let mut server = Self {
            process: None,
            ends: Ends {
                signal: at(signal),
                media: at(udp),
            },
            dir,
        };
        server.launch().then_some(server)
    }

    /// Whether it runs and answers.
    fn launch(&mut self) -> bool {
        let mut command = Command::new(binary());
        command
            .arg("--config")
            .arg(self.dir.path().join(CONFIGURATION));
        let mut process = Process::spawn("livekit-server", &mut command);
        let address = self.ends.signal;
        let answers = super::poll("livekit-server answers", Duration::from_mins(1), || {
            if TcpStream::connect(address).is_ok() {
                return Some(true);
            }
            (!process.is_running()).then_some(false)
        });
        if !answers {
            eprintln!("livekit-server ended at once: {}", process.stderr());
        }
        self.process = answers.then_some(process);
        answers
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it on the same ports, with nothing in its memory.
    pub fn start_again(&mut self) {
        self.kill();
        assert!(self.launch(), "livekit-server starts again on its ports");
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("ws://{}", self.ends.signal)
    }

    /// Where its HTTP API listens.
    pub fn address(&self) -> SocketAddr {
        self.ends.signal
    }

    /// Where a relay finds it.
    pub fn ends(&self) -> Ends {
        self.ends
    }
}

/// `media` goes into the `rtc` section.
fn configuration(host: IpAddr, (signal, tcp, udp): (u16, u16, u16), media: &str) -> String {
    format!(
        "port: {signal}\n\
         bind_addresses: [\"{host}\"]\n\
         keys:\n  {API_KEY}: {API_SECRET}\n\
         rtc:\n  tcp_port: {tcp}\n  udp_port: {udp}\n  use_external_ip: false\n  \
         enable_loopback_candidate: true\n{media}\
         logging:\n  level: warn\n\
         room:\n  auto_create: true\n"
    )
}

/// Ports of signalling, of TCP and of UDP media that were free a moment ago, all different because
/// held together.
fn free_ports(host: IpAddr) -> (u16, u16, u16) {
    let any = (host, 0);
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
