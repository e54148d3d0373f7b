//! Signs requests: `Signature` version 1 with RSA and SHA-256, as every OCI service requires.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, InvalidHeaderValue};
use hyper::http::uri::Scheme;
use hyper::{HeaderMap, Method, Request, Uri};
use jiff::Timestamp;
use ring::digest;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;
use thiserror::Error as ThisError;

const CONTENT_HASH: &str = "x-content-sha256";
/// The only media type that the services use.
const JSON: &str = "application/json";

/// The parts of a request that are signed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unsigned<'a> {
    pub(crate) method: &'a Method,
    /// With the port, unless it is the scheme's default.
    pub(crate) host: &'a str,
    /// Path and query, exactly as they are sent.
    pub(crate) target: &'a str,
    /// Signed for the methods that have one, even if it is empty.
    pub(crate) body: &'a [u8],
}

/// Why a request cannot be signed.
#[derive(Debug, ThisError)]
pub(crate) enum Error {
    #[error("the private key cannot sign; expected an RSA key of 2048 to 4096 bits")]
    Key,
    #[error("a part of the request is no header; expected printable ASCII in its host and in the key's id")]
    Header(#[from] InvalidHeaderValue),
}

impl<'a> Unsigned<'a> {
    /// The parts of an HTTP request.
    pub(crate) fn of(request: &'a Request<Vec<u8>>) -> Self {
        let uri = request.uri();
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        Self { method: request.method(), host: host(uri), target, body: request.body() }
    }

    fn has_body(&self) -> bool {
        [Method::POST, Method::PUT, Method::PATCH].contains(self.method)
    }
}

/// The headers to add to a request, with its signature.
pub(crate) fn sign(
    request: &Unsigned<'_>,
    key_id: &str,
    key: &KeyPair,
    now: Timestamp,
) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    headers.insert(DATE, now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string().try_into()?);
    headers.insert(HOST, request.host.try_into()?);
    if request.has_body() {
        let hash = STANDARD.encode(digest::digest(&digest::SHA256, request.body));
        headers.insert(CONTENT_LENGTH, request.body.len().into());
        headers.insert(CONTENT_TYPE, JSON.try_into()?);
        headers.insert(CONTENT_HASH, hash.try_into()?);
    }
    headers.insert(AUTHORIZATION, authorization(request, &headers, key_id, key)?.try_into()?);
    Ok(headers)
}

fn authorization(
    request: &Unsigned<'_>,
    headers: &HeaderMap,
    key_id: &str,
    key: &KeyPair,
) -> Result<String, Error> {
    let mut names = vec!["date", "(request-target)", "host"];
    if request.has_body() {
        names.extend(["content-length", "content-type", CONTENT_HASH]);
    }
    let lines: Vec<_> = names.iter().map(|name| line(request, headers, name)).collect();
    let signature = signature(&lines.join("\n"), key)?;
    let names = names.join(" ");
    Ok(format!(
        r#"Signature algorithm="rsa-sha256",headers="{names}",keyId="{key_id}",signature="{signature}",version="1""#
    ))
}

/// The line of the signed text for a header's name.
fn line(request: &Unsigned<'_>, headers: &HeaderMap, name: &str) -> String {
    let header = headers.get(name).and_then(|value| value.to_str().ok());
    // `(request-target)` is the only name that is not a header.
    let target = || format!("{} {}", request.method.as_str().to_lowercase(), request.target);
    format!("{name}: {}", header.map_or_else(target, str::to_owned))
}

fn signature(text: &str, key: &KeyPair) -> Result<String, Error> {
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
        .map_err(|_| Error::Key)?;
    Ok(STANDARD.encode(signature))
}

/// The host as it is sent: with the port, unless it is the scheme's default.
fn host(uri: &Uri) -> &str {
    let Some(authority) = uri.authority() else { return "" };
    let usual = if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
    match authority.port_u16() {
        Some(port) if port != usual => authority.as_str().rsplit('@').next().unwrap_or_default(),
        Some(_) | None => authority.host(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::platform::oci::client::identity::rsa_key;

    /// A request that the official SDK for Python, `oci` 2.189.0, has signed with the test key.
    #[derive(Deserialize)]
    struct Vector {
        why: String,
        key_id: String,
        method: String,
        url: String,
        at: Timestamp,
        body: String,
        headers: BTreeMap<String, String>,
    }

    fn texts(headers: &HeaderMap) -> BTreeMap<String, String> {
        headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
    }

    #[test]
    fn requests_are_signed_as_the_sdk_signs_them() {
        let vectors: Vec<Vector> = serde_json::from_str(include_str!("signature/vectors.json")).unwrap();
        assert!(vectors.len() > 6);
        for pem in [include_str!("signature/test.pkcs1.pem"), include_str!("signature/test.pkcs8.pem")] {
            for vector in &vectors {
                let request = Request::builder()
                    .method(vector.method.as_str())
                    .uri(&vector.url)
                    .body(vector.body.clone().into_bytes())
                    .unwrap();
                let signed =
                    sign(&Unsigned::of(&request), &vector.key_id, &rsa_key(pem).unwrap(), vector.at).unwrap();
                assert_eq!(texts(&signed), vector.headers, "{}", vector.why);
            }
        }
    }

    #[test]
    fn the_host_is_signed_as_it_is_sent() {
        let rows = [
            // a client leaves out the default port
            ("https://a.example:443/x", "a.example"),
            ("http://a.example:80/x", "a.example"),
            // and only that
            ("https://a.example:80/x", "a.example:80"),
            ("http://[::1]:8080/x", "[::1]:8080"),
            // credentials in an address are no part of the host
            ("https://me:secret@a.example:8443/x", "a.example:8443"),
            ("https://a.example", "a.example"),
        ];
        for (url, expected) in rows {
            assert_eq!(host(&url.parse().unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn an_invalid_header_is_reported() {
        let request = Unsigned { method: &Method::GET, host: "a.example", target: "/", body: b"" };
        let key = rsa_key(include_str!("signature/test.pkcs8.pem")).unwrap();
        let refused = sign(&request, "ST$a\nb", &key, Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(matches!(refused, Error::Header(_)), "{refused}");
        assert!(!refused.to_string().contains("ST$"), "{refused}");
    }
}
