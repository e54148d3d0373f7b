//! One call of the Fn agent: what its headers say, how long it may take, and what is answered.
//!
//! The agent knows three answers: 200 for handled, 502 for failed and 504 for out of time. After any other
//! it ends the process.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use stepladder::host::{self, Ended, TIME_IS_UP};
use stepladder::platform::Client;
use stepladder::policy::Policy;
use stepladder::source;

use crate::log::{self, Frame, Lines};

/// What is left of a call when work is given up, so that there is time to say so: a call that is not answered
/// in time ends the process. A small function has a tenth of a processor, dealt out ten times a second.
const MARGIN: Duration = Duration::from_secs(1);

/// The time that a call without a deadline is given: what a function has that asks for none.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(30);

const FDK_VERSION: HeaderName = HeaderName::from_static("fn-fdk-version");
const HTTP_STATUS: HeaderName = HeaderName::from_static("fn-http-status");

/// What answers every call.
pub(crate) struct Function {
    pub(crate) cloud: Box<dyn Client>,
    /// Why it cannot be used, where it cannot.
    pub(crate) policy: Result<Policy, String>,
    pub(crate) frame: Frame,
}

/// An answer: the status for the agent, and the reply.
type Answered = (StatusCode, Value);

impl Function {
    /// Answers one request. The whole of it is read first, whatever it is: the connection is used again.
    pub(crate) async fn called(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (head, body) = request.into_parts();
        self.frame.begin(&head.headers);
        let body = enough_of(body).await?;
        let answered = if head.method == Method::POST && head.uri.path() == "/call" {
            log::record(&invocation(&head.headers));
            self.answer(&body, &head.headers).await
        } else {
            let found = format!("expected `POST /call`, found `{} {}`", head.method, head.uri.path());
            (StatusCode::BAD_GATEWAY, log::error("not_a_call", &found))
        };
        Ok(response(answered, &head.headers))
    }

    async fn answer(&self, body: &[u8], headers: &HeaderMap) -> Answered {
        let now = wall_clock();
        let left = time_left(headers, now);
        match host::answer(body, self.cloud.as_ref(), &self.policy, now, left, &mut Lines).await {
            Ended::Handled(reply) => (StatusCode::OK, reply),
            Ended::Failed(reply, _) => (StatusCode::BAD_GATEWAY, reply),
            Ended::Unusable(message) => (StatusCode::BAD_GATEWAY, log::reply("policy", &message)),
            Ended::TimeIsUp => (StatusCode::GATEWAY_TIMEOUT, log::error("time_is_up", TIME_IS_UP)),
        }
    }
}

/// The body, as far as it is looked at: with a byte too many it is too large, and the rest says nothing more.
async fn enough_of(mut body: Incoming) -> Result<Vec<u8>, hyper::Error> {
    let mut kept = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(mut data) = frame?.into_data() {
            data.truncate(source::MAX_BYTES + 1 - kept.len());
            kept.extend_from_slice(&data);
        }
    }
    Ok(kept)
}

/// What the log says of a call before anything is done: by which names others know it.
fn invocation(headers: &HeaderMap) -> Value {
    json!({ "invocation": {
        "call": header(headers, "fn-call-id"),
        "message": through_gateway(headers, "x-oci-ns-messageid", "fn-http-h-x-oci-ns-messageid"),
        "topic": through_gateway(headers, "x-oci-ns-topicocid", "fn-http-h-x-oci-ns-topicocid"),
    } })
}

/// A header of whoever invoked the function, which a gateway hands on under another name.
fn through_gateway<'a>(headers: &'a HeaderMap, plain: &str, handed_on: &str) -> Option<&'a str> {
    header(headers, plain).or_else(|| header(headers, handed_on))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The time for work until the call must be answered; none where it should have been already.
fn time_left(headers: &HeaderMap, now: Timestamp) -> Duration {
    let deadline = header(headers, "fn-deadline").and_then(|text| text.parse::<Timestamp>().ok());
    let Some(deadline) = deadline else { return WITHOUT_DEADLINE };
    let left = Duration::try_from(deadline.duration_since(now)).unwrap_or_default();
    left.saturating_sub(MARGIN)
}

/// The answer as the agent wants it. Behind a gateway, the status for its client stands in a header, too.
fn response((status, reply): Answered, asked: &HeaderMap) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(reply.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let version = HeaderValue::from_static(concat!("stepladder/", env!("CARGO_PKG_VERSION")));
    headers.insert(FDK_VERSION, version);
    if header(asked, "fn-intent") == Some("httprequest") {
        headers.insert(HTTP_STATUS, HeaderValue::from(status.as_u16()));
    }
    response
}

#[expect(clippy::disallowed_methods, reason = "this is where time enters")]
fn wall_clock() -> Timestamp {
    Timestamp::now()
}
