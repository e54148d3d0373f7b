//! The real `stepladder-lambda` under `cargo lambda watch`, invoked by `cargo lambda invoke`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::emulators::{Emulators, root, virtual_environment};

/// `cargo lambda watch` builds before it serves; the tests have built already.
const START: Duration = Duration::from_mins(2);

/// Runs a command until standard input ends, however the test may end, and then stops its whole group.
const UNTIL_INPUT_ENDS: &str = r#""$@" & cat; kill 0"#;

/// A function that answers on a port of its own.
pub(super) struct Function {
    child: Child,
    port: u16,
    scratch: tempfile::TempDir,
}

impl Function {
    /// Starts it with the emulators for AWS, and waits until it answers.
    pub(super) fn start(emulators: &Emulators) -> Self {
        Self::start_with(emulators, &[])
    }

    /// Starts it so with more in its environment.
    pub(super) fn start_with(emulators: &Emulators, environment: &[(&str, &str)]) -> Self {
        let port = free_port();
        let scratch = tempfile::tempdir().unwrap();
        let log = File::create(scratch.path().join("watch.log")).unwrap();
        let child = in_a_clean_shell("sh")
            .args(["-c", UNTIL_INPUT_ENDS, "sh"])
            .arg(cargo_lambda_path())
            .args([
                "lambda",
                "watch",
                "--features",
                "aws",
                "--ignore-changes",
                "--invoke-address",
                "127.0.0.1",
            ])
            .args(["--invoke-port", &port.to_string()])
            .envs(emulators.environment())
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            // `watch` starts cargo, which starts the function: they stop together, as one group.
            .process_group(0)
            .spawn()
            .unwrap();
        let function = Self { child, port, scratch };
        function.wait_until_it_answers();
        emulators.forget_requests();
        function
    }

    /// Something that is no alarm is answered without a look at any cloud; without a usable policy nothing is.
    fn wait_until_it_answers(&self) {
        let deadline = Instant::now() + START;
        while self.send(b"null").is_err_and(|error| !error.contains("Permanent")) {
            assert!(Instant::now() < deadline, "the function does not answer:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Where it is invoked over HTTP, as Lambda itself would be.
    pub(super) fn invoke_url(&self) -> String {
        format!("http://127.0.0.1:{}/2015-03-31/functions/stepladder-lambda/invocations", self.port)
    }

    /// Invokes it, and returns its reply.
    pub(super) fn invoke(&self, payload: &[u8]) -> Value {
        self.send(payload).unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
    }

    /// Invokes it, and returns the function error.
    pub(super) fn invoke_failing(&self, payload: &[u8]) -> String {
        match self.send(payload) {
            Err(error) => error,
            Ok(reply) => panic!("expected a function error, found the reply {reply}"),
        }
    }

    fn send(&self, payload: &[u8]) -> Result<Value, String> {
        let mut file = tempfile::NamedTempFile::new_in(self.scratch.path()).unwrap();
        file.write_all(payload).unwrap();
        let Output { status, stdout, stderr } = in_a_clean_shell(cargo_lambda_path())
            .args(["lambda", "invoke", "stepladder-lambda"])
            .args(["--invoke-address", "127.0.0.1", "--invoke-port", &self.port.to_string()])
            .arg("--data-file")
            .arg(file.path())
            .output()
            .unwrap();
        if !status.success() {
            return Err(String::from_utf8_lossy(&stderr).into_owned());
        }
        serde_json::from_slice(&stdout)
            .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&stdout)))
    }

    /// What the function and `watch` have printed.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.scratch.path().join("watch.log")).unwrap_or_default()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn cargo_lambda_path() -> PathBuf {
    virtual_environment().join("bin/cargo-lambda")
}

/// With the compiler's environment as a shell would have it, so that nothing is built anew.
fn in_a_clean_shell(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command.current_dir(root()).env_clear().env("PATH", path);
    for kept in ["HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "CARGO_TARGET_DIR", "RUSTFLAGS"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
