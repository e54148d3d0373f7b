//! OCI's signature of a request: RSA-SHA256 over chosen headers.
