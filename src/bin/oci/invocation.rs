//! Answers one call of the Fn agent: reads its headers and deadline, runs the flow and builds the response.
//!
//! The agent accepts three statuses: 200 for handled, 502 for failed and 504 for a timeout. After any other status it
//! ends the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use stepladder::host::{self, InvocationResult, TIMEOUT_MESSAGE};
use stepladder::platform::Client;
use stepladder::policy::Policy;
use stepladder::source;
use tokio::sync::Mutex;

use crate::log::{self, FunctionLog, LogFrame};

/// The time reserved at the end of a call to return a timeout: the agent ends a process that misses the deadline. A small
/// function has a tenth of a CPU, scheduled ten times a second, so the margin is generous.
const MARGIN: Duration = Duration::from_secs(1);

/// The timeout of a call without a deadline: the default of OCI Functions.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// The time for a body, whatever the deadline is. A call that is late already still gets its answer, and OCI Functions
/// allows no call more than five minutes.
const SHORTEST_READ: Duration = Duration::from_millis(100);
/// See [`SHORTEST_READ`].
pub(crate) const LONGEST_CALL: Duration = Duration::from_mins(5);

/// How much of an unknown path is logged, in characters.
const LONGEST_PATH: usize = 100;

const FDK_VERSION: HeaderName = HeaderName::from_static("fn-fdk-version");
const HTTP_STATUS: HeaderName = HeaderName::from_static("fn-http-status");

/// The function: its client, its policy and its log frame.
pub(crate) struct Function {
    pub(crate) client: Box<dyn Client>,
    /// The policy, or why it is unusable.
    pub(crate) policy: Result<Policy, String>,
    pub(crate) frame: LogFrame,
    /// Held while a call is answered.
    pub(crate) turn: Mutex<()>,
}

/// The status for the agent, and the reply.
struct FunctionReply {
    status: StatusCode,
    body: Value,
}

impl Function {
    /// Answers one request. The whole body is read first in every case, because the agent reuses the connection. A body
    /// that is not complete in time is answered with a timeout, and its connection is closed.
    ///
    /// `has_arrived` is set as soon as the request has arrived as a whole: until then its connection may be dropped.
    pub(crate) async fn call(
        &self,
        request: Request<Incoming>,
        has_arrived: &AtomicBool,
    ) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (head, body) = request.into_parts();
        self.frame.begin(&head.headers);
        let within = remaining_time(&head.headers, wall_clock()).clamp(SHORTEST_READ, LONGEST_CALL);
        let body = if let Ok(body) = tokio::time::timeout(within, read_body(body)).await {
            body?
        } else {
            let body = log::error("time_is_up", "the body of the call did not arrive within its time");
            let mut late =
                response(FunctionReply { status: StatusCode::GATEWAY_TIMEOUT, body }, &head.headers);
            late.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            return Ok(late);
        };
        has_arrived.store(true, Ordering::Relaxed);
        // Credentials and connections are those of one call at a time.
        let _turn = self.turn.lock().await;
        let reply = if head.method == Method::POST && head.uri.path() == "/call" {
            log::record(&invocation(&head.headers));
            self.answer(&body, &head.headers).await
        } else {
            let path: String = head.uri.path().chars().take(LONGEST_PATH).collect();
            let found = format!("expected `POST /call`, found `{} {path}`", head.method);
            FunctionReply { status: StatusCode::BAD_GATEWAY, body: log::error("not_a_call", &found) }
        };
        Ok(response(reply, &head.headers))
    }

    async fn answer(&self, body: &[u8], headers: &HeaderMap) -> FunctionReply {
        let now = wall_clock();
        let remaining = remaining_time(headers, now);
        let client = self.client.as_ref();
        let (status, body) =
            match host::answer(body, client, &self.policy, now, remaining, &mut FunctionLog).await {
                InvocationResult::Handled(reply) => (StatusCode::OK, reply),
                InvocationResult::Failed(reply, _) => (StatusCode::BAD_GATEWAY, reply),
                InvocationResult::PolicyUnusable(message) => {
                    (StatusCode::BAD_GATEWAY, log::reply("policy", &message))
                }
                InvocationResult::TimedOut => {
                    (StatusCode::GATEWAY_TIMEOUT, log::error("time_is_up", TIMEOUT_MESSAGE))
                }
            };
        FunctionReply { status, body }
    }
}

/// Reads the whole body and keeps one byte more than the limit, which is enough to reject a larger one.
async fn read_body(mut body: Incoming) -> Result<Vec<u8>, hyper::Error> {
    let mut kept = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(mut data) = frame?.into_data() {
            data.truncate(source::MAX_BYTES + 1 - kept.len());
            kept.extend_from_slice(&data);
        }
    }
    Ok(kept)
}

/// The first log line of a call: the ids under which other services know it.
fn invocation(headers: &HeaderMap) -> Value {
    json!({ "invocation": {
        "call": header(headers, "fn-call-id"),
        "message": through_gateway(headers, "x-oci-ns-messageid", "fn-http-h-x-oci-ns-messageid"),
        "topic": through_gateway(headers, "x-oci-ns-topicocid", "fn-http-h-x-oci-ns-topicocid"),
    } })
}

/// A header of the caller. A gateway forwards it under another name.
fn through_gateway<'a>(headers: &'a HeaderMap, direct: &str, forwarded: &str) -> Option<&'a str> {
    header(headers, direct).or_else(|| header(headers, forwarded))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The time until the call must be answered; zero if the deadline has passed.
fn remaining_time(headers: &HeaderMap, now: Timestamp) -> Duration {
    let deadline = header(headers, "fn-deadline").and_then(|text| text.parse::<Timestamp>().ok());
    let Some(deadline) = deadline else { return DEFAULT_TIMEOUT };
    let remaining = Duration::try_from(deadline.duration_since(now)).unwrap_or_default();
    remaining.saturating_sub(MARGIN)
}

/// The response in the agent's format. For a request through a gateway, a header repeats the status for the gateway's
/// client.
fn response(FunctionReply { status, body }: FunctionReply, request: &HeaderMap) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let version = HeaderValue::from_static(concat!("stepladder/", env!("CARGO_PKG_VERSION")));
    headers.insert(FDK_VERSION, version);
    if header(request, "fn-intent") == Some("httprequest") {
        headers.insert(HTTP_STATUS, HeaderValue::from(status.as_u16()));
    }
    response
}

#[expect(clippy::disallowed_methods, reason = "this is where time enters")]
fn wall_clock() -> Timestamp {
    Timestamp::now()
}
