//! HTTP/1.1 over TLS: one request, one answer, and whether what got none was sent at all. It knows no cloud.

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

/// Name, connection and TLS together. A service that is well takes a tenth of it; one that cannot be reached must
/// leave time to say so.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// A page of a thousand alarms is about 4 MB. What is much longer is no answer to what was asked, and must not fill
/// the memory of a small function.
const LONGEST_ANSWER: usize = 16 << 20;

/// A client with its open connections.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    connector: HttpsConnector<HttpConnector>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// An answer, read to its end. Its status may tell of a failure.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
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
    /// Whether nothing of the request can have arrived, so that whatever it asked for may be asked for again.
    pub(crate) fn never_sent(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::UnreachableInTime { .. } => true,
            Self::BrokenOff { .. } | Self::Late { .. } | Self::TooLong { .. } => false,
        }
    }
}

impl Http {
    /// A client that trusts the certificates that are compiled in.
    pub(crate) fn new(crypto: CryptoProvider) -> Result<Self, rustls::Error> {
        let mut tcp = HttpConnector::new();
        // The connector for TLS lets only its own schemes through.
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

    /// The same client with no open connection: those that were open while a container was frozen are dead. What it
    /// knows of the servers' TLS sessions is kept.
    pub(crate) fn afresh(&self) -> Self {
        Self::over(self.connector.clone())
    }

    /// Sends a request, whose address is a whole URL, once. Redirects are answers like others.
    pub(crate) async fn send(
        &self,
        request: Request<Vec<u8>>,
        within: Duration,
    ) -> Result<Answer, Unanswered> {
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let mut request = request.map(|body| Full::new(Bytes::from(body)));
        let connection = capture_connection(&mut request);
        let to_connect = within.min(CONNECT_TIMEOUT);
        tokio::select! {
            // In this order, so that of two times that are up at once the one that tells more wins.
            biased;
            () = unconnected(connection, to_connect) => {
                Err(Unanswered::UnreachableInTime { host, within: to_connect })
            }
            answer = timeout(within, self.exchange(request, &host)) => {
                answer.unwrap_or_else(|_| Err(Unanswered::Late { host: host.clone(), within }))
            }
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, host: &str) -> Result<Answer, Unanswered> {
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
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes().into() })
    }
}

/// Ends when a request has waited this long for its connection, and never once it has one.
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

    /// Longer than anything here takes.
    const AMPLE: Duration = Duration::from_secs(30);
    /// For what never comes.
    const BRIEF: Duration = Duration::from_millis(50);

    fn http() -> Http {
        Http::new(crate::platform::crypto()).unwrap()
    }

    fn get(url: &str) -> Request<Vec<u8>> {
        Request::get(url).body(Vec::new()).unwrap()
    }

    /// Says the same to every request and tells what it was asked: one entry per connection. It goes with the test.
    struct Server {
        url: String,
        asked: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
        task: JoinHandle<()>,
    }

    impl Drop for Server {
        fn drop(&mut self) {
            self.task.abort();
        }
    }

    impl Server {
        /// `then` is whether it goes on listening on a connection.
        async fn saying(words: Vec<u8>, then: bool) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/x?y=a%20b", listener.local_addr().unwrap());
            let asked = std::sync::Arc::<std::sync::Mutex<Vec<String>>>::default();
            let heard = asked.clone();
            let task = tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    heard.lock().unwrap().push(String::new());
                    tokio::spawn(serve(stream, words.clone(), then, heard.clone()));
                }
            });
            Self { url, asked, task }
        }

        fn asked(&self) -> Vec<String> {
            self.asked.lock().unwrap().clone()
        }
    }

    async fn serve(
        mut stream: TcpStream,
        words: Vec<u8>,
        then: bool,
        heard: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
    ) {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut bytes).await {
            let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
            heard.lock().unwrap().last_mut().unwrap().push_str(&text);
            if stream.write_all(&words).await.is_err() || !then {
                return;
            }
        }
    }

    #[tokio::test]
    async fn an_answer_is_read_whole_and_redirects_are_not_followed() {
        let words = b"HTTP/1.1 307 Elsewhere\r\nlocation: /y\r\netag: e1\r\ncontent-length: 2\r\n\r\n{}";
        let server = Server::saying(words.to_vec(), true).await;
        let answer = http().send(get(&server.url), AMPLE).await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (307, b"{}".as_slice()));
        assert_eq!(answer.headers["etag"], "e1");
        let asked = server.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert!(asked[0].starts_with("GET /x?y=a%20b HTTP/1.1\r\n"), "{asked:?}");
    }

    #[tokio::test]
    async fn an_empty_post_says_its_length() {
        let server = Server::saying(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec(), true).await;
        let mut request = get(&server.url);
        *request.method_mut() = Method::POST;
        request.headers_mut().insert("content-length", 0.into());
        request.headers_mut().insert("host", "signed.example".parse().unwrap());
        http().send(request, AMPLE).await.unwrap();
        let asked = server.asked();
        assert_eq!(asked[0].matches("content-length: 0\r\n").count(), 1, "{asked:?}");
        assert!(asked[0].contains("host: signed.example\r\n"), "what is signed is sent: {asked:?}");
        assert!(!asked[0].contains("transfer-encoding"), "{asked:?}");
    }

    #[tokio::test]
    async fn a_connection_is_used_again_but_not_by_a_fresh_client() {
        let server = Server::saying(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec(), true).await;
        let http = http();
        // A connection is put back by a task of its own, so that it may miss the next request.
        let requests = 20;
        for _ in 0..requests {
            http.send(get(&server.url), AMPLE).await.unwrap();
        }
        let connections = server.asked().len();
        assert!(connections < requests, "{connections} connections for {requests} requests");
        http.afresh().send(get(&server.url), AMPLE).await.unwrap();
        assert_eq!(server.asked().len(), connections + 1);
    }

    #[tokio::test]
    async fn what_gets_no_answer_says_whether_it_was_sent() {
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
        for (what, words, then, within, expected) in rows {
            let server = Server::saying(words, then).await;
            let unanswered = http().send(get(&server.url), within).await.unwrap_err();
            assert!(unanswered.to_string().contains(expected), "{what}: {}", chain(&unanswered));
            assert!(!unanswered.never_sent(), "{what}: {}", chain(&unanswered));
        }
    }

    #[tokio::test]
    async fn what_never_had_a_connection_was_never_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // TLS that is never begun: the system accepts the connection, and nobody speaks.
        let silent = http().send(get(&format!("https://{address}/")), BRIEF).await.unwrap_err();
        assert!(matches!(silent, Unanswered::UnreachableInTime { .. }), "{}", chain(&silent));
        assert!(silent.never_sent());
        drop(listener);
        let refused = http().send(get(&format!("http://{address}/")), AMPLE).await.unwrap_err();
        assert!(matches!(refused, Unanswered::Unreachable { .. }), "{}", chain(&refused));
        assert!(refused.never_sent());
        // No TLS at all.
        let server = Server::saying(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), false).await;
        let plain = http().send(get(&server.url.replace("http:", "https:")), AMPLE).await.unwrap_err();
        assert!(matches!(plain, Unanswered::Unreachable { .. }), "{}", chain(&plain));
    }

    #[tokio::test]
    async fn an_answer_has_a_longest_length() {
        for (more, fits) in [(0, true), (1, false)] {
            let length = LONGEST_ANSWER + more;
            let mut words = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").into_bytes();
            words.resize(words.len() + length, b' ');
            let server = Server::saying(words, true).await;
            match http().send(get(&server.url), AMPLE).await {
                Ok(answer) => assert!(fits && answer.body.len() == length),
                Err(Unanswered::TooLong { .. }) => assert!(!fits),
                Err(other) => panic!("{}", chain(&other)),
            }
        }
    }
}
