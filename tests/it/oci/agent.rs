//! Starts the stand-in of Fn's agent, which runs the real function and freezes it between calls.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::NamedTempFile;

use super::emulators::{Emulator, interpreter, root};

/// It only has to begin to listen.
const START: Duration = Duration::from_secs(30);

/// A running agent. It stops when its standard input closes, and its function with it.
pub(super) struct Agent {
    child: Child,
    url: String,
    /// What the function finds in its environment.
    _environment: NamedTempFile,
}

impl Agent {
    /// Starts it for a function of the emulator's, with more in the function's environment.
    pub(super) fn start(emulator: &Emulator, more: &[(&str, &str)]) -> Self {
        let mut environment = NamedTempFile::new().unwrap();
        let own = emulator.environment();
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in own.chain(more.iter().copied()) {
            writeln!(environment, "{name}={value}").unwrap();
        }
        let mut child = Command::new(interpreter().expect("the emulator runs"))
            .arg(root().join("tests/emulators/oci/agent.py"))
            .arg("--env-file")
            .arg(environment.path())
            .args(["--", env!("CARGO_BIN_EXE_stepladder-oci")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (send, line) = mpsc::channel();
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = BufReader::new(stdout).read_line(&mut text);
            let _ = send.send(text);
        });
        let line = line.recv_timeout(START).expect("the agent gets ready");
        let url = line.trim_end().strip_prefix("ready ").expect("the agent says where it listens").to_owned();
        Self { child, url, _environment: environment }
    }

    /// Where the function is invoked, as through OCI Functions.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
