//! Sends signed requests to OCI services, and retries them while that is useful and there is time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::{ETAG, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::errors;
use super::identity::{self, Identity, IdentitySource, RegionDomain};
use super::signature::{Unsigned, sign};
use crate::platform::http::{self, Http};
use crate::platform::{Error, crypto};
use crate::text::{chain, of_service};

/// The timeout of one attempt. A healthy service needs a tenth of it, and even a few timeouts fit into the function's
/// minute.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(6);

/// The first attempt and three retries. A throttling service has had some seconds by then, and OCI's alarms repeat.
const MOST_ATTEMPTS: u32 = 4;

/// The pause before the first retry, doubled for each further one. OCI's SDKs begin with a second, but an invocation
/// has little time.
const PAUSE: Duration = Duration::from_millis(250);

/// The shortest time for an attempt: with less time left, none is made.
const LEAST_TIME: Duration = Duration::from_millis(200);

/// The size of a page: the most that Data Science allows. The other services allow more.
const PAGE: &str = "100";

/// The most pages of a list. More cannot be about one deployment.
const MOST_PAGES: usize = 100;

/// The most bytes of all pages of a list. They must fit into the memory of a small function, several times over.
const MOST_LISTED: usize = 16 << 20;

/// All characters except the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The OCI services in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    DataScience,
    Monitoring,
    Notifications,
}

/// Where a service is, and the version of its API.
struct ServiceDetails {
    /// The environment variable that overrides the address.
    variable: &'static str,
    /// The address in a region.
    address: fn(&RegionDomain) -> String,
    /// The version of the API, which begins every path.
    version: &'static str,
}

impl Service {
    fn details(self) -> ServiceDetails {
        match self {
            Self::DataScience => ServiceDetails {
                variable: "STEPLADDER_OCI_DATASCIENCE_ENDPOINT",
                address: |place| format!("https://datascience.{}.oci.{}", place.region, place.domain),
                version: "20190101",
            },
            // Unlike Data Science, the others have no `oci` in their hosts.
            Self::Monitoring => ServiceDetails {
                variable: "STEPLADDER_OCI_MONITORING_ENDPOINT",
                address: |place| format!("https://telemetry.{}.{}", place.region, place.domain),
                version: "20180401",
            },
            Self::Notifications => ServiceDetails {
                variable: "STEPLADDER_OCI_NOTIFICATION_ENDPOINT",
                address: |place| format!("https://notification.{}.{}", place.region, place.domain),
                version: "20181201",
            },
        }
    }
}

/// Whether a request may be sent again if the first attempt may have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// Always: the request is idempotent.
    Safe,
    /// Only if it certainly has not arrived.
    Unsent,
    /// Never: the result is not worth waiting for.
    Never,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct ApiRequest<'a> {
    /// `cloud:ApiOperation`.
    pub(super) operation: &'static str,
    pub(super) service: Service,
    pub(super) method: Method,
    /// The path after the version of the API. Foreign text in it must be encoded by [`segment`].
    pub(super) path: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) headers: Vec<(&'static str, &'a str)>,
    pub(super) body: Option<Value>,
    pub(super) retry: Retry,
}

impl<'a> ApiRequest<'a> {
    /// A request that reads.
    pub(super) fn get(operation: &'static str, service: Service, path: impl Into<String>) -> Self {
        Self::new(operation, service, Method::GET, path)
    }

    pub(super) fn new(
        operation: &'static str,
        service: Service,
        method: Method,
        path: impl Into<String>,
    ) -> Self {
        let (query, headers) = (Vec::new(), Vec::new());
        Self { operation, service, method, path: path.into(), query, headers, body: None, retry: Retry::Safe }
    }

    pub(super) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: Option<&'a str>) -> Self {
        self.headers.extend(value.map(|value| (name, value)));
        self
    }

    pub(super) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(super) fn retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }

    fn target(&self, version: &str) -> String {
        let query: Vec<String> =
            self.query.iter().map(|(name, value)| format!("{name}={}", segment(value))).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("/{version}{}{mark}{}", self.path, query.join("&"))
    }
}

/// The response to a successful request.
#[derive(Debug)]
pub(super) struct ApiResponse {
    pub(super) etag: Option<String>,
    pub(super) work_request: Option<String>,
    next_page: Option<String>,
    /// The length of the body, in bytes.
    length: usize,
    /// Null if the response has none.
    pub(super) body: Value,
}

/// A text, percent-encoded for one segment of a path or one value of a query. Encoded as in RFC 3986, so that the
/// signed text and the sent text are equal.
pub(super) fn segment(text: &str) -> String {
    // Dots alone would be a relative path.
    if text.bytes().all(|byte| byte == b'.') {
        return text.replace('.', "%2E");
    }
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The addresses of the services, or why one is not known: unless it is overridden, an address needs a region.
#[derive(Debug)]
struct Addresses {
    data_science: Result<String, String>,
    monitoring: Result<String, String>,
    notifications: Result<String, String>,
}

impl Addresses {
    fn find(source: &IdentitySource, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let place = source.region().map_err(|error| chain(&error));
        let address = |service: Service| {
            let details = service.details();
            let by_region = || place.clone().map(|place| (details.address)(&place));
            let address = variable(details.variable).map_or_else(by_region, Ok);
            address.map(|address| address.trim_end_matches('/').to_owned())
        };
        Self {
            data_science: address(Service::DataScience),
            monitoring: address(Service::Monitoring),
            notifications: address(Service::Notifications),
        }
    }

    fn of(&self, service: Service) -> Result<&str, String> {
        let address = match service {
            Service::DataScience => &self.data_science,
            Service::Monitoring => &self.monitoring,
            Service::Notifications => &self.notifications,
        };
        address.as_deref().map_err(Clone::clone)
    }
}

/// The services of one region, used by one identity.
#[derive(Debug)]
pub(super) struct Api {
    source: IdentitySource,
    addresses: Addresses,
    /// The state of the current invocation.
    invocation: Mutex<Invocation>,
}

#[derive(Debug)]
struct Invocation {
    http: Http,
    /// Read for the first request of an invocation.
    identity: Option<Arc<Identity>>,
    deadline: Option<Instant>,
}

impl Api {
    /// Finds the identity and the addresses; `variable` reads the environment.
    pub(super) fn find(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let source = IdentitySource::find(variable).map_err(|error| chain(&error))?;
        let addresses = Addresses::find(&source, variable);
        let http = Http::new(crypto()).map_err(|error| chain(&error))?;
        let invocation = Mutex::new(Invocation { http, identity: None, deadline: None });
        Ok(Self { source, addresses, invocation })
    }

    /// Begins an invocation: drops the connections and credentials of the last one.
    pub(super) fn begin(&self, deadline: Option<Instant>) {
        let mut invocation = self.invocation();
        invocation.http = invocation.http.afresh();
        invocation.identity = None;
        invocation.deadline = deadline;
    }

    /// The identity, with the credentials of this invocation.
    pub(super) fn identity(&self) -> Result<Arc<Identity>, identity::Error> {
        let mut invocation = self.invocation();
        if let Some(identity) = &invocation.identity {
            return Ok(Arc::clone(identity));
        }
        let identity = Arc::new(self.source.identity()?);
        invocation.identity = Some(Arc::clone(&identity));
        Ok(identity)
    }

    /// Sends a request, with retries.
    pub(super) async fn send(&self, request: ApiRequest<'_>) -> Result<ApiResponse, Error> {
        self.try_send(request).await.map_err(|failed| failed.error)
    }

    /// The same. An error also reports whether the request may have succeeded.
    pub(super) async fn try_send(&self, request: ApiRequest<'_>) -> Result<ApiResponse, SendError> {
        let mut may_have_succeeded = false;
        let mut attempts = 1;
        loop {
            let failed = match self.once(&request).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            may_have_succeeded |= matches!(failed.error, Error::Unavailable { .. }) && !failed.never_sent;
            if failed.unauthenticated {
                // The platform may be replacing the key and the token.
                self.invocation().identity = None;
            }
            let pause = jittered(PAUSE * 2_u32.pow(attempts - 1));
            let is_time = self.left().is_none_or(|left| left > pause + LEAST_TIME);
            if attempts >= MOST_ATTEMPTS || !is_time || !failed.is_worth_a_retry(request.retry) {
                return Err(SendError { error: failed.error, may_have_succeeded });
            }
            tokio::time::sleep(pause).await;
            attempts += 1;
        }
    }

    /// Every item of a list, from all its pages. An empty page may not be the last.
    pub(super) async fn all_pages(&self, request: ApiRequest<'_>) -> Result<Vec<Value>, Error> {
        let operation = request.operation;
        let mut items = Vec::new();
        let mut page: Option<String> = None;
        let mut listed_bytes = 0_usize;
        for _ in 0..MOST_PAGES {
            let mut next = request.clone().query("limit", PAGE);
            next.query.extend(page.take().map(|page| ("page", page)));
            let mut answer = self.send(next).await?;
            listed_bytes = listed_bytes.saturating_add(answer.length);
            if listed_bytes > MOST_LISTED {
                break;
            }
            // Some lists are the body, others are its `items`.
            let listed = answer.body.get_mut("items").map(Value::take).unwrap_or(answer.body);
            if let Value::Array(listed) = listed {
                items.extend(listed);
            }
            page = answer.next_page;
            if page.is_none() {
                return Ok(items);
            }
        }
        let message = format!(
            "there are more than {MOST_PAGES} pages or {MOST_LISTED} bytes: expected some alarms of one deployment"
        );
        Err(Error::Refused { operation: operation.to_owned(), message })
    }

    async fn once(&self, request: &ApiRequest<'_>) -> Result<ApiResponse, FailedAttempt> {
        let operation = || request.operation.to_owned();
        let broken = |message: String| {
            FailedAttempt::permanent(Error::Unconfigured { operation: operation(), message })
        };
        let unreadable =
            |error: identity::Error| FailedAttempt { unauthenticated: true, ..broken(chain(&error)) };
        let identity = self.identity().map_err(unreadable)?;
        let http_request = self.signed(request, &identity).map_err(broken)?;
        let within = self.left().map_or(ATTEMPT_TIMEOUT, |left| left.min(ATTEMPT_TIMEOUT));
        if within < LEAST_TIME {
            let message = "the invocation's time is up".to_owned();
            return Err(FailedAttempt::permanent(Error::Unavailable { operation: operation(), message }));
        }
        let http = self.invocation().http.clone();
        let answer = http.send(http_request, within).await.map_err(|unanswered| FailedAttempt {
            never_sent: unanswered.never_sent(),
            unauthenticated: false,
            error: Error::Unavailable { operation: operation(), message: of_service(&chain(&unanswered)) },
        })?;
        read(request.operation, answer)
    }

    fn signed(&self, request: &ApiRequest<'_>, identity: &Identity) -> Result<Request<Vec<u8>>, String> {
        let ServiceDetails { version, .. } = request.service.details();
        let address = self.addresses.of(request.service)?;
        let body = request.body.as_ref().map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let mut http_request = Request::builder()
            .method(&request.method)
            .uri(format!("{address}{}", request.target(version)))
            .body(body)
            .map_err(|error| format!("`{address}` is no address of a service: {error}"))?;
        let signed = sign(&Unsigned::of(&http_request), &identity.key_id, &identity.key, wall_clock());
        http_request.headers_mut().extend(signed.map_err(|error| chain(&error))?);
        for (name, value) in &request.headers {
            let value = HeaderValue::from_str(value).map_err(|_| format!("`{value}` is no header"))?;
            http_request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        Ok(http_request)
    }

    /// The time until the deadline; `None` without a deadline.
    fn left(&self) -> Option<Duration> {
        let deadline = self.invocation().deadline?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// A poisoned lock is safe to use: each change is one step, so a panic elsewhere leaves none half done.
    fn invocation(&self) -> MutexGuard<'_, Invocation> {
        self.invocation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a request failed.
#[derive(Debug)]
pub(super) struct SendError {
    pub(super) error: Error,
    /// Whether an attempt may have succeeded, with its response lost.
    pub(super) may_have_succeeded: bool,
}

/// Why one attempt failed.
struct FailedAttempt {
    error: Error,
    never_sent: bool,
    unauthenticated: bool,
}

impl FailedAttempt {
    fn permanent(error: Error) -> Self {
        Self { error, never_sent: false, unauthenticated: false }
    }

    /// Whether another attempt is safe and useful. A throttling service has not carried out the request; one that fails
    /// or does not respond may have.
    fn is_worth_a_retry(&self, retry: Retry) -> bool {
        match (&self.error, retry) {
            (_, Retry::Never) => false,
            // A request without a valid signature is never carried out.
            _ if self.unauthenticated => true,
            (Error::Throttled { .. }, _) | (Error::Unavailable { .. }, Retry::Safe) => true,
            (Error::Unavailable { .. }, Retry::Unsent) => self.never_sent,
            (_, _) => false,
        }
    }
}

fn read(operation: &'static str, answer: http::HttpResponse) -> Result<ApiResponse, FailedAttempt> {
    let http::HttpResponse { status, headers, body } = answer;
    let length = body.len();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if (200..300).contains(&status) {
        let word = |name: &str| word(&headers, name);
        let (next_page, work_request) = (word("opc-next-page"), word("opc-work-request-id"));
        return Ok(ApiResponse { etag: word(ETAG.as_str()), work_request, next_page, length, body });
    }
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    let error = errors::read(operation, status, text("code"), text("message"));
    Err(FailedAttempt { error, never_sent: false, unauthenticated: status == 401 })
}

fn word(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().filter(|word| !word.is_empty()).map(str::to_owned)
}

/// A random pause from half to one and a half of this one, so that requests that failed together do not retry together.
fn jittered(pause: Duration) -> Duration {
    let random = ring::rand::generate::<[u8; 1]>(&ring::rand::SystemRandom::new());
    let [byte] = random.map_or([128], ring::rand::Random::expose);
    pause / 2 + pause * u32::from(byte) / 256
}

#[expect(clippy::disallowed_methods, reason = "signatures are dated")]
fn wall_clock() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_escape_from_its_segment() {
        let rows = [
            ("ocid1.alarm.oc1..a-b_c", "ocid1.alarm.oc1..a-b_c"),
            ("<YOUR_ID>", "%3CYOUR_ID%3E"),
            ("../x?y=z#w", "..%2Fx%3Fy%3Dz%23w"),
            ("..", "%2E%2E"),
            ("é a+b", "%C3%A9%20a%2Bb"),
        ];
        for (text, expected) in rows {
            assert_eq!(segment(text), expected);
        }
        let request = ApiRequest::get("oci:ListAlarms", Service::Monitoring, "/alarms");
        let request = request.query("compartmentId", "a&b").query("displayName", "x y");
        assert_eq!(request.target("20180401"), "/20180401/alarms?compartmentId=a%26b&displayName=x%20y");
    }

    #[test]
    fn a_request_that_may_have_arrived_is_retried_only_where_that_is_safe() {
        let operation = || "oci:X".to_owned();
        let unavailable = || Error::Unavailable { operation: operation(), message: String::new() };
        let throttled = || Error::Throttled { operation: operation(), message: String::new() };
        let refused = || Error::Refused { operation: operation(), message: String::new() };
        let rows = [
            (unavailable(), true, Retry::Unsent, true),
            (unavailable(), false, Retry::Unsent, false),
            (unavailable(), false, Retry::Safe, true),
            (unavailable(), true, Retry::Never, false),
            // throttled, so not carried out
            (throttled(), false, Retry::Unsent, true),
            (throttled(), false, Retry::Never, false),
            (refused(), true, Retry::Safe, false),
        ];
        for (error, never_sent, retry, expected) in rows {
            let failed = FailedAttempt { error, never_sent, unauthenticated: false };
            assert_eq!(failed.is_worth_a_retry(retry), expected, "{:?} {never_sent} {retry:?}", failed.error);
        }
    }

    #[test]
    fn pauses_are_jittered() {
        let pauses: Vec<Duration> = (0..64).map(|_| jittered(PAUSE)).collect();
        assert!(pauses.iter().all(|pause| (PAUSE / 2..PAUSE * 2).contains(pause)), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
