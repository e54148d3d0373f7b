//! Starts the real `stepladder-oci` on a socket of its own, speaks HTTP to it, and stops it with the test.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::emulators::{interpreter, root};

/// Long enough for anything that needs no cloud, the start too, on a busy machine. The benchmark measures how fast it
/// is: the agent waits five seconds for the socket.
const PATIENCE: Duration = Duration::from_mins(1);

const SOCKET: &str = "lsnr.sock";

/// A function that listens.
pub(super) struct Function {
    child: Child,
    scratch: tempfile::TempDir,
}

/// What it answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Value,
}

/// A connection of the agent.
pub(super) struct Connection(BufReader<UnixStream>);

impl Function {
    pub(super) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts it with more in its environment.
    pub(super) fn start_with(environment: &[(&str, &str)]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), environment)
    }

    /// Starts it where an earlier one may have been.
    pub(super) fn start_in(scratch: tempfile::TempDir, environment: &[(&str, &str)]) -> Self {
        let log = |name: &str| File::create(scratch.path().join(name)).unwrap();
        let child = program(&scratch.path().join(SOCKET))
            .envs(environment.iter().copied())
            .stdout(log("stdout"))
            .stderr(log("stderr"))
            .spawn()
            .unwrap();
        let function = Self { child, scratch };
        // A link that an earlier one left leads to no listener.
        until("it listens", || UnixStream::connect(function.socket()).is_ok());
        function
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.scratch.path().join(SOCKET)
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn connect(&self) -> Connection {
        let stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Connection(BufReader::new(stream))
    }

    /// Calls it on a connection of its own.
    pub(super) fn call(&self, body: &[u8], headers: &[(&str, &str)]) -> Answer {
        self.connect().call(body, headers)
    }

    pub(super) fn stdout(&self) -> String {
        std::fs::read_to_string(self.scratch.path().join("stdout")).unwrap()
    }

    pub(super) fn stderr(&self) -> String {
        std::fs::read_to_string(self.scratch.path().join("stderr")).unwrap()
    }

    /// Ends it as a container is ended, and returns how it went and what is left of the directory.
    pub(super) fn terminate(mut self) -> (ExitStatus, Vec<String>) {
        terminate(&self.child);
        let mut ended = None;
        until("it ends", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        let left = std::fs::read_dir(self.scratch.path()).unwrap();
        let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        (ended.unwrap(), names.filter(|name| name.ends_with(SOCKET)).collect())
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn terminate(child: &Child) {
    let killed = Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]).status().unwrap();
    assert!(killed.success());
}

impl Connection {
    /// Calls the function as the agent does, with a body whose length is sent.
    pub(super) fn call(&mut self, body: &[u8], headers: &[(&str, &str)]) -> Answer {
        let mut head =
            format!("POST /call HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        self.send(head.as_bytes());
        self.send(body);
        self.answer()
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// Reads one answer, and nothing after it.
    pub(super) fn answer(&mut self) -> Answer {
        let status = self.line();
        let status =
            status.split(' ').nth(1).unwrap_or_else(|| panic!("no status: {status}")).parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut answer = Answer { status, headers, body: Value::Null };
        let mut body = vec![0; answer.header("content-length").map_or(0, |length| length.parse().unwrap())];
        self.0.read_exact(&mut body).unwrap();
        answer.body = serde_json::from_slice(&body).unwrap_or_default();
        answer
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Everything that comes until the function closes the connection.
    pub(super) fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).unwrap();
        String::from_utf8_lossy(&rest).into_owned()
    }
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// The program, with nothing but a socket in its environment.
pub(super) fn program(socket: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_stepladder-oci"));
    program.env_clear().env("FN_FORMAT", "http-stream").stdin(Stdio::null());
    program.env("FN_LISTENER", format!("unix:{}", socket.display()));
    program
}

/// Runs a Python program of the emulators, where they are installed.
pub(super) fn python(arguments: &[&str]) -> Option<Output> {
    let python = interpreter()?;
    Some(Command::new(python).args(arguments).current_dir(root()).output().unwrap())
}

/// Waits until something holds.
pub(super) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
