//! Posts one body to one webhook. 2xx is success. A redirect is a failure, because it could send the message anywhere.

#![cfg(any(feature = "aws", feature = "oci"))]

use std::sync::OnceLock;

use hyper::Request;
use hyper::header::{CONTENT_TYPE, USER_AGENT};

use super::ANSWERS_WITHIN;
use crate::address::Address;
use crate::platform::http::Http;
use crate::platform::{Error, crypto};
use crate::text::{chain, of_service};

const OPERATION: &str = "web:Post";

/// A client for webhooks, created for the first message.
#[derive(Debug, Default)]
pub(in crate::platform) struct Webhooks(OnceLock<Result<Http, Error>>);

impl Webhooks {
    /// Posts a body. Results and errors name only the host, because the rest of the URL is a secret.
    pub(in crate::platform) async fn post(
        &self,
        address: &Address,
        content_type: &str,
        body: &str,
    ) -> Result<String, Error> {
        let request = Request::post(address.whole())
            .header(CONTENT_TYPE, content_type)
            .header(USER_AGENT, "stepladder")
            .body(body.as_bytes().to_vec())
            .map_err(|error| unconfigured(&error))?;
        // An open connection may be from before the process was frozen, and dead. Notices are rare, so opening one is
        // cheap.
        let answer = self.http()?.afresh().send(request, ANSWERS_WITHIN).await;
        let status = answer.map_err(|unanswered| unavailable(of_service(&chain(&unanswered))))?.status;
        result_of(status, address)
    }

    fn http(&self) -> Result<&Http, Error> {
        let http = self.0.get_or_init(|| Http::new(crypto()).map_err(|error| unconfigured(&error)));
        http.as_ref().map_err(Clone::clone)
    }
}

fn result_of(status: u16, address: &Address) -> Result<String, Error> {
    let message = format!("`{address}` answered HTTP {status}");
    match status {
        200..=299 => Ok(format!("HTTP {status}")),
        429 => Err(Error::Throttled { operation: OPERATION.to_owned(), message }),
        500.. => Err(unavailable(message)),
        _ => Err(Error::Refused { operation: OPERATION.to_owned(), message }),
    }
}

fn unavailable(message: String) -> Error {
    Error::Unavailable { operation: OPERATION.to_owned(), message }
}

fn unconfigured(error: &dyn std::error::Error) -> Error {
    Error::Unconfigured { operation: OPERATION.to_owned(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// Posts to a server with this response. Returns the request as the server received it, and the result.
    fn posted(answer: &'static str) -> (String, Result<String, Error>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/secret?key=secret", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut sent = vec![0; 4096];
            let mut length = 0;
            while !sent[..length].ends_with(b"{}") {
                length += stream.read(&mut sent[length..]).unwrap();
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&sent[..length]).to_ascii_lowercase()
        });
        let result = post(&address);
        (server.join().unwrap(), result)
    }

    fn post(address: &str) -> Result<String, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (webhooks, address) = (Webhooks::default(), Address::checked(address).unwrap());
        runtime.block_on(webhooks.post(&address, "application/json; charset=utf-8", "{}"))
    }

    #[test]
    fn responses_are_classified_without_leaking_the_secret() {
        let rows = [
            // Slack's own
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP 200"),
            // without a body
            ("HTTP/1.1 204 No Content\r\n\r\n", "HTTP 204"),
            // a redirect, whose location is a secret, too
            (
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: /secret\r\nContent-Length: 0\r\n\r\n",
                "was refused",
            ),
            // a deleted webhook, whose page repeats the path
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\n/secret", "was refused"),
            ("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", "was throttled"),
            ("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "got no answer"),
            // not HTTP
            ("/secret\r\n\r\n", "got no answer"),
        ];
        for (answer, expected) in rows {
            let (_, result) = posted(answer);
            let message = result.unwrap_or_else(|error| error.to_string());
            assert!(message.contains(expected) && !message.contains("secret"), "{answer}: {message}");
        }
    }

    #[test]
    fn a_post_has_the_right_headers() {
        let (sent, _) = posted("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        assert!(sent.starts_with("post /secret?key=secret http/1.1\r\n"), "{sent}");
        for header in
            ["content-type: application/json; charset=utf-8", "content-length: 2", "user-agent: stepladder"]
        {
            assert!(sent.contains(&format!("\r\n{header}\r\n")), "{sent}");
        }
    }

    #[test]
    fn an_unreachable_webhook_is_reported_by_its_host() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let error = post(&format!("http://127.0.0.1:{port}/secret")).unwrap_err().to_string();
        assert!(error.contains(&format!("127.0.0.1:{port}")) && !error.contains("secret"), "{error}");
    }
}
