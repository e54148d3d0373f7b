//! Posts one body to one webhook. 2xx is success; a redirect is none, for it could lead the message anywhere.

use std::sync::OnceLock;

use hyper::Request;
use hyper::header::{CONTENT_TYPE, USER_AGENT};
use rustls::crypto::CryptoProvider;

use super::Error;
use super::http::Http;
use crate::address::Address;
use crate::handle::NOTICES_WITHIN;
use crate::report::chain;

const OPERATION: &str = "web:Post";

/// A client for webhooks, built at the first one.
#[derive(Debug)]
pub(super) struct Webhooks {
    crypto: fn() -> CryptoProvider,
    http: OnceLock<Result<Http, Error>>,
}

impl Webhooks {
    /// A client that will do its TLS with this.
    pub(super) fn new(crypto: fn() -> CryptoProvider) -> Self {
        Self { crypto, http: OnceLock::new() }
    }

    /// Posts a body. Nothing but the host is ever told of where.
    pub(super) async fn post(
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
        // A connection from before the process was frozen is dead, and notices are rare.
        let answer = self.http()?.afresh().send(request, NOTICES_WITHIN).await;
        let status = answer.map_err(|unanswered| unavailable(chain(&unanswered)))?.status;
        told(status, address)
    }

    fn http(&self) -> Result<&Http, Error> {
        let http = self.http.get_or_init(|| Http::new((self.crypto)()).map_err(|error| unconfigured(&error)));
        http.as_ref().map_err(Clone::clone)
    }
}

fn told(status: u16, address: &Address) -> Result<String, Error> {
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
