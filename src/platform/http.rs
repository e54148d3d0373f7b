//! HTTP/1.1 over TLS: sends one request, returns its response, and reports whether a failed request was sent at all.

use std::error::Error as StdError;
use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{HeaderMap, Request};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{CaptureConnection, HttpConnector, capture_connection};
use hyper_util::rt::TokioExecutor;
use rustls::crypto::CryptoProvider;
use thiserror::Error as ThisError;
use tokio::time::timeout;

/// The limit on name resolution, connection and TLS handshake together. A healthy service needs a tenth of it. An
/// unreachable one must leave time to report the failure.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// The longest body of a response, in bytes. A page of a hundred alarms is less than half a megabyte. A much longer body is
/// not a valid response, and must not exhaust the memory of a small function.
const LONGEST_ANSWER: usize = 4 << 20;

/// A client with its open connections.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    connector: HttpsConnector<HttpConnector>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// A complete response. Its status may be that of a failure.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Why a request has no response.
#[derive(Debug, ThisError)]
pub(crate) enum Unanswered {
    #[error("`{host}` could not be reached")]
    Unreachable { host: String, source: hyper_util::client::legacy::Error },
    #[error("`{host}` could not be reached within {within:?}")]
    UnreachableInTime { host: String, within: Duration },
    #[error("`{host}` broke off before its answer was complete")]
    BrokenOff { host: String, source: Box<dyn StdError + Send + Sync> },
    #[error("`{host}` did not answer within {within:?}")]
    Late { host: String, within: Duration },
    #[error("`{host}` answered with more than {LONGEST_ANSWER} bytes")]
    TooLong { host: String },
}

impl Unanswered {
    /// Whether the service cannot have received the request, so that sending it again is safe.
    pub(crate) fn never_sent(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::UnreachableInTime { .. } => true,
            Self::BrokenOff { .. } | Self::Late { .. } | Self::TooLong { .. } => false,
        }
    }
}

impl Http {
    /// A client that trusts the compiled-in root certificates.
    pub(crate) fn new(crypto: CryptoProvider) -> Result<Self, rustls::Error> {
        let mut tcp = HttpConnector::new();
        // The TLS connector checks the schemes itself.
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(crypto)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self::over(connector))
    }

    fn over(connector: HttpsConnector<HttpConnector>) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build(connector.clone()), connector }
    }

    /// The same client without open connections: those from before a container was frozen are dead. Cached TLS sessions
    /// are kept.
    pub(crate) fn afresh(&self) -> Self {
        Self::over(self.connector.clone())
    }

    /// Sends a request once. Its URI must be absolute. Redirects are returned, not followed.
    pub(crate) async fn send(
        &self,
        request: Request<Vec<u8>>,
        within: Duration,
    ) -> Result<HttpResponse, Unanswered> {
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let mut request = request.map(|body| Full::new(Bytes::from(body)));
        let connection = capture_connection(&mut request);
        let to_connect = within.min(CONNECT_TIMEOUT);
        tokio::select! {
            // In this order, because an unreachable host is the more precise error if both time out at once.
            biased;
            () = unconnected(connection, to_connect) => {
                Err(Unanswered::UnreachableInTime { host, within: to_connect })
            }
            answer = timeout(within, self.exchange(request, &host)) => {
                answer.unwrap_or_else(|_| Err(Unanswered::Late { host: host.clone(), within }))
            }
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, host: &str) -> Result<HttpResponse, Unanswered> {
        let host = || host.to_owned();
        let response = self.client.request(request).await.map_err(|source| {
            if source.is_connect() {
                Unanswered::Unreachable { host: host(), source }
            } else {
                Unanswered::BrokenOff { host: host(), source: source.into() }
            }
        })?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LONGEST_ANSWER).collect().await.map_err(|source| {
            if source.is::<LengthLimitError>() {
                Unanswered::TooLong { host: host() }
            } else {
                Unanswered::BrokenOff { host: host(), source }
            }
        })?;
        Ok(HttpResponse { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes().into() })
    }
}

/// Completes after this long without a connection; never completes once the request has one.
async fn unconnected(mut connection: CaptureConnection, within: Duration) {
    if timeout(within, connection.wait_for_connection_metadata()).await.is_ok() {
        pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use hyper::Method;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinHandle;

    use super::*;
    use crate::text::chain;

    /// Longer than any of these requests takes.
    const AMPLE: Duration = Duration::from_secs(30);
    /// For responses that never come.
    const BRIEF: Duration = Duration::from_millis(50);

    fn http() -> Http {
        Http::new(crate::platform::crypto()).unwrap()
    }

    fn get(url: &str) -> Request<Vec<u8>> {
        Request::get(url).body(Vec::new()).unwrap()
    }

    /// A server with the same response to every request. It records what it received, one entry per connection, and
    /// stops with the test.
    struct Server {
        url: String,
        received: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
        task: JoinHandle<()>,
    }

    impl Drop for Server {
        fn drop(&mut self) {
            self.task.abort();
        }
    }

    impl Server {
        /// `keep_open` is whether it reads more requests from a connection.
        async fn start(response: Vec<u8>, keep_open: bool) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/x?y=a%20b", listener.local_addr().unwrap());
            let received = std::sync::Arc::<std::sync::Mutex<Vec<String>>>::default();
            let log = received.clone();
            let task = tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    log.lock().unwrap().push(String::new());
                    tokio::spawn(serve(stream, response.clone(), keep_open, log.clone()));
                }
            });
            Self { url, received, task }
        }

        fn received(&self) -> Vec<String> {
            self.received.lock().unwrap().clone()
        }
    }

    async fn serve(
        mut stream: TcpStream,
        response: Vec<u8>,
        keep_open: bool,
        log: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
    ) {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut bytes).await {
            let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
            log.lock().unwrap().last_mut().unwrap().push_str(&text);
            if stream.write_all(&response).await.is_err() || !keep_open {
                return;
            }
        }
    }

    #[tokio::test]
    async fn a_response_is_read_completely_and_redirects_are_not_followed() {
        let response = b"HTTP/1.1 307 Elsewhere\r\nlocation: /y\r\netag: e1\r\ncontent-length: 2\r\n\r\n{}";
        let server = Server::start(response.to_vec(), true).await;
        let answer = http().send(get(&server.url), AMPLE).await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (307, b"{}".as_slice()));
        assert_eq!(answer.headers["etag"], "e1");
        let received = server.received();
        assert_eq!(received.len(), 1, "{received:?}");
        assert!(received[0].starts_with("GET /x?y=a%20b HTTP/1.1\r\n"), "{received:?}");
    }

    #[tokio::test]
    async fn an_empty_post_has_a_content_length() {
        let server = Server::start(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec(), true).await;
        let mut request = get(&server.url);
        *request.method_mut() = Method::POST;
        request.headers_mut().insert("content-length", 0.into());
        request.headers_mut().insert("host", "signed.example".parse().unwrap());
        http().send(request, AMPLE).await.unwrap();
        let received = server.received();
        assert_eq!(received[0].matches("content-length: 0\r\n").count(), 1, "{received:?}");
        assert!(received[0].contains("host: signed.example\r\n"), "what is signed is sent: {received:?}");
        assert!(!received[0].contains("transfer-encoding"), "{received:?}");
    }

    #[tokio::test]
    async fn a_connection_is_reused_but_not_by_a_fresh_client() {
        let server = Server::start(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec(), true).await;
        let http = http();
        // A separate task returns a connection to the pool, perhaps too late for the next request.
        let requests = 20;
        for _ in 0..requests {
            http.send(get(&server.url), AMPLE).await.unwrap();
        }
        let connections = server.received().len();
        assert!(connections < requests, "{connections} connections for {requests} requests");
        http.afresh().send(get(&server.url), AMPLE).await.unwrap();
        assert_eq!(server.received().len(), connections + 1);
    }

    #[tokio::test]
    async fn a_failed_request_reports_whether_it_was_sent() {
        let rows: [(&str, Vec<u8>, bool, Duration, &str); 4] = [
            ("closed at once", Vec::new(), false, AMPLE, "broke off"),
            (
                "closed in the middle",
                b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec(),
                false,
                AMPLE,
                "broke off",
            ),
            ("never answered", Vec::new(), true, BRIEF, "did not answer within 50ms"),
            (
                "never ended",
                b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec(),
                true,
                BRIEF,
                "did not answer within 50ms",
            ),
        ];
        for (what, response, keep_open, within, expected) in rows {
            let server = Server::start(response, keep_open).await;
            let error = http().send(get(&server.url), within).await.unwrap_err();
            assert!(error.to_string().contains(expected), "{what}: {}", chain(&error));
            assert!(!error.never_sent(), "{what}: {}", chain(&error));
        }
    }

    #[tokio::test]
    async fn a_request_without_a_connection_was_never_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // The system accepts the connection, but no TLS handshake follows.
        let silent = http().send(get(&format!("https://{address}/")), BRIEF).await.unwrap_err();
        assert!(matches!(silent, Unanswered::UnreachableInTime { .. }), "{}", chain(&silent));
        assert!(silent.never_sent());
        drop(listener);
        let refused = http().send(get(&format!("http://{address}/")), AMPLE).await.unwrap_err();
        assert!(matches!(refused, Unanswered::Unreachable { .. }), "{}", chain(&refused));
        assert!(refused.never_sent());
        // A server without TLS.
        let server = Server::start(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), false).await;
        let plain = http().send(get(&server.url.replace("http:", "https:")), AMPLE).await.unwrap_err();
        assert!(matches!(plain, Unanswered::Unreachable { .. }), "{}", chain(&plain));
    }

    #[tokio::test]
    async fn the_length_of_a_response_is_limited() {
        for (more, fits) in [(0, true), (1, false)] {
            let length = LONGEST_ANSWER + more;
            let mut response = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").into_bytes();
            response.resize(response.len() + length, b' ');
            let server = Server::start(response, true).await;
            match http().send(get(&server.url), AMPLE).await {
                Ok(answer) => assert!(fits && answer.body.len() == length),
                Err(Unanswered::TooLong { .. }) => assert!(!fits),
                Err(other) => panic!("{}", chain(&other)),
            }
        }
    }
}
