//! The real `stepladder-lambda`, as the tests' build has made it, served by `cargo lambda watch` and invoked by `cargo
//! lambda invoke`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::emulators::{Emulators, root, virtual_environment};

/// Nothing is built here, so a start takes a second; a busy machine is given more.
const START: Duration = Duration::from_mins(2);

/// What it is called in Cargo.toml, and so by who invokes it.
const NAME: &str = "stepladder-lambda";

/// What the emulators know its requests by.
const ACCESS_KEY: &str = "function";

/// Runs a command until standard input ends, however the test may end, and then stops its whole group.
const UNTIL_INPUT_ENDS: &str = r#""$@" & cat; kill 0"#;

/// A function that answers on a port of its own.
pub(super) struct Function {
    /// The function and what serves it, in the order in which they stop.
    _running: [Group; 2],
    port: u16,
    scratch: tempfile::TempDir,
    /// The emulators' control server.
    control: String,
}

impl Function {
    /// Starts it with the emulators for AWS, and waits until it answers.
    pub(super) fn start(emulators: &Emulators) -> Self {
        Self::start_with(emulators, &[])
    }

    /// Starts it so with more in its environment.
    pub(super) fn start_with(emulators: &Emulators, environment: &[(&str, &str)]) -> Self {
        emulators.grant(environment);
        let port = free_port();
        let scratch = tempfile::tempdir().unwrap();
        let log = File::create(scratch.path().join("watch.log")).unwrap();
        let watch = Group::start(
            in_a_clean_shell(cargo_lambda_path())
                .args(["lambda", "watch", "--only-lambda-apis", "--invoke-address", "127.0.0.1"])
                .args(["--invoke-port", &port.to_string()]),
            &log,
        );
        // A function that finds no runtime API ends.
        let deadline = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = std::fs::read_to_string(scratch.path().join("watch.log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "`cargo lambda watch` does not serve:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let function = Group::start(
            in_a_clean_shell(env!("CARGO_BIN_EXE_stepladder-lambda"))
                .env("AWS_LAMBDA_RUNTIME_API", format!("http://127.0.0.1:{port}/.rt/{NAME}"))
                .envs([
                    ("AWS_LAMBDA_FUNCTION_NAME", NAME),
                    ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
                    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "4096"),
                ])
                .envs(emulators.environment())
                .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
                .envs(environment.iter().copied()),
            &log,
        );
        let function =
            Self { _running: [function, watch], port, scratch, control: emulators.control_url().to_owned() };
        function.wait_until_it_answers();
        emulators.forget_requests();
        function
    }

    /// Something that is no alarm is answered without a call to any cloud; without a usable policy nothing is.
    fn wait_until_it_answers(&self) {
        let deadline = Instant::now() + START;
        while self.send(b"null").is_err_and(|error| !error.contains("Permanent")) {
            assert!(Instant::now() < deadline, "the function does not answer:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Where it is invoked over HTTP, as Lambda itself would be.
    pub(super) fn invoke_url(&self) -> String {
        format!("http://127.0.0.1:{}/2015-03-31/functions/{NAME}/invocations", self.port)
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
            .args(["lambda", "invoke", NAME])
            .args(["--invoke-address", "127.0.0.1", "--invoke-port", &self.port.to_string()])
            .arg("--data-file")
            .arg(file.path())
            .output()
            .unwrap();
        let refused = Emulators::refused(&self.control);
        assert_eq!(refused, json!([]), "the template's role is too small");
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

/// A process and all that it starts, which end with the test.
struct Group(Child);

impl Group {
    /// Starts a command that writes both its streams to the end of a file.
    fn start(command: &Command, log: &File) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", UNTIL_INPUT_ENDS, "sh"]).arg(command.get_program()).args(command.get_args());
        shell.current_dir(root()).env_clear();
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log.try_clone().unwrap());
        Self(shell.process_group(0).spawn().unwrap())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn cargo_lambda_path() -> PathBuf {
    virtual_environment().join("bin/cargo-lambda")
}

/// With what a shell has that can start cargo, which `cargo lambda` calls to find the package; with no account.
fn in_a_clean_shell(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command.current_dir(root()).env_clear().env("PATH", path);
    for kept in ["HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
