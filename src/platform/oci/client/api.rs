//! One signed request to an OCI service and its answer, tried again while there is time and a use in it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::{ETAG, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::errors;
use super::identity::{self, Identity, RegionDomain, Source};
use super::signature::{Unsigned, sign};
use crate::platform::http::{self, Http};
use crate::platform::{Error, crypto};
use crate::text::chain;

/// One try; a service that is well answers in a tenth of it, and three tries fit into the function's minute.
const ATTEMPT: Duration = Duration::from_secs(6);

/// The first and three more: a service that throttles has had some seconds then, and the alarm will say it again.
const TRIES: u32 = 4;

/// What is waited before the second try; twice as long before each further one. OCI's own clients begin with a
/// second, but theirs is not an invocation that somebody waits for.
const PAUSE: Duration = Duration::from_millis(250);

/// A request that would have less time than this is not begun.
const LEAST: Duration = Duration::from_millis(200);

/// A page's most: what Data Science allows; the others allow more.
const PAGE: &str = "100";

/// More pages than this are no answer to a question about one deployment.
const MOST_PAGES: usize = 100;

/// All that RFC 3986 does not leave as it is anywhere.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The services that are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    DataScience,
    Monitoring,
    Notifications,
}

/// The variable that overrides a service's address, its host before the region and below the domain, and the
/// version of its API.
type Facts = (&'static str, fn(&RegionDomain) -> String, &'static str);

impl Service {
    fn facts(self) -> Facts {
        match self {
            Self::DataScience => (
                "STEPLADDER_OCI_DATASCIENCE_ENDPOINT",
                |place| format!("https://datascience.{}.oci.{}", place.region, place.domain),
                "20190101",
            ),
            // Without the `oci` that Data Science has.
            Self::Monitoring => (
                "STEPLADDER_OCI_MONITORING_ENDPOINT",
                |place| format!("https://telemetry.{}.{}", place.region, place.domain),
                "20180401",
            ),
            Self::Notifications => (
                "STEPLADDER_OCI_NOTIFICATION_ENDPOINT",
                |place| format!("https://notification.{}.{}", place.region, place.domain),
                "20181201",
            ),
        }
    }
}

/// Whether a request may be sent again when nobody knows whether it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It asks for the same thing however often it arrives.
    Safe,
    /// Only if it surely has not arrived.
    Unsent,
    /// Never: what it would tell is not worth waiting for.
    Never,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Ask<'a> {
    /// `cloud:ApiOperation`.
    pub(super) operation: &'static str,
    pub(super) service: Service,
    pub(super) method: Method,
    /// Below the version of the API; what is not ours in it goes through [`segment`].
    pub(super) path: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) headers: Vec<(&'static str, &'a str)>,
    pub(super) body: Option<Value>,
    pub(super) again: Again,
}

impl<'a> Ask<'a> {
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
        Self { operation, service, method, path: path.into(), query, headers, body: None, again: Again::Safe }
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

    pub(super) fn again(self, again: Again) -> Self {
        Self { again, ..self }
    }

    fn target(&self, version: &str) -> String {
        let query: Vec<String> =
            self.query.iter().map(|(name, value)| format!("{name}={}", segment(value))).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("/{version}{}{mark}{}", self.path, query.join("&"))
    }
}

/// What a service answered to a request that it has carried out.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) etag: Option<String>,
    pub(super) work_request: Option<String>,
    next_page: Option<String>,
    /// Null where the answer has none.
    pub(super) body: Value,
}

/// A text as it may stand in a path or a query: nothing in it can lead anywhere else. As RFC 3986 has it, so that
/// what is signed is what is sent.
pub(super) fn segment(text: &str) -> String {
    // Dots alone would lead to another place.
    if text.bytes().all(|byte| byte == b'.') {
        return text.replace('.', "%2E");
    }
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Where the services are, or why that is not known: where nothing overrides an address, it takes a region.
#[derive(Debug)]
struct Addresses {
    data_science: Result<String, String>,
    monitoring: Result<String, String>,
    notifications: Result<String, String>,
}

impl Addresses {
    fn find(source: &Source, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let place = source.region().map_err(|error| chain(&error));
        let address = |service: Service| {
            let (overridden, usual, _) = service.facts();
            let address = variable(overridden).map_or_else(|| place.clone().map(|place| usual(&place)), Ok);
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

/// The services of one region, asked by one identity.
#[derive(Debug)]
pub(super) struct Api {
    source: Source,
    addresses: Addresses,
    /// What an invocation begins with.
    moment: Mutex<Moment>,
}

#[derive(Debug)]
struct Moment {
    http: Http,
    /// Read when it is first needed.
    identity: Option<Arc<Identity>>,
    deadline: Option<Instant>,
}

impl Api {
    /// Finds out who asks and where; `variable` reads the environment.
    pub(super) fn find(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let source = Source::find(variable).map_err(|error| chain(&error))?;
        let addresses = Addresses::find(&source, variable);
        let http = Http::new(crypto()).map_err(|error| chain(&error))?;
        let moment = Mutex::new(Moment { http, identity: None, deadline: None });
        Ok(Self { source, addresses, moment })
    }

    /// An invocation begins: connections and credentials of the last one are forgotten.
    pub(super) fn begin(&self, deadline: Option<Instant>) {
        let mut moment = self.moment();
        moment.http = moment.http.afresh();
        moment.identity = None;
        moment.deadline = deadline;
    }

    /// Who asks, as the credentials are in this invocation.
    pub(super) fn identity(&self) -> Result<Arc<Identity>, identity::Error> {
        let mut moment = self.moment();
        if let Some(identity) = &moment.identity {
            return Ok(Arc::clone(identity));
        }
        let identity = Arc::new(self.source.identity()?);
        moment.identity = Some(Arc::clone(&identity));
        Ok(identity)
    }

    /// Sends a request until it is answered for good, or there is no time left.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<Answer, Error> {
        self.ask_and_tell(ask).await.map_err(|unsure| unsure.error)
    }

    /// The same; besides the error it is told whether the request may have been carried out all the same.
    pub(super) async fn ask_and_tell(&self, ask: Ask<'_>) -> Result<Answer, Unsure> {
        let mut may_be_done = false;
        let mut tries = 1;
        loop {
            let failed = match self.once(&ask).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            may_be_done |= matches!(failed.error, Error::Unavailable { .. }) && !failed.never_sent;
            if failed.unauthenticated {
                // The platform may be about to put a new key and token in place.
                self.moment().identity = None;
            }
            let pause = jittered(PAUSE * 2_u32.pow(tries - 1));
            let is_time = self.left().is_none_or(|left| left > pause + LEAST);
            if tries >= TRIES || !is_time || !failed.worth_another(ask.again) {
                return Err(Unsure { error: failed.error, may_be_done });
            }
            tokio::time::sleep(pause).await;
            tries += 1;
        }
    }

    /// Every item of a list, all pages of it. A page may be empty and yet not be the last.
    pub(super) async fn all_pages(&self, ask: Ask<'_>) -> Result<Vec<Value>, Error> {
        let operation = ask.operation;
        let mut items = Vec::new();
        let mut page: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut next = ask.clone().query("limit", PAGE);
            next.query.extend(page.take().map(|page| ("page", page)));
            let mut answer = self.ask(next).await?;
            // Some lists are the body, others stand in it.
            let listed = answer.body.get_mut("items").map(Value::take).unwrap_or(answer.body);
            if let Value::Array(listed) = listed {
                items.extend(listed);
            }
            page = answer.next_page;
            if page.is_none() {
                return Ok(items);
            }
        }
        let message =
            format!("there are more than {MOST_PAGES} pages: expected some alarms of one deployment");
        Err(Error::Refused { operation: operation.to_owned(), message })
    }

    async fn once(&self, ask: &Ask<'_>) -> Result<Answer, Failed> {
        let operation = || ask.operation.to_owned();
        let broken =
            |message: String| Failed::for_good(Error::Unconfigured { operation: operation(), message });
        let unreadable = |error: identity::Error| Failed { unauthenticated: true, ..broken(chain(&error)) };
        let identity = self.identity().map_err(unreadable)?;
        let request = self.signed(ask, &identity).map_err(broken)?;
        let within = self.left().map_or(ATTEMPT, |left| left.min(ATTEMPT));
        if within < LEAST {
            let message = "the invocation's time is up".to_owned();
            return Err(Failed::for_good(Error::Unavailable { operation: operation(), message }));
        }
        let http = self.moment().http.clone();
        let answer = http.send(request, within).await.map_err(|unanswered| Failed {
            never_sent: unanswered.never_sent(),
            unauthenticated: false,
            error: Error::Unavailable { operation: operation(), message: chain(&unanswered) },
        })?;
        read(ask.operation, answer)
    }

    fn signed(&self, ask: &Ask<'_>, identity: &Identity) -> Result<Request<Vec<u8>>, String> {
        let (_, _, version) = ask.service.facts();
        let address = self.addresses.of(ask.service)?;
        let body = ask.body.as_ref().map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let mut request = Request::builder()
            .method(&ask.method)
            .uri(format!("{address}{}", ask.target(version)))
            .body(body)
            .map_err(|error| format!("`{address}` is no address of a service: {error}"))?;
        let signed = sign(&Unsigned::of(&request), &identity.key_id, &identity.key, wall_clock());
        request.headers_mut().extend(signed.map_err(|error| chain(&error))?);
        for (name, value) in &ask.headers {
            let value = HeaderValue::from_str(value).map_err(|_| format!("`{value}` is no header"))?;
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        Ok(request)
    }

    /// How much time is left, where somebody counts it.
    fn left(&self) -> Option<Duration> {
        let deadline = self.moment().deadline?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// A panic elsewhere cannot leave it half changed: every touch is one step.
    fn moment(&self) -> MutexGuard<'_, Moment> {
        self.moment.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a request was not answered as it should be.
#[derive(Debug)]
pub(super) struct Unsure {
    pub(super) error: Error,
    /// Whether a try of it may have been carried out, and only its answer be lost.
    pub(super) may_be_done: bool,
}

/// Why one try has brought no answer.
struct Failed {
    error: Error,
    never_sent: bool,
    unauthenticated: bool,
}

impl Failed {
    fn for_good(error: Error) -> Self {
        Self { error, never_sent: false, unauthenticated: false }
    }

    /// A service that throttles has not done what it was asked; one that fails, or says nothing, may have.
    fn worth_another(&self, again: Again) -> bool {
        match (&self.error, again) {
            (_, Again::Never) => false,
            // Nobody has looked at what it asks for.
            _ if self.unauthenticated => true,
            (Error::Throttled { .. }, _) | (Error::Unavailable { .. }, Again::Safe) => true,
            (Error::Unavailable { .. }, Again::Unsent) => self.never_sent,
            (_, _) => false,
        }
    }
}

fn read(operation: &'static str, answer: http::Answer) -> Result<Answer, Failed> {
    let http::Answer { status, headers, body } = answer;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if (200..300).contains(&status) {
        let word = |name: &str| word(&headers, name);
        let (next_page, work_request) = (word("opc-next-page"), word("opc-work-request-id"));
        return Ok(Answer { etag: word(ETAG.as_str()), work_request, next_page, body });
    }
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    let error = errors::read(operation, status, text("code"), text("message"));
    Err(Failed { error, never_sent: false, unauthenticated: status == 401 })
}

fn word(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().filter(|word| !word.is_empty()).map(str::to_owned)
}

/// Half of it to one and a half of it, so that what failed together is not tried again together.
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
    fn nothing_in_an_id_leads_out_of_its_place() {
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
        let ask = Ask::get("oci:ListAlarms", Service::Monitoring, "/alarms");
        let ask = ask.query("compartmentId", "a&b").query("displayName", "x y");
        assert_eq!(ask.target("20180401"), "/20180401/alarms?compartmentId=a%26b&displayName=x%20y");
    }

    #[test]
    fn what_may_have_arrived_is_sent_again_only_where_that_is_safe() {
        let operation = || "oci:X".to_owned();
        let unavailable = || Error::Unavailable { operation: operation(), message: String::new() };
        let throttled = || Error::Throttled { operation: operation(), message: String::new() };
        let refused = || Error::Refused { operation: operation(), message: String::new() };
        let rows = [
            (unavailable(), true, Again::Unsent, true),
            (unavailable(), false, Again::Unsent, false),
            (unavailable(), false, Again::Safe, true),
            (unavailable(), true, Again::Never, false),
            // it has said that it has not done it
            (throttled(), false, Again::Unsent, true),
            (throttled(), false, Again::Never, false),
            (refused(), true, Again::Safe, false),
        ];
        for (error, never_sent, again, expected) in rows {
            let failed = Failed { error, never_sent, unauthenticated: false };
            assert_eq!(failed.worth_another(again), expected, "{:?} {never_sent} {again:?}", failed.error);
        }
    }

    #[test]
    fn pauses_differ_and_stay_near() {
        let pauses: Vec<Duration> = (0..64).map(|_| jittered(PAUSE)).collect();
        assert!(pauses.iter().all(|pause| (PAUSE / 2..PAUSE * 2).contains(pause)), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
