//! Servers that tests start: each prints its address in one line, answers a few requests, and stops with the test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

/// They answer within seconds; the first start of a fresh environment compiles its modules.
const START: Duration = Duration::from_mins(4);

/// The top of the repository, below which the servers and their environments are.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Python of a virtual environment that a target of the Makefile creates. If it is missing, prints that the test is
/// skipped, or fails if the environment requires the emulators.
pub(crate) fn interpreter(environment: &Path, target: &str) -> Option<PathBuf> {
    let python = environment.join("bin/python");
    if python.exists() {
        return Some(python);
    }
    let required = std::env::var_os("STEPLADDER_REQUIRE_EMULATORS").is_some();
    assert!(!required, "the emulators are required and not installed: `make {target}`");
    eprintln!("skipped: the emulators are not installed (`make {target}` does it)");
    None
}

/// A running process, which stops when its standard input closes.
pub(crate) struct Server {
    child: Child,
    /// The line that it printed when it was ready.
    pub(crate) ready: String,
}

impl Server {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (send, line) = mpsc::channel();
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = BufReader::new(stdout).read_line(&mut text);
            let _ = send.send(text);
        });
        let ready = line.recv_timeout(START).expect("the server gets ready");
        Self { child, ready }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Sends a whole request to a host and returns the whole answer.
pub(crate) fn exchange(host: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Sends a request to the control server at this URL; null is no body.
pub(crate) fn control(url: &str, method: &str, path: &str, body: &Value) -> Value {
    let host = url.strip_prefix("http://").unwrap();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(host, &request);
    assert!(answer.starts_with("HTTP/1.1 200"), "{method} {path}: {answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}

/// The number of sequential round trips, from the begin and end of each request. Requests that overlap count as one.
pub(crate) fn sequential(spans: impl Iterator<Item = (f64, f64)>) -> usize {
    let mut spans: Vec<(f64, f64)> = spans.collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut trips, mut until) = (0, f64::MIN);
    for (start, end) in spans {
        if start >= until {
            trips += 1;
            until = end;
        } else {
            until = until.max(end);
        }
    }
    trips
}
