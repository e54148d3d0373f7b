//! Starts the stand-in of Fn's agent, which runs the real function and freezes it between calls.

use std::io::Write as _;
use std::process::{Command, Stdio};

use tempfile::NamedTempFile;

use super::emulators::{Emulator, interpreter, root};
use crate::server::Server;

/// A running agent. It stops when its standard input closes, and its function with it.
pub(super) struct Agent {
    _server: Server,
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
        let server = Server::start(
            Command::new(interpreter().expect("the emulator runs"))
                .arg(root().join("tests/emulators/oci/agent.py"))
                .arg("--env-file")
                .arg(environment.path())
                .args(["--", env!("CARGO_BIN_EXE_stepladder-oci")])
                .stderr(Stdio::null()),
        );
        let url = server.ready.trim_end().strip_prefix("ready ").expect("the agent prints where it listens");
        Self { url: url.to_owned(), _server: server, _environment: environment }
    }

    /// Where the function is invoked, as through OCI Functions.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}
