//! The notices of a resize from the real function: through SNS to a queue, and at webhooks.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::{Value, json};

use super::batch::read_request;
use super::function::Function;
use super::horizontal::{Account, outcome, sample};

/// The topic that people listen to, and the queue of the same name.
const PEOPLE: &str = "stepladder-people";

/// What was posted is there before the function has answered.
const AT_HAND: Duration = Duration::from_mins(1);

/// A server that answers each request with this, and where it listens.
fn serve(answer: &'static str) -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (send, received) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let (request, body) = read_request(&stream);
            write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            if send.send((request.trim().to_owned(), serde_json::from_slice(&body).unwrap())).is_err() {
                return;
            }
        }
    });
    (address, received)
}

#[tokio::test]
async fn a_resize_is_sent_to_a_topic_and_to_webhooks_and_a_silent_one_changes_nothing() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    account.emulators.create_topic_with_queue(PEOPLE);
    let (hook, at_hook) = serve("200 OK");
    let (slack, at_slack) = serve("200 OK");
    // Nobody is where it points to.
    let (moved, at_moved) = serve("302 Found\r\nLocation: http://127.0.0.1:1/");
    // It takes the connection and never answers.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let policy = format!(
        "[[notify]]\nto = \"arn:aws:sns:us-east-1:000000000000:{PEOPLE}\"
         [[notify]]\nto = \"{hook}/secret?key=1\"
         [[notify]]\nto = \"{slack}/secret\"\nform = \"slack\"
         [[notify]]\nto = \"{moved}/secret\"
         [[notify]]\nto = \"http://{}/secret\"",
        deaf.local_addr().unwrap()
    );
    let function = Function::start_with(&account.emulators, &[("STEPLADDER_POLICY", &policy)]);
    let reply = function.invoke(&sample("sns.high-cpu.firing.json"));
    let logged = outcome(&reply);
    assert_eq!(logged["result"], "applied", "{reply:#}");
    let statuses: Vec<&Value> =
        logged["notices"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(statuses, ["done", "done", "done", "failed", "failed"], "{reply:#}");
    assert_eq!(account.settle().await, 2);

    let (request, event) = at_hook.recv_timeout(AT_HAND).unwrap();
    assert_eq!(request, "POST /secret?key=1 HTTP/1.1");
    assert_eq!(event["type"], "stepladder.resize.applied");
    assert_eq!(event["subject"], "endpoint/churn/variant/AllTraffic");
    let mut record = logged.clone();
    record.as_object_mut().unwrap().remove("notices");
    assert_eq!(event["data"], record);
    let envelope = account.emulators.received(PEOPLE);
    assert_eq!(envelope["Subject"], "stepladder resized endpoint/churn/variant/AllTraffic");
    let message: Value = serde_json::from_str(envelope["Message"].as_str().unwrap()).unwrap();
    assert_eq!(message, event, "every destination gets the same");
    let (_, text) = at_slack.recv_timeout(AT_HAND).unwrap();
    assert!(text["text"].as_str().unwrap().starts_with("*stepladder resized* `endpoint/churn"), "{text}");
    assert!(at_moved.recv_timeout(AT_HAND).is_ok());

    // The record was printed before any notice was sent; what failed then is printed by itself.
    let log = function.log();
    let printed = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let due = |line: &Value| {
        line["notices"].as_array().is_some_and(|all| all.len() == 5 && all[0]["status"] == "due")
    };
    assert!(printed.into_iter().any(|line| due(&line)), "{log}");
    assert_eq!(log.matches("not sent: notify").count(), 2, "{log}");
    assert!(log.contains("answered HTTP 302") && log.contains("answer within 2s"), "{log}");
    assert!(!log.contains("secret") && !reply.to_string().contains("secret"), "{log}");

    // A hold is no news.
    let reply = function.invoke(&sample("sns.high-cpu.firing.json"));
    assert_eq!((&outcome(&reply)["result"], &outcome(&reply)["notices"]), (&json!("held"), &Value::Null));
    assert!(at_hook.try_recv().is_err());
}
