//! `reeld doctor` on the machine that runs the tests, whatever that is, and what it says of
//! directories, configurations and servers that are made for it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

mod stage;
#[path = "stage/tls.rs"]
mod tls;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use stage::reeld::{self, Outcome};
use stage::room;
use stage::server::{API_KEY, API_SECRET, Server};
use tempfile::TempDir;
use tls::Front;

/// Of `reeld doctor --help`.
const DEGRADED: i32 = 1;
const BAD: i32 = 2;
/// A disk that is slow, a server that is away: each has its own limit, well below.
const PATIENCE: Duration = Duration::from_mins(1);

/// A run of it, with an output directory of its own.
struct Doctor {
    dir: TempDir,
    /// Where trials of encoders are kept.
    cache: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

impl Doctor {
    fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            cache: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("doctor"),
            arguments: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// With a server, and the stage's key.
    fn of(url: &str) -> Self {
        Self::new()
            .with(&["--url", url])
            .set("LIVEKIT_API_KEY", API_KEY)
            .set("LIVEKIT_API_SECRET", API_SECRET)
    }

    /// With a configuration in its directory, and no output directory but that one's.
    fn configured(text: &str) -> Self {
        let doctor = Self::new();
        let file = doctor.dir.path().join("reeld.toml");
        fs::write(&file, text).unwrap();
        let file = file.display().to_string();
        doctor.with(&["--config", &file])
    }

    fn with(mut self, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        self.arguments.extend(arguments);
        self
    }

    fn set(mut self, variable: &'static str, value: &str) -> Self {
        self.variables.push((variable, value.to_owned()));
        self
    }

    fn output(&self) -> PathBuf {
        self.dir.path().join("recordings")
    }

    fn run(&self, more: &[&str]) -> Outcome {
        let mut command = reeld::command();
        // What one test has tried, the others need not.
        command.env("XDG_CACHE_HOME", &self.cache);
        command.env_remove("CACHE_DIRECTORY");
        command.arg("doctor").args(&self.arguments).args(more);
        if !self.arguments.iter().any(|argument| argument == "--config") {
            fs::create_dir_all(self.output()).unwrap();
            command.arg("--output").arg(self.output());
        }
        for (variable, value) in &self.variables {
            command.env(variable, value);
        }
        let outcome = reeld::run(&mut command, PATIENCE);
        outcome.assert_no_panic();
        let printed = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!printed.contains(API_SECRET), "the secret is printed");
        outcome
    }

    /// The report for programs, which the exit code must agree with.
    fn report(&self) -> Value {
        let outcome = self.run(&["--json"]);
        let report: Value = serde_json::from_str(&outcome.stdout)
            .unwrap_or_else(|error| panic!("{error}: {outcome:?}"));
        let code = match report["grade"].as_str() {
            Some("good") => 0,
            Some("degraded") => DEGRADED,
            Some("bad") => BAD,
            _ => panic!("{report}"),
        };
        assert_eq!(outcome.code, Some(code), "{report}");
        report
    }

    /// What it says of the one server: its grade, and at which step the way in ended.
    fn server(&self) -> (String, Value) {
        let report = self.report();
        let servers = report["facts"]["servers"].as_array().unwrap();
        assert_eq!(servers.len(), 1, "{report}");
        let finding = finding(&report, "server");
        let grade = finding["grade"].as_str().unwrap().to_owned();
        (grade, servers[0]["failed_at"].clone())
    }

    fn assert_server_fails(&self, step: &str) {
        let (grade, failed_at) = self.server();
        assert_eq!((grade.as_str(), failed_at.as_str()), ("bad", Some(step)));
    }
}

/// The only finding on a subject.
fn finding<'a>(report: &'a Value, subject: &str) -> &'a Value {
    let findings = report["findings"].as_array().unwrap().iter();
    let mut found = findings.filter(|one| one["subject"] == subject);
    let only = found
        .next()
        .unwrap_or_else(|| panic!("{subject}: {report}"));
    assert!(found.next().is_none(), "{subject}: {report}");
    only
}

/// Everything below `path`.
fn left(path: &Path) -> usize {
    fs::read_dir(path).unwrap().count()
}

/// An address where nothing listens: its port was free a moment ago.
fn deserted() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn this_machine_has_a_line_for_everything_that_is_looked_at() {
    let doctor = Doctor::new();
    let report = doctor.report();
    assert_eq!(report["reeld"], env!("CARGO_PKG_VERSION"));
    let findings = report["findings"].as_array().unwrap();
    let mut subjects: Vec<&str> = findings
        .iter()
        .map(|one| one["subject"].as_str().unwrap())
        .collect();
    // One of each encoder, and of each codec that can be decoded.
    subjects.dedup();
    assert_eq!(
        subjects,
        [
            "board",
            "codec nodes",
            "system",
            "memory",
            "memory cgroup",
            "pressure",
            "watchdog",
            "clock",
            "GStreamer",
            "encoding",
            "encoder",
            "decoder",
            "output",
            "file system",
            "disk sync",
        ]
    );
    for one in findings {
        assert_eq!(one["grade"] == "good", one["advice"].is_null(), "{one}");
    }
    let facts = &report["facts"];
    for key in ["board", "machine", "memory_cgroup", "clock", "disk"] {
        assert!(facts[key].is_object(), "{key}: {facts}");
    }
    let decoders = facts["coders"]["decoders"].as_array().unwrap();
    let vp8 = decoders.iter().find(|one| one["factory"] == "vp8dec");
    assert!(vp8.unwrap()["pictures_per_second"].as_f64() > Some(1.0));
    assert!(facts["gstreamer"].as_str().unwrap().starts_with("1."));
    assert!(facts["machine"]["memory"].as_u64() > Some(0));
    assert_eq!(facts["disk"]["sync"]["pieces"], 20);
    // These tests need all of it, and a clock that servers agree with.
    for subject in ["GStreamer", "output"] {
        assert_eq!(finding(&report, subject)["grade"], "good", "{report}");
    }
    assert_eq!(left(&doctor.output()), 0);
}

#[test]
fn the_table_says_the_same_with_what_to_do_below_each_line() {
    let doctor = Doctor::new();
    let report = doctor.report();
    let outcome = doctor.run(&[]);
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    let (advice, told): (Vec<&str>, Vec<&str>) =
        lines.iter().partition(|line| line.starts_with("    → "));
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(told.len(), findings.len() + 1, "{}", outcome.stdout);
    let mut columns = Vec::new();
    for (line, one) in told.iter().zip(findings) {
        let (grade, subject) = (one["grade"].as_str(), one["subject"].as_str().unwrap());
        let mut cells = line.split("  ").filter(|cell| !cell.is_empty());
        assert_eq!(cells.next(), grade, "{line}");
        let what = cells.nth(1).expect("what was found").trim();
        columns.push((line.find(subject), line.find(what)));
    }
    columns.dedup();
    assert_eq!(columns.len(), 1, "not aligned: {}", outcome.stdout);
    let not_good = findings.iter().filter(|one| one["grade"] != "good").count();
    assert_eq!(advice.len(), not_good, "{}", outcome.stdout);
    let grade = report["grade"].as_str().unwrap();
    assert!(
        told.last().unwrap().starts_with(grade),
        "{}",
        outcome.stdout
    );
}

/// What is known of x264enc, which the tests need.
fn x264enc(report: &Value) -> &Value {
    let encoders = report["facts"]["coders"]["encoders"].as_array().unwrap();
    let mut found = encoders.iter().filter(|one| one["factory"] == "x264enc");
    found.next().unwrap_or_else(|| panic!("{report}"))
}

#[test]
fn encoders_are_tried_once_and_again_when_asked() {
    let mut doctor = Doctor::new();
    doctor.cache = doctor.dir.path().join("cache");
    let tried = doctor.report();
    assert_eq!(x264enc(&tried)["verdict"]["verdict"], "passed", "{tried}");
    assert!(x264enc(&tried)["pictures_per_second"].as_f64() > Some(1.0));
    let file = doctor.cache.join("reeld/trials.json");
    let mut kept: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    for (what, verdict) in kept["verdicts"].as_object_mut().unwrap() {
        if what.starts_with("x264enc") {
            *verdict = serde_json::json!({ "verdict": "hung" });
        }
    }
    fs::write(&file, kept.to_string()).unwrap();
    assert_eq!(x264enc(&doctor.report())["verdict"]["verdict"], "hung");
    let doctor = doctor.with(&["--fresh"]);
    let fresh = doctor.report();
    assert_eq!(x264enc(&fresh)["verdict"]["verdict"], "passed", "{fresh}");
    // What was tried last must not be all that is kept.
    let kept = fs::read_to_string(&file).unwrap();
    for factory in ["x264enc", "vp8dec"] {
        assert!(kept.contains(factory), "{factory}: {kept}");
    }
}

#[test]
fn an_encoder_that_is_forced_must_be_there() {
    let forced = Doctor::new().set("REELD_VIDEO__ENCODER", "mpph264enc");
    let report = forced.report();
    let encoding = finding(&report, "encoding");
    assert_eq!(encoding["grade"], "bad", "{encoding}");
    let nothing = Doctor::new().set("REELD_VIDEO__MODE", "passthrough");
    assert!(nothing.report()["facts"]["coders"].is_null());
}

#[test]
fn an_output_that_cannot_be_written_is_bad_and_nothing_is_made() {
    // Refused to root as well, which permission bits are not.
    let report = Doctor::configured("output = \"/proc/reeld\"\n").report();
    assert_eq!(finding(&report, "output")["grade"], "bad");

    let doctor = Doctor::new();
    let absent = doctor.dir.path().join("a/b");
    let text = format!("output = \"{}\"\n", absent.display());
    let report = Doctor::configured(&text).report();
    let output = finding(&report, "output");
    assert_eq!(output["grade"], "good", "{output}");
    assert!(output["what"].as_str().unwrap().contains("to be made"));
    assert_eq!(report["facts"]["disk"]["exists"], false);
    assert_eq!(left(doctor.dir.path()), 0);
}

#[test]
fn memory_is_no_place_for_recordings() {
    // On any Linux machine it is a tmpfs.
    let report = Doctor::configured("output = \"/dev/shm\"\n").report();
    let file_system = finding(&report, "file system");
    assert_eq!(file_system["grade"], "degraded", "{file_system}");
    assert_eq!(report["facts"]["disk"]["file_system"]["medium"], "memory");
}

#[test]
fn a_configuration_that_is_wrong_is_said_beside_the_rest() {
    let report = Doctor::configured("[video]\nin_flihgt = 2\n").report();
    let configuration = finding(&report, "configuration");
    assert_eq!(configuration["grade"], "bad");
    let what = configuration["what"].as_str().unwrap();
    assert!(
        what.contains("reeld.toml:2") && what.contains("in_flihgt"),
        "{what}"
    );
    // Where recordings would go is not known, and nothing is guessed.
    assert!(report["facts"]["disk"].is_null());
    assert!(finding(&report, "clock")["what"].is_string());

    let report = Doctor::of("ftp://127.0.0.1/").report();
    let what = finding(&report, "configuration")["what"].clone();
    assert!(what.as_str().unwrap().contains("ftp"), "{what}");
}

#[test]
fn a_server_that_knows_the_key_lets_us_in_and_nothing_is_joined() {
    let server = Server::start();
    let (grade, failed_at) = Doctor::of(&server.url()).server();
    assert_eq!((grade.as_str(), failed_at), ("good", Value::Null));
    assert_eq!(room::list(&server), Vec::<String>::new());
}

#[test]
fn keys_and_tokens_that_the_server_refuses_are_told_from_a_server_that_is_away() {
    let server = Server::start();
    let url = server.url();
    let mut wrong = Doctor::of(&url);
    wrong.variables.pop();
    let wrong = wrong.set("LIVEKIT_API_SECRET", "another-secret-of-thirty-two-or-more");
    wrong.assert_server_fails("access");
    Doctor::of(&url)
        .set("LIVEKIT_API_KEY", "nobody")
        .assert_server_fails("access");
    Doctor::of(&format!("ws://{}", deserted())).assert_server_fails("connection");
    Doctor::of("ws://reeld.invalid").assert_server_fails("name");
    // It answers, and is not LiveKit there.
    Doctor::of(&format!("{url}/elsewhere")).assert_server_fails("answer");
    let address = server.address();
    Doctor::of(&format!("wss://{address}")).assert_server_fails("tls");
}

#[test]
fn a_token_is_asked_about_for_its_own_room() {
    let server = Server::start();
    let with = |token: &str| {
        Doctor::new()
            .with(&["--url", &server.url()])
            .set("LIVEKIT_TOKEN", token)
    };
    let token = room::token("reeld", room::member("hall"), Duration::from_hours(1));
    let report = with(&token).report();
    assert_eq!(finding(&report, "server")["grade"], "good", "{report}");
    assert_eq!(report["facts"]["servers"][0]["room"], "hall");
    with("not.a.token").assert_server_fails("token");
    let report = Doctor::new().with(&["--url", &server.url()]).report();
    let what = finding(&report, "server")["what"].clone();
    assert!(what.as_str().unwrap().contains("no token and no key"));
}

#[test]
fn a_private_ca_is_trusted_when_the_configuration_names_it() {
    let server = Server::start();
    let front = Front::start(server.address());
    let livekit = format!(
        "[livekit]\nurl = \"{}\"\napi_key = \"{API_KEY}\"\napi_secret = \"{API_SECRET}\"\n",
        front.url()
    );
    let room = "[[room]]\nname = \"hall\"\n[[room]]\nname = \"stage\"\n";
    Doctor::configured(&format!("output = \"/dev/shm\"\n{livekit}{room}"))
        .assert_server_fails("tls");
    let ca = format!("ca_file = \"{}\"\n", front.ca_file().display());
    let trusting = Doctor::configured(&format!("output = \"/dev/shm\"\n{livekit}{ca}{room}"));
    assert_eq!(trusting.server(), ("good".to_owned(), Value::Null));
}

#[test]
fn a_configuration_without_a_server_can_not_record() {
    let report = Doctor::configured("output = \"/dev/shm\"\n").report();
    let server = finding(&report, "server");
    assert_eq!(server["grade"], "bad", "{server}");
    assert!(server["advice"].as_str().unwrap().contains("LIVEKIT_URL"));
}
