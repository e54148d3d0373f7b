//! Starts the forwarder that brings alarms from the topic to the function, and stops it with the test.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::Value;

use super::emulators::{ALARM_ACTION, Emulators, root, virtual_environment};
use super::function::Function;

/// It makes a topic, a queue and a subscription.
const START: Duration = Duration::from_mins(2);

/// A running forwarder. It stops when its standard input closes.
pub(super) struct Forwarder {
    child: Child,
    lines: Receiver<Value>,
}

impl Forwarder {
    /// Starts it, and waits until it is subscribed to the topic.
    pub(super) fn start(emulators: &Emulators, function: &Function) -> Self {
        let mut child = Command::new(virtual_environment().join("bin/python"))
            .arg(root().join("tests/emulators/forwarder.py"))
            .args(["--endpoint-url", emulators.cloudwatch_url()])
            .args(["--topic-arn", ALARM_ACTION])
            .args(["--function-url", &function.invoke_url()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = send.send(serde_json::from_str(&line).expect("a line of JSON"));
            }
        });
        lines.recv_timeout(START).expect("the forwarder gets ready");
        Self { child, lines }
    }

    /// The function's replies to the alarms that were forwarded since the last time.
    pub(super) fn replies(&self) -> Vec<Value> {
        let replied = |line: Value| {
            assert_eq!(line["failed"], false, "the function failed on an alarm: {line:#}");
            line["reply"].clone()
        };
        self.lines.try_iter().map(replied).collect()
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
